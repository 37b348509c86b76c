"""Mistakes in the configuration file: every one named in one clear line, each naming file, section and option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arvnodeman.config import ConfigError, Settings, load

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


def problems_of(path: Path, text: str) -> list[str]:
    """The problems that loading the text raises, without the file's name."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load(str(path))
    prefix = f"{path}: "
    assert all(problem.startswith(prefix) and "\n" not in problem for problem in raised.value.problems)
    return [problem.removeprefix(prefix) for problem in raised.value.problems]


def with_option(section: str, line: str) -> str:
    """GOOD with one line added to a section, which is made when it is not there."""
    header = f"[{section}]\n"
    if header in GOOD:
        name = line.partition("=")[0].strip()
        kept = [each for each in GOOD.splitlines(keepends=True) if not each.startswith(f"{name} =")]
        return "".join(kept).replace(header, f"{header}{line}\n")
    return f"{GOOD}\n{header}{line}\n"


BAD_VALUES = [
    ("Manage", "port = 65536", "[Manage] port: '65536' is too large; allowed: a whole number, at most 65535"),
    ("Manage", "port = http", "[Manage] port: 'http' is not a whole number; allowed: a whole number, at most 65535"),
    ("Manage", "address =", "[Manage] address: is empty; allowed: text"),
    ("Daemon", "dispatcher = pbs", "[Daemon] dispatcher: 'pbs' is unknown; allowed: empty or slurm"),
    (
        "Daemon",
        "max_nodes = many",
        "[Daemon] max_nodes: 'many' is not a whole number; allowed: a whole number, at least 0",
    ),
    (
        "Daemon",
        "max_nodes = 1.5",
        "[Daemon] max_nodes: '1.5' is not a whole number; allowed: a whole number, at least 0",
    ),
    (
        "Daemon",
        "max_nodes = 1_0",
        "[Daemon] max_nodes: '1_0' is not a whole number; allowed: a whole number, at least 0",
    ),
    ("Daemon", "max_nodes = -1", "[Daemon] max_nodes: '-1' is too small; allowed: a whole number, at least 0"),
    ("Daemon", "max_nodes =", "[Daemon] max_nodes: is empty; allowed: a whole number, at least 0"),
    ("Daemon", "min_nodes = 2", "[Daemon] min_nodes: 2 is above max_nodes, 1; allowed: 0 to 1"),
    (
        "Daemon",
        "max_total_price = nan",
        "[Daemon] max_total_price: 'nan' is not a finite number; allowed: a number, at least 0",
    ),
    ("Daemon", "max_total_price = -2", "[Daemon] max_total_price: '-2' is too small; allowed: a number, at least 0"),
    ("Daemon", "poll_time = 0", "[Daemon] poll_time: '0' is too small; allowed: a number, above 0"),
    ("Daemon", "poll_time = inf", "[Daemon] poll_time: 'inf' is not a finite number; allowed: a number, above 0"),
    ("Daemon", "poll_time = 1e999", "[Daemon] poll_time: '1e999' is not a finite number; allowed: a number, above 0"),
    ("Daemon", "poll_time = 6_0", "[Daemon] poll_time: '6_0' is not a finite number; allowed: a number, above 0"),
    (
        "Daemon",
        "max_price_factor = 0.5",
        "[Daemon] max_price_factor: '0.5' is too small; allowed: a number, at least 1",
    ),
    ("Daemon", "keep_drained = maybe", "[Daemon] keep_drained: 'maybe' is neither yes nor no; allowed: yes or no"),
    ("Daemon", "state_dir = here", "[Daemon] state_dir: 'here' does not begin with /; allowed: an absolute path"),
    (
        "Daemon",
        "poll_time = 60\n  max_nodes = 4",
        "[Daemon] poll_time: has more than one line (an indented line belongs to the option above it); "
        "allowed: a number, above 0",
    ),
    ("Daemon", "max_nodes = 5%", "[Daemon] max_nodes: holds a single %; a percent sign is written %%"),
    (
        "Logging",
        "level = LOUD",
        "[Logging] level: 'LOUD' is unknown; allowed: CRITICAL, ERROR, WARNING, INFO, DEBUG or NOTSET",
    ),
    (
        "Logging",
        "pykka = DEBGU",
        "[Logging] pykka: 'DEBGU' is unknown (like 'DEBUG'?); allowed: CRITICAL, ERROR, WARNING, INFO, DEBUG or NOTSET",
    ),
    (
        "Arvados",
        "host = https://zyxwv.example.com/",
        "[Arvados] host: 'https://zyxwv.example.com/' is not the name of a host; allowed: HOST or HOST:PORT; https "
        "unless it begins with http://",
    ),
    (
        "Arvados",
        "host = zyxwv:99999",
        "[Arvados] host: 'zyxwv:99999' has no port from 1 to 65535; allowed: HOST or HOST:PORT; https unless it "
        "begins with http://",
    ),
    ("Arvados", "timeout = 0", "[Arvados] timeout: '0' is too small; allowed: a number, above 0"),
    ("Arvados", "jobs_queue = perhaps", "[Arvados] jobs_queue: 'perhaps' is neither yes nor no; allowed: yes or no"),
    (
        "Cloud",
        "provider = aws",
        "[Cloud] provider: 'aws' is unknown (like 'ec2'?); allowed: sandbox, dummy, ec2, gce, azure or openstack",
    ),
    (
        "Cloud",
        "driver_class = Driver",
        "[Cloud] driver_class: 'Driver' is not a dotted path; allowed: a dotted path, package.module.Class",
    ),
    ("Size small", "cores = 0", "[Size small] cores: '0' is too small; allowed: a whole number, at least 1"),
    ("Size small", "cores =", "[Size small] cores: missing; required: a whole number, at least 1"),
    ("Size big", "price = 1", "[Size big] cores: missing; required: a whole number, at least 1"),
    ("Size small", "price = 0", "[Size small] price: '0' is too small; allowed: a number, above 0"),
    ("Size small", "price = -0.1", "[Size small] price: '-0.1' is too small; allowed: a number, above 0"),
    ("Size small", "price = NaN", "[Size small] price: 'NaN' is not a finite number; allowed: a number, above 0"),
    ("Size small", "price = cheap", "[Size small] price: 'cheap' is not a finite number; allowed: a number, above 0"),
    ("Size small", "cores = 2%", "[Size small] cores: holds a single %; a percent sign is written %%"),
    ("Size small", "instance_type = 2%", "[Size small] instance_type: holds a single %; a percent sign is written %%"),
    ("Size small", "ram = -1", "[Size small] ram: '-1' is too small; allowed: a number, at least 0"),
    ("Size ", "cores = 1", "[Size ]: a size needs a name: [Size NAME]"),
    ("Size  small", "cores = 1", "[Size  small]: there is another section of this name"),
]


@pytest.mark.parametrize(("section", "line", "problem"), BAD_VALUES, ids=[f"{a}-{b}" for a, b, _ in BAD_VALUES])
def test_bad_value_gets_one_line_on_what_is_wrong_and_what_is_allowed(
    path: Path, section: str, line: str, problem: str
) -> None:
    assert problems_of(path, with_option(section, line)) == [problem]


@pytest.mark.parametrize(
    ("windows", "wrong"),
    [
        ("54", "is a single number: there must be a closed and an open time"),
        ("54, soon", "'soon' is not a finite number"),
        ("54, nan", "'nan' is not a finite number"),
        ("54, -5, 1", "'54, -5, 1' has a negative number"),
        ("54, 5,", "'' is not a finite number"),
        ("0, 0", "is nothing but zeros"),
    ],
)
def test_bad_shutdown_windows(path: Path, windows: str, wrong: str) -> None:
    allowed = "at least two numbers separated by commas, none negative, not all 0"
    text = with_option("Cloud", f"shutdown_windows = {windows}")
    assert problems_of(path, text) == [f"[Cloud] shutdown_windows: {wrong}; allowed: {allowed}"]


def test_all_mistakes_are_named_at_once(path: Path) -> None:
    text = """\
[Daemon]
max_nodes = many
max_nodes = 2
poll_time = 5%
stray
[Arvados]
host = zyxwv.example.com
[Cloud]
provider = aws
"""
    assert problems_of(path, text) == [
        "[Daemon] max_nodes: there a second time in line 3",
        "line 5: neither [Section] nor option = value",
        "[Daemon] poll_time: holds a single %; a percent sign is written %%",
        "[Cloud] provider: 'aws' is unknown (like 'ec2'?); allowed: sandbox, dummy, ec2, gce, azure or openstack",
        "[Cloud] shutdown_windows: missing; required: at least two numbers separated by commas, none negative, not "
        "all 0",
        "there is no [Size NAME] section; at least one is required",
        "[Arvados] token: missing; required with host: one word, kept secret",
    ]


def test_long_bad_value_is_cut_in_the_line(path: Path) -> None:
    (problem,) = problems_of(path, with_option("Daemon", f"max_nodes = {'x' * 10_000}"))
    assert len(problem) < 200


def test_numbers_of_any_length_do_no_harm(path: Path) -> None:
    (problem,) = problems_of(path, with_option("Daemon", f"max_nodes = {'9' * 5000}"))
    assert "is not a whole number" in problem


@pytest.mark.parametrize("provider", ["sandbox", "ec2", "gce", "azure", "openstack"])
def test_ping_host_is_required_with_every_real_cloud(path: Path, provider: str) -> None:
    text = GOOD.replace("provider = sandbox", f"provider = {provider}").replace("ping_host", "#")
    assert any(
        problem.startswith("[Cloud Create] ping_host: missing; required with") for problem in problems_of(path, text)
    )


def test_azure_needs_its_resource_group_and_class_tag(path: Path) -> None:
    problems = problems_of(path, GOOD.replace("provider = sandbox", "provider = azure"))
    assert problems == [
        "[Cloud List] ex_resource_group: missing; required with azure: text",
        "[Cloud Create] tag_arvados-class: missing; required with azure: text",
    ]


def test_preemptible_is_refused_where_the_driver_has_no_such_nodes(path: Path) -> None:
    text = f"{GOOD}preemptible = yes\n".replace("provider = sandbox", "provider = openstack")
    wrong = "[Size small] preemptible: the openstack driver has no such nodes; allowed: no"
    assert problems_of(path, text) == [wrong]


def test_size_name_that_slurm_cannot_hold_is_refused_only_with_slurm(path: Path, loaded: Loader) -> None:
    text = GOOD.replace("[Size small]", "[Size very small]")
    assert loaded(text).sizes[0].id == "very small"
    (problem,) = problems_of(path, f"{text}\n[Daemon]\ndispatcher = slurm\n")
    assert problem.startswith("[Size very small]: cannot be a feature of Slurm nodes; allowed: no blanks")


def test_required_option_with_a_lone_percent_sign_is_not_called_missing_too(path: Path) -> None:
    text = with_option("Arvados", "token = 5%")
    assert problems_of(path, text) == ["[Arvados] token: holds a single %; a percent sign is written %%"]
    text = with_option("Cloud Create", "ping_host = 5%")
    assert problems_of(path, text) == ["[Cloud Create] ping_host: holds a single %; a percent sign is written %%"]


def test_secrets_are_in_no_error_and_no_repr(path: Path, loaded: Loader) -> None:
    text = with_option("Arvados", "token = hush hush") + (
        "[Manage]\nManagementToken = hüsh\n[Cloud Credentials]\ntimeout = hush\nkey = hush % hush\n"
    )
    problems = problems_of(path, text)
    assert len(problems) == 4
    assert not any("hush" in problem or "hüsh" in problem for problem in problems)
    assert "the value (not shown)" in " ".join(problems)
    text = with_option("Arvados", "token = hushhush") + (
        "[Manage]\nManagementToken = hushhush\n[Cloud Credentials]\nkey = hushhush\nproject = hushhush\n"
    )
    settings = loaded(text)
    assert settings.arvados.token.reveal() == settings.cloud.credentials["project"].reveal() == "hushhush"
    assert "hush" not in repr(settings)


def test_secret_before_the_first_section_or_on_a_stray_line_is_not_quoted(path: Path) -> None:
    problems = problems_of(path, f"token = hush\n{GOOD}\nhush\n")
    assert problems == ["line 1: stands before the first [Section]", "line 16: neither [Section] nor option = value"]


@pytest.mark.parametrize(
    ("section", "line", "warning"),
    [
        ("Daemon", "max_node = 4", "[Daemon] max_node: unknown option; the nearest known one is max_nodes"),
        ("Daemon", "host = x", "[Daemon] host: unknown option; the nearest known one is host in [Arvados]"),
        (
            "Manage",
            "managment_token = x",
            "[Manage] managment_token: unknown option; the nearest known one is ManagementToken",
        ),
        ("Size small", "prise = 2", "[Size small] prise: unknown option; the nearest known one is price"),
        ("Deamon", "x = 4", "[Deamon]: unknown section; the nearest known one is [Daemon]"),
        ("daemon", "x = 4", "[daemon]: unknown section; the nearest known one is [Daemon]"),
        ("Manager", "x = 4", "[Manager]: unknown section; the nearest known one is [Manage]"),
        ("DEFAULT", "x = 4", "[DEFAULT]: unknown section; the nearest known one is [Leader]"),
    ],
)
def test_unknown_name_is_a_warning_with_the_nearest_known_one(
    path: Path, loaded: Loader, section: str, line: str, warning: str
) -> None:
    """Row J2 among them: the section of the management server is [Manage]."""
    assert loaded(with_option(section, line)).warnings == (f"{path}: {warning}",)


def test_a_slip_that_takes_a_limit_away_says_so(path: Path, loaded: Loader) -> None:
    (warning,) = loaded(with_option("Daemon", "max_total_prize = 20")).warnings
    assert warning.endswith("the nearest known one is max_total_price, which the file does not set: there is NO LIMIT")
    (warning,) = loaded(with_option("Daemon", "max_total_prize = 20\nmax_total_price = 30")).warnings
    assert "NO LIMIT" not in warning


def test_warnings_come_with_the_errors(path: Path) -> None:
    path.write_text(with_option("Size small", "core = 2").replace("cores = 2", ""), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load(str(path))
    assert [len(raised.value.problems), len(raised.value.warnings)] == [1, 1]


def test_bad_json_for_the_cloud_that_takes_it(path: Path) -> None:
    text = GOOD.replace("sandbox", "gce").replace("[Cloud Create]", "[Cloud Create]\nservice_accounts = [{")
    assert problems_of(path, text) == ["[Cloud Create] service_accounts: '[{' is not JSON; allowed: JSON"]


def test_gres_that_is_none_is_one_line_for_each_mistake(path: Path, loaded: Loader) -> None:
    allowed = "allowed: NAME:COUNT or NAME:TYPE:COUNT, several separated by commas"
    wrong = "is not NAME, NAME:COUNT or NAME:TYPE:COUNT"
    text = with_option("Size small", "gres = gpu:1, 4, gpu::2, gres:gpu:1, gpu:3, fpga:0, a b, x:-1,")
    assert problems_of(path, text) == [
        f"[Size small] gres: {mistake}; {allowed}"
        for mistake in (
            f"'4' {wrong}",
            f"'gpu::2' {wrong}",
            f"'gres:gpu:1' {wrong}",
            "'gpu:3' occurs twice",
            "'fpga:0' offers nothing",
            f"'a b' {wrong}",
            f"'x:-1' {wrong}",
            f"'' {wrong}",
        )
    ]
    text = with_option("Size small", "gres = gpu:tesla:2, license:4k,gpu:1g.5gb:7, fpga")
    assert loaded(text).sizes[0].gres == (("fpga", 1), ("gpu:1g.5gb", 7), ("gpu:tesla", 2), ("license", 4096))
    assert loaded(with_option("Size small", "gres =")).sizes[0].gres == ()


def test_partitions_are_names(path: Path, loaded: Loader) -> None:
    assert loaded(with_option("Size small", "partitions = gpu, debug,gpu")).sizes[0].partitions == ("gpu", "debug")
    assert loaded(with_option("Size small", "partitions =")).sizes[0].partitions == ()
    assert problems_of(path, with_option("Size small", "partitions = gpu debug, x")) == [
        "[Size small] partitions: 'gpu debug' in 'gpu debug, x' is not a name; allowed: names separated by commas"
    ]


@pytest.mark.parametrize(("records", "needed"), [("auto", True), ("arvados", True), ("slurm", False)])
def test_a_ping_host_is_needed_only_where_nodes_ping(path: Path, records: str, needed: bool) -> None:
    text = GOOD.replace("provider = sandbox", "provider = ec2") + "[Daemon]\ndispatcher = slurm\n"
    text = text.replace("[Arvados]\n", f"[Arvados]\nnode_records = {records}\n")
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("ping_host"))
    try:
        problems = problems_of(path, text)
    except pytest.fail.Exception:
        problems = []
    assert any("ping_host: missing" in problem for problem in problems) is needed


PLACES = """\
[Arvados]
node_records = slurm-cloud
[Daemon]
dispatcher = slurm
[Cloud]
provider = sandbox
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
[Size big]
cores = 4
"""


def test_where_slurm_places_jobs_names_belong_to_sizes(loaded: Loader) -> None:
    many = PLACES.replace("cores = 2", "cores = 2\nnode_names = s-[1-10000]")
    settings = loaded(many)
    assert [size.node_names for size in settings.sizes] == ["s-[1-10000]", ""]
    policy = settings.policy()
    assert (policy.places, policy.slurm, policy.asks_scheduler) == (True, True, True)
    without = many.replace("node_records = slurm-cloud", "node_records = auto")
    assert not loaded(without).policy().places  # Slurm is asked for it at the start
    assert loaded(without).sizes[0].node_names == "s-[1-10000]"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("dispatcher = slurm", "", "[Arvados] node_records: slurm-cloud needs [Daemon] dispatcher = slurm; allowed: "),
        (
            "dispatcher = slurm",
            "dispatcher = slurm\nnode_names = a[1-3]",
            "[Daemon] node_names: with node_records = slurm-cloud each size has names of its own, [Size NAME] ",
        ),
        (
            "dispatcher = slurm",
            "dispatcher = slurm\njob_name_pattern = x",
            "[Daemon] job_name_pattern: with node_records = slurm-cloud every job that Slurm places on a name counts; ",
        ),
        (
            "[Arvados]\n",
            "[Arvados]\nhost = zyxwv.example.com\ntoken = s3same\n",
            "[Arvados] host: with node_records = slurm-cloud Slurm is alone; allowed: nothing",
        ),
        (
            "[Arvados]\n",
            "[Arvados]\nslurm_queue = no\n",
            "[Arvados] slurm_queue: with node_records = slurm-cloud Slurm's jobs are read; allowed: yes",
        ),
        (
            "cores = 4",
            "cores = 4\nnode_names = s-[1..3]",
            "[Size big] node_names: 's-[1..3]' is not a list of node names",
        ),
        (
            "[Arvados]\nnode_records = slurm-cloud",
            "[Cloud Create]\nping_host = localhost\n"
            "[Arvados]\nhost = zyxwv.example.com\ntoken = s3same\nnode_records = arvados",
            "[Size small] node_names: goes with [Arvados] node_records = slurm or slurm-cloud; allowed: nothing",
        ),
        (
            "cores = 4",
            "cores = 4\nnode_names = b-1,s-[2-9]",
            "[Size big] node_names: s-2, s-3, s-4 and 5 more belong to [Size small]; allowed: names of no other size",
        ),
        ("cores = 4", "cores = 4\nnode_names = s-9", "[Size big] node_names: s-9 belongs to [Size small]; allowed: "),
    ],
)
def test_what_does_not_go_with_names_of_sizes(path: Path, old: str, new: str, line: str) -> None:
    text = PLACES.replace("cores = 2", "cores = 2\nnode_names = s-[1-9]").replace(old, new, 1)
    (problem,) = problems_of(path, text)
    assert problem.startswith(line)
