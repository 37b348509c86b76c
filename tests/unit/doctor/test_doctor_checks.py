"""Each check on made-up facts: it occurs where the trouble is, and is silent where it is not.

Checks of the configuration file are held by test_check_config.py, those of slurm.conf by tests/unit/records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from arvnodeman.config import Settings, examine, load
from arvnodeman.doctor.base import Area, CannotTell, Finding, NotHere
from arvnodeman.doctor.catalogue import CHECKS, find, of_area
from arvnodeman.doctor.facts import ArvadosFacts, CloudFacts, DaemonFacts, FactPart, Facts, HistoryFacts, SlurmSetup
from arvnodeman.doctor.remedies import Remedies
from arvnodeman.doctor.unit import ServiceLimits, seconds_of
from arvnodeman.fleet.values.leading import LeaderBackend
from arvnodeman.fleet.values.model import (
    BootIntent,
    CloudNode,
    ErrorKind,
    NodeRecord,
    ProviderSize,
    RemoteError,
    RemoteFailure,
)
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import ShownNode

NOW = 1_700_000_000.0
LONG = 7200.0  # longer than a boot may take
FILE = """\
[Daemon]
dispatcher = slurm
node_names = c[1-9]
max_nodes = 9
boot_fail_after = 1800
[Cloud]
provider = sandbox
shutdown_windows = 0, 1
[Cloud Credentials]
url = http://127.0.0.1:1
[Size small]
cores = 1
"""
UNIT = (Path(__file__).resolve().parents[3] / "doc/ops/arvados-node-manager.service").read_text(encoding="utf-8")
PATIENT = ServiceLimits(silence=688.0, stop=60.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "site.cfg"
    path.write_text(FILE)
    path.chmod(0o640)
    return load(str(path))


def node(number: int = 1, age: float = LONG, **more: object) -> CloudNode:
    values: dict[str, object] = {"name": f"c{number}", "start_time": NOW - age, "size_tag": "small", **more}
    return CloudNode(id=f"i-{number}", report_id=f"i-{number}", **values)  # type: ignore[arg-type]


def name(number: int = 1, base: str = "IDLE", *flags: str, **more: object) -> ShownNode:
    values: dict[str, object] = {"partitions": ("main",), "address": "10.0.0.1", **more}
    return ShownNode(f"c{number}", base, frozenset(flags), **values)  # type: ignore[arg-type]


def record(number: int = 1, instance: str | None = None, intent: BootIntent | None = None) -> NodeRecord:
    return NodeRecord(f"c{number}", hostname=f"c{number}", domain="", instance_id=instance, intent=intent)


def drained(number: int = 1, reason: str = "Node Manager shutdown (i-1)", age: float = LONG, *flags: str) -> ShownNode:
    return name(number, "IDLE", "DRAIN", "NOT_RESPONDING", *flags, reason=reason, reason_at=NOW - age)


def facts(settings: Settings, **parts: object) -> Facts:
    """Facts with these parts."""
    given = {part: FactPart.of(value) for part, value in parts.items() if part != "now"}
    return Facts(now=NOW, **{"settings": FactPart.of(settings), **given})  # type: ignore[arg-type]


def slurm(settings: Settings, *shown: ShownNode, nodes: tuple[CloudNode, ...] = (), records: object = ()) -> Facts:
    """Slurm with these nodes, the cloud with those."""
    by_name = {each.name: each for each in shown}
    setup = SlurmSetup(settings, {}, {}, by_name, list(by_name))
    return facts(settings, shown=by_name, setup=setup, cloud=CloudFacts(nodes), records=records)


def found(check: str, judged: Facts) -> list[Finding]:
    return list(find(check).occurs(judged))


def texts(check: str, judged: Facts) -> list[str]:
    return [each.text for each in found(check, judged)]


# ---- Slurm as it is now ----------------------------------------------------------------------------------------------


def test_a_drain_of_ours_whose_node_is_gone(settings: Settings) -> None:
    (stuck,) = found("stuck-drains", slurm(settings, drained()))
    assert stuck.text == (
        "c1 is drained with our reason 'Node Manager shutdown (i-1)', for i-1, which is gone from the cloud: no job "
        "starts there"
    )
    assert (stuck.about, stuck.by_itself, stuck.grave) == ("c1", True, True)


INTENT = BootIntent("small", 0.1, "k7", NOW)


@pytest.mark.parametrize(
    ("shown", "nodes", "records"),
    [
        (name(), (), ()),  # not drained
        (drained(reason="disk"), (), ()),  # by somebody else
        (drained(age=60.0), (), ()),  # a boot or a shutdown may be under way
        (drained(reason="Node Manager shutdown (i-1)"), (node(1, name="else"),), ()),  # its node is there
        (drained(2, "Node Manager boot (k7)"), (), (record(2, intent=INTENT),)),  # a boot is noted on it
        (drained(2, "Node Manager shutdown (i-9)"), (node(2),), ()),  # another node has the name
        (name(1, "MIXED", "DRAIN", reason="Node Manager shutdown (i-1)", reason_at=NOW - LONG), (), ()),  # jobs
        (name(1, "IDLE", "DRAIN", reason="Node Manager shutdown (i-1)"), (), ()),  # nobody knows since when
    ],
)
def test_a_drain_that_is_none_of_ours_or_not_stuck(
    settings: Settings, shown: ShownNode, nodes: tuple[CloudNode, ...], records: tuple[NodeRecord, ...]
) -> None:
    assert found("stuck-drains", slurm(settings, shown, nodes=nodes, records=records)) == []


def test_a_closed_name_is_left_to_a_daemon_that_runs(settings: Settings) -> None:
    closed = drained(2, "Node Manager closed: the cloud has no room")
    alone = slurm(settings, closed)
    assert [each.about for each in found("stuck-drains", alone)] == ["c2"]
    assert found("stuck-drains", replace(alone, daemon=FactPart.of(WELL))) == []

    def refuses() -> DaemonFacts:
        raise CannotTell("not allowed")

    assert found("stuck-drains", replace(alone, daemon=FactPart(refuses))) == []


def test_a_drain_under_which_a_strange_machine_answers_is_for_people(settings: Settings) -> None:
    answering = name(1, "IDLE", "DRAIN", reason="Node Manager shutdown (i-1)", reason_at=NOW - LONG)
    (stuck,) = found("stuck-drains", slurm(settings, answering))
    assert stuck.text.endswith("; a machine that is not ours answers under this name")
    assert not stuck.by_itself


class Told(NamesInSlurm):
    """Slurm, which is only told."""

    def __init__(self) -> None:
        super().__init__()
        self.resumed: list[str] = []

    def resume(self, hostname: str) -> None:
        self.resumed.append(hostname)


def test_a_stuck_drain_is_mended_by_a_resume(settings: Settings) -> None:
    told, check = Told(), find("stuck-drains")
    (stuck,) = check.occurs(slurm(settings, drained()))
    assert check.mend is not None
    assert check.mend(stuck, Remedies(told)) == "c1: resumed in Slurm"
    assert told.resumed == ["c1"]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (name(1, "DOWN", reason="disk"), "it is down (disk)"),
        (name(1, "IDLE", "DRAIN", reason="disk"), "it is drained (disk)"),
        (name(1, "IDLE", "FAIL"), "it is down"),
        (name(1, "IDLE", "NOT_RESPONDING"), "its slurmd does not answer"),
        (name(1, "IDLE", partitions=()), "it is in no partition"),
        (name(1, "IDLE"), ""),
        (name(1, "ALLOCATED", "DRAIN", reason="disk"), ""),  # jobs are on it
        (name(1, "IDLE", "DRAIN", reason="Node Manager shutdown (i-1)"), ""),  # it goes
    ],
)
def test_a_node_that_is_paid_for_and_not_used(settings: Settings, shown: ShownNode, why: str) -> None:
    records = (record(1, "i-1"), record(2, "i-2"), record(3))
    told = texts("unused-nodes", slurm(settings, shown, nodes=(node(),), records=records))
    assert told == ([f"c1 (i-1) costs money, but Slurm does not use it: {why}"] if why else [])
    young = slurm(settings, shown, nodes=(node(age=60.0),), records=records)
    assert texts("unused-nodes", young) == []


@pytest.mark.parametrize(
    ("without_jobs", "found_it"), [({"c1": "mixed"}, True), ({"c2": "mixed", "c9": "mixed"}, False), ({}, False)]
)
def test_a_node_of_ours_that_works_for_nobody(settings: Settings, without_jobs: dict[str, str], found_it: bool) -> None:
    judged = slurm(settings, records=(record(1, "i-1"), record(2)))
    told = texts("working-without-jobs", replace(judged, working_without_jobs=FactPart.of(without_jobs)))
    said = "c1 (i-1) is mixed for Slurm, but squeue shows no job on it: it is paid for, and never becomes idle"
    assert told == ([said] if found_it else [])


@pytest.mark.parametrize(
    ("check", "reason", "occurs"),
    [
        ("jobs-held-by-reservations", "Reservation", True),
        ("jobs-held-by-reservations", "ReqNodeNotAvail, Reserved for maintenance", True),
        ("jobs-held-by-reservations", "Licenses", False),
        ("jobs-held-by-licences", "Licenses", True),
        ("jobs-held-by-licences", "Resources", False),
    ],
)
def test_jobs_that_are_held(settings: Settings, check: str, reason: str, occurs: bool) -> None:
    told = texts(check, facts(settings, waiting={"7": reason, "8": reason, "9": "Priority"}))
    assert bool(told) is occurs
    assert all(line.startswith("2 jobs (7, 8) wait for ") and reason in line for line in told)


def test_names_that_nobody_knows(settings: Settings) -> None:
    shown = {f"c{n}": name(n, address=f"c{n}") for n in range(1, 8)} | {"c9": name(9, address="192.0.2.1")}
    setup = SlurmSetup(settings, {}, {}, shown, list(shown))
    asked: list[str] = []

    def resolves(host: str) -> bool:
        asked.append(host)
        return host != "c2"

    (line,) = texts("names-not-in-dns", facts(settings, setup=setup, resolves=resolves))
    assert line.startswith(
        "c2: Slurm looks for these nodes by name, and no such name can be resolved here (checked were"
    )
    assert asked == ["c1", "c2", "c3", "c4", "c5"]  # each may take seconds
    assert texts("names-not-in-dns", facts(settings, setup=setup, resolves=lambda _host: True)) == []


def test_budgets_of_nobody(settings: Settings) -> None:
    assert texts("budgets-of-nobody", facts(settings, unknown_accounts=["no account 'phys'"])) == ["no account 'phys'"]
    assert texts("budgets-of-nobody", facts(settings, unknown_accounts=[])) == []


def test_rights_and_version(settings: Settings) -> None:
    assert texts("rights-in-slurm", facts(settings, rights="no rights")) == ["no rights"]
    assert texts("rights-in-slurm", facts(settings, rights=None)) == []
    assert texts("slurm-not-tried", facts(settings, slurm_version="slurm-wlm 22.05.8")) == []
    (newer,) = texts("slurm-not-tried", facts(settings, slurm_version="slurm 27.11.0"))
    assert newer.startswith("Slurm 27.11 is newer than those that this program was tried with")


# ---- cloud and Arvados -----------------------------------------------------------------------------------------------


def test_orphans_are_told_once_they_are_old(settings: Settings) -> None:
    nodes = (node(1), node(2), node(3, age=60.0), node(4, token="k7"), node(5, start_time=None))
    records = (record(1, "i-1"), record(4, intent=INTENT))
    told = found("orphans", facts(settings, cloud=CloudFacts(nodes), records=records))
    assert [(each.about, each.by_itself) for each in told] == [("i-2", False), ("i-5", False)]
    assert told[0].text.endswith("no node record knows it; it is 2.0 h old")
    assert told[1].text.endswith("it is of unknown age")


def test_the_cloud_refuses(settings: Settings) -> None:
    assert texts("cloud-refuses", facts(settings, cloud_refusal="HTTP 401 (look at key)")) == ["HTTP 401 (look at key)"]
    assert texts("cloud-refuses", facts(settings, cloud_refusal="")) == []


def failing(kind: ErrorKind, hint: str = "[Cloud Create] image") -> Callable[[], str]:
    def lookup() -> str:
        raise RemoteFailure(RemoteError(kind, "no such image", hint=hint))

    return lookup


def test_what_create_names_and_the_cloud_lacks(settings: Settings) -> None:
    lookups = [
        ("image", failing(ErrorKind.REFUSED)),
        ("network", lambda: "net-1"),
        ("key", failing(ErrorKind.REFUSED, "")),
    ]
    (line,) = texts("cloud-options", facts(settings, lookups=lookups))
    assert line == "[Cloud Create] image: no such image (look at [Cloud Create] image)"
    with pytest.raises(CannotTell):
        found("cloud-options", facts(settings, lookups=[("image", failing(ErrorKind.TRANSIENT))]))


@pytest.mark.parametrize(
    ("kind", "price", "words"),
    [
        ("m5.xlarge", "", "price: missing, and libcloud has none for m5.xlarge in us-east-1; $0."),
        ("m5.xlarge", "price = 0.192\n", ""),
        ("m5.large", "", ""),  # whose price is known there
    ],
)
def test_a_price_of_another_region(tmp_path: Path, kind: str, price: str, words: str) -> None:
    path = tmp_path / "ec2.cfg"
    credentials = "key = AKIAIOSFODNN7EXAMPLE\nsecret = abcdefghijklmnop\nregion = us-east-1\n"
    text = FILE.replace("provider = sandbox", "provider = ec2").replace("url = http://127.0.0.1:1\n", credentials)
    path.write_text(text.replace("[Size small]\n", f"[Size {kind}]\n{price}"))
    lines = texts("prices-of-elsewhere", facts(load(str(path))))
    assert len(lines) == bool(words)
    assert all(words in line for line in lines)


def test_types_that_are_not_offered(settings: Settings) -> None:
    offers = (ProviderSize("smaller", "smaller", ram=1000, disk=10, price=0.1),)
    (line,) = texts("types-not-offered", facts(settings, offers=offers))
    assert line.startswith("[Size small] instance_type small: ")
    assert "smaller" in line
    good = (ProviderSize("small", "small", ram=1000, disk=10, price=0.1),)
    assert texts("types-not-offered", facts(settings, offers=good)) == []


@pytest.mark.parametrize(
    ("offset", "words"), [(None, ""), (59.0, ""), (-90.0, "90 s behind"), (3600.0, "3600 s ahead of")]
)
def test_clocks(settings: Settings, offset: float | None, words: str) -> None:
    of_cloud = texts("clock-of-cloud", facts(settings, cloud=CloudFacts((), offset)))
    of_arvados = texts("clock-of-arvados", facts(settings, arvados=ArvadosFacts(clock_offset=offset)))
    expected = [f"the clock of {whose} is {words} this machine's" for whose in ("the cloud", "the API server")]
    assert of_cloud + of_arvados == (expected if words else [])


def test_rights_in_arvados(settings: Settings) -> None:
    assert texts("rights-in-arvados", facts(settings, arvados=ArvadosFacts(user="ann"))) == []
    assert texts("rights-in-arvados", facts(settings, arvados=ArvadosFacts(refusal="HTTP 401"))) == ["HTTP 401"]
    (line,) = texts("rights-in-arvados", facts(settings, arvados=ArvadosFacts(user="ann", is_admin=False)))
    assert line.startswith("[Arvados] token: it belongs to ann, who is not an administrator")


# ---- this machine ----------------------------------------------------------------------------------------------------


def test_the_state_directory(settings: Settings, tmp_path: Path) -> None:
    assert texts("no-state-dir", facts(settings, state_dir=str(tmp_path))) == []
    (none,) = texts("no-state-dir", facts(settings, state_dir=""))
    assert none.startswith("[Daemon] state_dir: not set")
    (absent,) = texts("no-state-dir", facts(settings, state_dir=str(tmp_path / "x")))
    assert absent.endswith("/x is not a directory")


def test_disks_history_and_sizes(settings: Settings) -> None:
    (full,) = texts("disk-full", facts(settings, disks={"/a": 5 << 20, "/b": 5 << 30}))
    assert full.startswith("/a: 5 MB are free")
    broken = HistoryFacts("/a/history.sqlite is no history", "/a/history.sqlite.set-aside")
    assert len(texts("history-unreadable", facts(settings, history=broken))) == 2
    assert texts("history-unreadable", facts(settings, history=HistoryFacts())) == []
    assert texts("sizes-never-tried", facts(settings, proven=frozenset(["small"]))) == []
    (never,) = texts("sizes-never-tried", facts(settings, proven=frozenset()))
    assert never.startswith("[Size small]: no node has come up yet as it is configured now")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda unit: unit, ""),
        (lambda unit: unit + "\n[Service]\nNice=5\n", ""),  # a drop-in of one's own
        (lambda unit: unit.replace("Type=notify", "Type=simple"), "Type=simple, and notify-reload is needed"),
        (lambda unit: unit.replace("Restart=always", "Restart=on-failure"), "Restart=on-failure, and always is needed"),
        (lambda unit: unit + "\n[Service]\nWatchdogSec=60\n", "WatchdogSec=60 should be above 688 s"),
        (
            lambda unit: unit.replace("TimeoutStopSec=90", "TimeoutStopSec=1min"),
            "TimeoutStopSec=1min should be above 60",
        ),
        (lambda unit: unit.replace("RestartPreventExitStatus=2", ""), "RestartPreventExitStatus= lacks 2"),
        (lambda unit: unit.replace("StateDirectory=", "Nothing="), "StateDirectory= is not set"),
        (
            lambda unit: unit.replace("KillMode=control-group", "KillMode=process"),
            "KillMode=process, and control-group",
        ),
    ],
)
def test_the_unit_that_is_installed(settings: Settings, change: Callable[[str], str], words: str) -> None:
    told = texts("unit-file", facts(settings, unit=change(UNIT), patience=PATIENT))
    assert [line.startswith(f"arvados-node-manager.service: {words}") for line in told] == ([True] if words else [])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("1min 30s", 90.0), ("2h", 7200.0), ("infinity", None), ("0", None), ("soon", None)],
)
def test_time_spans_of_systemd(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_a_file_of_secrets_that_all_may_read_is_closed(settings: Settings) -> None:
    path, check = Path(settings.path), find("open-secrets")
    assert list(check.occurs(facts(settings))) == []
    path.chmod(0o644)
    (wide,) = check.occurs(facts(settings))
    assert wide.by_itself
    assert check.mend is not None
    assert check.mend(wide, Remedies(Told())).startswith(f"{path}: now readable only")
    assert path.stat().st_mode & 0o777 == 0o640
    assert not check.still_there(wide, facts(settings))
    with pytest.raises(RemoteFailure):
        check.mend(replace(wide, about="/nowhere"), Remedies(Told()))
    path.unlink()
    with pytest.raises(CannotTell):
        list(check.occurs(facts(settings)))


# ---- the running daemon ----------------------------------------------------------------------------------------------

WELL = DaemonFacts(max_nodes=9, quota=9, slots=9)


@pytest.mark.parametrize(
    ("check", "ill", "words"),
    [
        ("quota-below-max", replace(WELL, quota=4), "the cloud's quota allow 4 nodes, as refusals have shown"),
        ("quota-below-max", replace(WELL, slots=4), "the slots of node records allow 4 nodes"),
        ("daemon-not-well", replace(WELL, wrong=["the cloud list is 900 seconds old"]), "the cloud list is 900"),
        ("reload-refused", replace(WELL, reload_problems=["a.cfg: [Daemon] x"]), "a.cfg: [Daemon] x"),
        ("boots-in-vain", replace(WELL, in_vain={"g1": "Slurm did not use it"}), "group g1: Slurm did not use it"),
        (
            "unknown-cloud-errors",
            replace(WELL, unknown_cloud_errors={"Odd": 1, "Newer": 3}),
            "errors of the cloud are in no table of ours: 'Newer' (3), 'Odd' (1); they are judged",
        ),
    ],
)
def test_what_only_the_daemon_knows(settings: Settings, check: str, ill: DaemonFacts, words: str) -> None:
    assert texts(check, facts(settings, daemon=WELL)) == []
    (line,) = texts(check, facts(settings, daemon=ill))
    assert line.startswith(words)


# ---- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_no_check_is_made_up_of_what_was_not_asked_for(settings: Settings, check: str) -> None:
    """Without facts a check says that there is nothing to be judged, but for those of which the settings are all."""
    try:
        list(find(check).occurs(Facts(settings=FactPart.of(settings))))
    except NotHere:
        return
    assert find(check).area is Area.FILE or check == "open-secrets"


def test_checks_of_a_file_are_made_though_it_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "bad.cfg"
    path.write_text(FILE.replace("max_nodes = 9", "max_nodes = many"))
    file = examine(str(path))
    assert file.settings is not None
    judged = Facts(file=FactPart.of(file), settings=FactPart.of(file.settings))
    lines = [each.text for check in of_area(Area.FILE) for each in check.occurs(judged)]
    assert any("[Daemon] max_nodes: 'many' is not a whole number" in line for line in lines)


def test_a_backup_controller_without_a_manager_that_takes_over(settings: Settings) -> None:
    one, two = {"SlurmctldHost[0]": "head1"}, {"SlurmctldHost[0]": "head1", "SlurmctldHost[1]": "head2(10.0.0.2)"}

    def lines(config: dict[str, str], of: Settings = settings) -> list[str]:
        facts = Facts(settings=FactPart.of(of), setup=FactPart.of(SlurmSetup(of, config, {}, {}, [])))
        return [found.text for found in find("backup-controller").occurs(facts)]

    assert lines(one) == []
    (line,) = lines(two)
    assert "backup controllers (head2(10.0.0.2))" in line
    elected = replace(settings, leader=replace(settings.leader, backend=LeaderBackend.SLURM))
    assert lines(two, elected) == []
