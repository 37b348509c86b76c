"""Good configuration files are read as their writers meant them."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arvnodeman.config import Settings, load
from arvnodeman.config.cloud_options import PROVIDERS
from arvnodeman.config.kinds import LARGEST
from arvnodeman.config.option import OPTIONAL
from arvnodeman.config.settings import ManageSettings
from arvnodeman.config.table import OPTIONS
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.budgets import Budget, Period
from arvnodeman.fleet.values.model import Policy, Secret, SizeSection
from arvnodeman.fleet.values.spares import Spare
from arvnodeman.manage.answers import encode
from arvnodeman.supervision.clock import wall_time

GOOD = """\
[Arvados]
host = zyxwv.example.com
token = sesame

[Cloud]
provider = sandbox
shutdown_windows = 54, 5, 1

[Cloud Create]
ping_host = zyxwv.example.com

[Size small]
cores = 2
"""

Loader = Callable[[str], Settings]


@pytest.fixture(name="path")
def path_(tmp_path: Path) -> Path:
    return tmp_path / "site.cfg"


@pytest.fixture(name="loaded")
def loaded_(path: Path) -> Loader:
    def write_and_load(text: str) -> Settings:
        path.write_text(text, encoding="utf-8")
        return load(str(path))

    return write_and_load


def test_small_file_has_the_classic_defaults(loaded: Loader) -> None:
    settings = loaded(GOOD)
    assert settings.warnings == ()
    assert settings.manage == ManageSettings(address="127.0.0.1", port=-1, management_token=Secret(""))
    assert (settings.daemon.max_nodes, settings.daemon.watchdog, settings.daemon.node_mem_scaling) == (1, 600, 0.95)
    assert settings.daemon.boot_fail_after == 1800
    assert (settings.logging.file, settings.logging.level, settings.logging.loggers) == ("/dev/stderr", "WARNING", {})
    assert settings.arvados.jobs_queue
    assert settings.arvados.slurm_queue
    assert list(settings.cloud.shutdown_windows) == [54, 5, 1]
    assert settings.sizes == (SizeSection(id="small", cores=2, instance_type="small"),)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_file_with_the_required_options_alone_loads(loaded: Loader, provider: str) -> None:
    """Row C29: whatever is left out has a default that is of its option's own type."""
    sections = {"Arvados": ["host = zyxwv.example.com", "token = sesame"]}  # required unless Slurm is alone
    for option in OPTIONS:
        if option.section not in OPTIONAL and (option.default is None or provider in option.required_for):
            value = provider if option.key == "provider" else option.example or "something"
            sections.setdefault(option.section, []).append(f"{option.name} = {value}")
    text = "".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items())
    assert loaded(text.replace("[Size NAME]", "[Size small]")).cloud.provider == provider


def test_dummy_cloud_needs_no_ping_host(loaded: Loader) -> None:
    text = GOOD.replace("provider = sandbox", "provider = dummy").replace("ping_host", "#")
    assert loaded(text).cloud.create == {}


def test_names_stay_free_where_the_cloud_or_logging_decides(loaded: Loader) -> None:
    text = f"""{GOOD}
name = other name
vcpus = 4
[Logging]
pykka = warn
NodeManagerDaemonActor = debug
[Cloud Credentials]
Anything = a
[Cloud List]
tag_Class = dynamic
[Cloud Create]
""".replace("[Cloud Create]\nping", "[Cloud Create]\nex_anything = b\nping", 1).removesuffix("[Cloud Create]\n")
    settings = loaded(text)
    assert settings.warnings == ()
    assert settings.sizes[0].extra == (("name", "other name"), ("vcpus", "4"))
    assert settings.logging.loggers == {"pykka": "WARNING", "NodeManagerDaemonActor": "DEBUG"}
    assert settings.cloud.credentials == {"anything": Secret("a")}
    assert settings.cloud.listing == {"tag_class": "dynamic"}  # lower case, as ever (row N14)
    assert settings.cloud.create == {"ex_anything": "b", "ping_host": "zyxwv.example.com"}


def test_instance_type_is_never_a_number(loaded: Loader) -> None:
    """Row J4."""
    assert loaded(f"{GOOD}instance_type = 0800\n").sizes[0].instance_type == "0800"


@pytest.mark.parametrize(("text", "price"), [("2", 2.0), ("0.56", 0.56), (".5", 0.5), ("1e-3", 0.001), ("0100", 100.0)])
def test_prices_are_numbers(loaded: Loader, text: str, price: float) -> None:
    """Row C9: text would make 10 less than 9, and two nodes of 1 cost 11."""
    lines = f"price = {text}\n[Daemon]\nmax_total_price = {text}\n"
    settings = loaded(f"{GOOD}{lines}")
    found = [settings.sizes[0].price, settings.daemon.max_total_price, settings.policy().max_total_price]
    assert [(type(each), each) for each in found] == [(float, price)] * 3


def test_option_names_in_any_case_and_fractions_where_time_is_meant(loaded: Loader) -> None:
    """Row A15."""
    settings = loaded(f"{GOOD}\n[Daemon]\nPOLL_Time = 0.5\nMax_Poll_Time = 2.5\nwatchdog = 1.5\n")
    assert (settings.daemon.poll_time, settings.daemon.max_poll_time, settings.daemon.watchdog) == (0.5, 2.5, 1.5)
    assert loaded(GOOD.replace("54, 5, 1", "0.05,.1")).cloud.shutdown_windows == (0.05, 0.1)


def test_a_huge_number_is_as_large_as_waits_and_dates_can_be(loaded: Loader) -> None:
    """As in old files, for: never. A poll planned for a moment that has no date ended the daemon."""
    daemon = f"[Daemon]\nboot_fail_after = {2**63 - 1}\npoll_time = 1e300\nmax_nodes = {10**25}\n"
    found = loaded(f"{GOOD.replace('54, 5, 1', '1e308, 1e308')}\n{daemon}")
    assert (found.daemon.boot_fail_after, found.daemon.poll_time) == (LARGEST, LARGEST)
    assert found.daemon.max_nodes == LARGEST
    assert isinstance(found.daemon.max_nodes, int)
    assert found.cloud.shutdown_windows == (LARGEST, LARGEST)
    assert wall_time(time.time() + LARGEST)
    assert encode(10 * found.daemon.max_nodes)
    assert 8 * LARGEST < threading.TIMEOUT_MAX


def test_options_of_another_cloud_are_free(loaded: Loader) -> None:
    text = GOOD.replace("[Cloud Create]", "[Cloud Create]\nservice_accounts = not JSON")
    assert loaded(text).cloud.create["service_accounts"] == "not JSON"


def test_known_option_left_empty_is_not_passed_to_the_cloud_and_its_defaults_are(loaded: Loader) -> None:
    text = GOOD.replace("sandbox", "ec2").replace("[Cloud Create]", "[Cloud Create]\nex_keyname =\ntag_empty =")
    defaults = {"volume_type": "gp3", "imds": "optional", "imds_tags": "no"}
    assert loaded(text).cloud.create == {"ping_host": "zyxwv.example.com", "tag_empty": "", **defaults}


def test_hopeless_after_follows_stale_after_unless_it_is_given(loaded: Loader) -> None:
    assert loaded(GOOD).daemon.poll_hopeless_after == 6000
    assert loaded(f"{GOOD}\n[Daemon]\npoll_stale_after = 30\n").daemon.poll_hopeless_after == 300
    assert loaded(f"{GOOD}\n[Daemon]\npoll_hopeless_after = 0\n").daemon.poll_hopeless_after == 0


def test_the_watchdogs_interval_follows_its_patience_unless_it_is_given(loaded: Loader) -> None:
    """A hang is found in `watchdog` and a tenth more: with 20 s between rounds and 4 s to answer it took 23 s."""
    assert loaded(GOOD).daemon.watchdog_interval == 20
    told = {0.3: 0.5, 4: 0.5, 5: 0.5, 60: 6, 120: 12, 200: 20, 900: 20}
    for watchdog, interval in told.items():
        assert loaded(f"{GOOD}\n[Daemon]\nwatchdog = {watchdog}\n").daemon.watchdog_interval == interval
    given = f"{GOOD}\n[Daemon]\nwatchdog = 4\nwatchdog_interval = 3\n"
    assert loaded(given).daemon.watchdog_interval == 3


def test_state_dir_is_systemds_unless_it_is_given(loaded: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert loaded(GOOD).daemon.state_dir == ""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/anm:/var/lib/other")
    assert loaded(GOOD).daemon.state_dir == "/var/lib/anm"
    assert loaded(f"{GOOD}\n[Daemon]\nstate_dir = /srv/anm\n").daemon.state_dir == "/srv/anm"


def test_policy_is_filled_from_the_file(loaded: Loader) -> None:
    options = {
        "min_nodes": 3,
        "max_nodes": 9,
        "max_total_price": 7.5,
        "max_price_factor": 2.5,
        "max_jobs_per_node": 7,
        "max_poll_time": 31.0,
        "poll_stale_after": 32.0,
        "boot_fail_after": 33.0,
        "node_stale_after": 34.0,
        "node_mem_scaling": 0.5,
        "consecutive_idle_count": 5,
        "boot_attempts": 6,
        "quota_retry_after": 35.0,
        "size_retry_after": 36.0,
        "use_within": 38.0,
        "vain_retry_after": 39.0,
        "drain_poll_time": 37.0,
        "explain_after": 40.0,
        "rung_patience": 41.0,
        "spot_tries": 4,
        "ahead_max_idle": 12.0,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in options.items())
    lines += "rung_order = cheapest\n"
    lines += "cancel_unsatisfiable = no\nkeep_drained = yes\ndrain_to_consolidate = yes\ndispatcher = slurm\n"
    lines += "node_lease = 60\n"
    text = f"{GOOD}\n[Daemon]\n{lines}[Spare day]\nsize = small\nnodes = 2\n[Budget lab]\nlimit = 5\n"
    settings = loaded(text)
    policy = settings.policy()
    assert {name: getattr(policy, name) for name in options} == options
    assert (policy.cancel_unsatisfiable, policy.keep_drained, policy.slurm, policy.asks_scheduler) == (
        False,
        True,
        True,
        True,
    )
    assert (policy.sections, policy.shutdown_windows) == (settings.sizes, (54, 5, 1))
    assert policy.drain_to_consolidate
    assert policy.spares == settings.spares == (Spare("day", "small", 2),)
    assert policy.budgets == settings.budgets == (Budget("lab", 5.0, Period.MONTH),)
    assert policy.cheapest_rung
    assert not policy.explain_unsatisfiable
    assert not policy.places
    assert policy.renews_leases
    named = {
        *options,
        "cancel_unsatisfiable",
        "explain_unsatisfiable",
        "spares",
        "budgets",
        "keep_drained",
        "drain_to_consolidate",
        "slurm",
        "asks_scheduler",
        "places",
        "renews_leases",
        "cheapest_rung",
        "sections",
        "shutdown_windows",
    }
    assert named == {field.name for field in dataclasses.fields(Policy)}


def test_policy_defaults_are_those_of_the_table(loaded: Loader) -> None:
    settings = loaded(GOOD)
    defaults = Policy(sections=settings.sizes, shutdown_windows=settings.cloud.shutdown_windows)
    # a history that an earlier build has written down says nothing on jobs
    assert defaults.explain_after == 0
    assert settings.policy() == dataclasses.replace(defaults, explain_after=60.0)


@pytest.mark.parametrize(
    ("dispatcher", "slurm_queue", "asked"), [("slurm", "no", True), ("", "yes", True), ("", "no", False)]
)
def test_slurm_is_asked_only_where_it_is_used(loaded: Loader, dispatcher: str, slurm_queue: str, asked: bool) -> None:
    """Row N5."""
    text = GOOD.replace("[Cloud]", f"slurm_queue = {slurm_queue}\n[Cloud]") + f"\n[Daemon]\ndispatcher = {dispatcher}\n"
    assert loaded(text).policy().asks_scheduler is asked


def test_each_list_may_have_its_own_poll_time(loaded: Loader) -> None:
    """Row A16."""
    settings = loaded(f"{GOOD}\n[Daemon]\npoll_time = 7\ncloudlist_poll_time = 5\nwishlist_poll_time = 0.5\n")
    assert [settings.poll_time_of(poll) for poll in (Poll.CLOUD, Poll.RECORDS, Poll.QUEUE)] == [5, 7, 0.5]


@pytest.mark.parametrize(("records", "polls"), [("slurm", (Poll.QUEUE,)), ("slurm-cloud", (Poll.RECORDS, Poll.QUEUE))])
def test_what_tells_of_new_jobs_is_polled_when_somebody_wakes(
    loaded: Loader, records: str, polls: tuple[Poll, ...]
) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(("host", "token")))
    text = text.replace("[Cloud]", f"node_records = {records}\n[Cloud]", 1) + "\n[Daemon]\ndispatcher = slurm\n"
    assert loaded(text).woken_polls == polls


def test_the_poke_file_is_in_the_runtime_directory_of_a_service(
    loaded: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    assert loaded(GOOD).daemon.poke_file == ""
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/anm:/run/other")
    assert loaded(GOOD).daemon.poke_file == "/run/anm/poke"
    assert loaded(f"{GOOD}\n[Daemon]\npoke_file = /run/mine\n").daemon.poke_file == "/run/mine"


def test_two_readings_of_one_file_are_equal_and_a_changed_one_differs_where_it_changed(loaded: Loader) -> None:
    first, again = loaded(GOOD), loaded(GOOD)
    assert first == again
    changed = loaded(f"{GOOD}\n[Daemon]\nmax_nodes = 2\n")
    differing = [
        field.name
        for field in dataclasses.fields(Settings)
        if getattr(first, field.name) != getattr(changed, field.name)
    ]
    assert differing == ["daemon"]


CLASSIC = """\
# Azure configuration for Arvados Node Manager.
# All times are in seconds unless specified otherwise.

[Manage]
address=0.0.0.0
port=8989
MANAGEMENTTOKEN = xyzzy

[Daemon]
# The dispatcher can customize the start and stop procedure for
# cloud nodes.
dispatcher = slurm
min_nodes = 0
max_nodes = 8
max_total_price = 0
poll_time = 60
max_poll_time = 300
cloudlist_poll_time=0
poll_stale_after = 600
boot_fail_after = 1800
node_stale_after = 14400
consecutive_idle_count=3
watchdog = 600
node_mem_scaling = 0.95
certs_file = /etc/ssl/certs/ca-certificates.crt

[Logging]
file = /var/log/arvados/node-manager.log
level = INFO
pykka = WARNING
apiclient = WARNING

[Arvados]
host = zyxwv.arvadosapi.com
token = ARVADOS_TOKEN
timeout = 15
jobs_queue=yes   # Get work request from Arvados jobs queue (jobs API)
slurm_queue=yes  ; Get work request from squeue (containers API)
insecure = no

[Cloud]
provider = azure
shutdown_windows = 54, 5, 1

[Cloud Credentials]
tenant_id = 00000000-0000-0000-0000-000000000000
subscription_id: 00000000-0000-0000-0000-000000000000
key = 00000000-0000-0000-0000-000000000000
secret = 50%% off # not a comment
timeout = 60
region = East US

[Cloud List]
ex_resource_group = ArvadosResourceGroup

[Cloud Create]
image = https://example.blob.core.windows.net/system/compute.vhd
tag_arvados-class = dynamic-compute
tag_cluster = zyxwv
ping_host = hostname:443
ex_network = ArvadosNetwork
  ; a comment of its own
service_accounts = [
    {"email": "account@example.com",
     "scopes": []}
    ]

[Size Standard_D3]
cores = 4
price = 0.56

[Size Standard_D4.cheap]
instance_type = Standard_D4
cores = 8
price = 1.12
scratch = 400000
"""


def test_classic_file_loads_unchanged(loaded: Loader) -> None:
    """Rows N13 (comments behind values) and N14 (percent signs); whole numbers for times, as ever."""
    settings = loaded(CLASSIC)
    assert settings.warnings == ()
    assert (settings.manage.address, settings.manage.port) == ("0.0.0.0", 8989)
    assert settings.manage.management_token.reveal() == "xyzzy"
    assert (settings.daemon.dispatcher, settings.daemon.max_nodes, settings.daemon.node_stale_after) == (
        "slurm",
        8,
        14400,
    )
    assert settings.daemon.certs_file == "/etc/ssl/certs/ca-certificates.crt"
    assert settings.arvados.jobs_queue
    assert settings.arvados.slurm_queue
    assert settings.cloud.credentials["secret"].reveal() == "50% off # not a comment"
    assert settings.cloud.credentials["timeout"].reveal() == "60"
    assert settings.cloud.listing == {"ex_resource_group": "ArvadosResourceGroup"}
    assert settings.cloud.create["ping_host"] == "hostname:443"
    assert settings.cloud.create["tag_cluster"] == "zyxwv"
    assert settings.cloud.create["service_accounts"].split() == [
        "[",
        '{"email":',
        '"account@example.com",',
        '"scopes":',
        "[]}",
        "]",
    ]
    assert [(size.id, size.instance_type, size.cores, size.price) for size in settings.sizes] == [
        ("Standard_D3", "Standard_D3", 4, 0.56),
        ("Standard_D4.cheap", "Standard_D4", 8, 1.12),
    ]
