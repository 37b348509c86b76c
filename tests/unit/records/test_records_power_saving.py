"""What is said of a Slurm that is to place jobs on names that are off, and when nothing of it may be touched."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.setup import refusals, remarks
from arvnodeman.fleet.values.model import RemoteFailure
from arvnodeman.records import keeper
from arvnodeman.records.advice import PLACING_AGE, Advice
from arvnodeman.records.power_saving import leaves_suspending_to_us, names_of_sizes
from arvnodeman.slurm.errors import ControllerAway
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import ShownNode

FILE = """\
[Arvados]
node_records = slurm-cloud
[Daemon]
dispatcher = slurm
boot_fail_after = 300
[Cloud]
provider = sandbox
shutdown_windows = 0, 1
[Cloud Credentials]
url = http://127.0.0.1:1
[Size small]
cores = 1
[Size big]
cores = 4
"""
CONF = {
    "SLURM_VERSION": "24.11.5",
    "SlurmctldHost[0]": "far-away(10.0.0.1)",
    "ResumeProgram": "/usr/lib/nobody/poke",
    "SuspendProgram": "/usr/lib/nobody/poke",
    "ResumeRate": "0 nodes/min",
    "ResumeTimeout": "600 sec",
    "SuspendTime": "INFINITE",
    "SlurmctldParameters": "power_save_interval=1",
}
PARTS = {"cloud": {"PartitionName": "cloud", "SuspendTime": "315360000", "ResumeTimeout": "GLOBAL"}}
Load = Callable[[str], Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def make(text: str) -> Settings:
        path = tmp_path / "site.cfg"
        path.write_text(text)
        return load(str(path))

    return make


def cloud(name: str, size: str = "small", *flags: str, **more: object) -> ShownNode:
    values: dict[str, object] = {"partitions": ("cloud",), "cpus": "2", "memory": "4000", **more}
    features = frozenset([f"instancetype={size}"])
    return ShownNode(name, "IDLE", frozenset({"CLOUD", "POWERED_DOWN", *flags}), features=features, **values)  # type: ignore[arg-type]


def shown(*more: ShownNode) -> dict[str, ShownNode]:
    nodes = [cloud("s-1"), cloud("s-2"), cloud("b-1", "big", cpus="4"), *more]
    return {node.name: node for node in nodes}


def setup(
    settings: Settings,
    nodes: Mapping[str, ShownNode],
    conf: Mapping[str, str] = CONF,
    parts: Mapping[str, Mapping[str, str]] = PARTS,
    names: tuple[str, ...] = (),
) -> SlurmSetup:
    by_size = names_of_sizes(settings.sizes, nodes, ())
    ours = names or [name for some in by_size.values() for name in some]
    return SlurmSetup(settings, conf, parts, nodes, ours, by_size)


def lines(
    settings: Settings,
    nodes: Mapping[str, ShownNode],
    conf: Mapping[str, str] = CONF,
    parts: Mapping[str, Mapping[str, str]] = PARTS,
) -> list[str]:
    return list(refusals(setup(settings, nodes, conf, parts)))


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in CONF.items() if key != name}


def test_a_good_slurm_gets_no_advice(loaded: Load) -> None:
    assert lines(loaded(FILE), shown()) == []
    assert list(remarks(setup(loaded(FILE), shown()))) == []


def test_names_are_listed_or_carry_their_sizes_feature(loaded: Load) -> None:
    listed = loaded(FILE.replace("cores = 1", "cores = 1\nnode_names = s-2,x-[1-2]"))
    nodes = shown(
        cloud("s-3", partitions=("other",)), ShownNode("u-1", "UNKNOWN", features=frozenset(["instancetype=big"]))
    )
    assert names_of_sizes(listed.sizes, nodes, ()) == {"small": ["s-2", "x-1", "x-2"], "big": ["b-1"]}
    default = loaded(FILE)
    assert names_of_sizes(default.sizes, nodes, ()) == {"small": ["s-1", "s-2", "s-3"], "big": ["b-1"]}
    assert names_of_sizes(default.sizes, nodes, ["other"]) == {"small": ["s-3"], "big": []}


@pytest.mark.parametrize(
    ("conf", "parts", "line"),
    [
        (
            {**CONF, "SLURM_VERSION": "20.11.4"},
            PARTS,
            "its version is 20.11.4: node_records = slurm-cloud needs 24.11, ",
        ),
        (without("SLURM_VERSION"), PARTS, "its version is not known: "),
        (
            {**CONF, "SLURM_VERSION": "22.05.8", "SlurmctldParameters": "cloud_reg_addrs"},
            PARTS,
            "its version is 22.05.8, which starts expensive nodes before cheap ",
        ),
        ({**CONF, "SLURM_VERSION": "24.05.9"}, PARTS, "its version is 24.05.9, which "),
        (without("ResumeProgram"), PARTS, "slurm.conf has no ResumeProgram: "),
        (without("SuspendProgram"), PARTS, "slurm.conf has no SuspendProgram: "),
        (
            CONF,
            {},
            "slurm.conf has SuspendTime=INFINITE, and no SuspendTime for the partition cloud: Slurm would place ",
        ),
        (
            {**CONF, "SuspendTime": "-1"},
            {"cloud": {"SuspendTime": "GLOBAL", "PartitionName": "cloud"}},
            "slurm.conf has SuspendTime=-1, ",
        ),
        (
            CONF,
            {"cloud": {**PARTS["cloud"], "SuspendTime": "300"}},
            "slurm.conf has SuspendTime=300 for the partition ",
        ),
        (
            {**CONF, "SuspendTime": "300 sec"},
            {"cloud": {**PARTS["cloud"], "SuspendTime": "GLOBAL"}},
            "slurm.conf has SuspendTime=300 sec: ",
        ),
        (CONF, {"cloud": {**PARTS["cloud"], "PowerDownOnIdle": "YES"}}, "slurm.conf has PowerDownOnIdle=YES for the "),
        ({**CONF, "ResumeTimeout": "299 sec"}, PARTS, "slurm.conf has ResumeTimeout=299 for the partition cloud: "),
        (
            CONF,
            {"cloud": {**PARTS["cloud"], "ResumeTimeout": "60"}},
            "slurm.conf has ResumeTimeout=60 for the partition ",
        ),
    ],
)
def test_what_slurm_conf_must_say(
    loaded: Load, conf: dict[str, str], parts: dict[str, dict[str, str]], line: str
) -> None:
    (found,) = lines(loaded(FILE), shown(), conf, parts)
    assert found.startswith(line)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("conf", "parts"),
    [
        ({**CONF, "SuspendTime": "315360000 sec"}, {}),
        ({**CONF, "SuspendTime": "2147483647 sec"}, {}),
        ({**CONF, "SuspendTime": "2 sec"}, {"cloud": {"PartitionName": "cloud", "SuspendTime": "INFINITE"}}),
        ({**CONF, "SuspendTime": "2 sec", "SuspendExcNodes": "s-[1-2],b-1"}, {}),
        ({**CONF, "SuspendTime": "2 sec", "SuspendExcParts": "cloud"}, {}),
        ({**CONF, "SuspendTime": "2 sec", "SuspendExcStates": "CLOUD"}, {}),
        ({**CONF, "ResumeTimeout": "300 sec"}, PARTS),
    ],
)
def test_ways_to_leave_the_suspending_to_us(
    loaded: Load, conf: dict[str, str], parts: dict[str, dict[str, str]]
) -> None:
    assert lines(loaded(FILE), shown(), conf, parts) == []
    assert leaves_suspending_to_us(setup(loaded(FILE), shown(), conf, parts))


def test_22_05_will_do_for_one_size(loaded: Load) -> None:
    one = loaded(FILE.replace("[Size big]\ncores = 4\n", ""))
    nodes = {name: node for name, node in shown().items() if name != "b-1"}
    conf = {**CONF, "SLURM_VERSION": "22.05.8", "SlurmctldParameters": "power_save_interval=1,cloud_reg_addrs"}
    assert lines(one, nodes, conf) == []


@pytest.mark.parametrize("version", ["22.05.8", "23.02.7"])
def test_an_older_one_has_to_take_addresses_from_nodes_that_register(loaded: Load, version: str) -> None:
    one = loaded(FILE.replace("[Size big]\ncores = 4\n", ""))
    nodes = {name: node for name, node in shown().items() if name != "b-1"}
    (line,) = lines(one, nodes, {**CONF, "SLURM_VERSION": version})
    assert line.startswith(f"its version is {version}, which does not take the address of a node when it registers: ")
    assert lines(one, nodes, {**CONF, "SLURM_VERSION": "23.11.4"}) == []


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            [cloud("s-3", cpus="8")],
            "[Size small] node_names: s-1 has CPUs=2 RealMemory=4000, s-3 has CPUs=8 RealMemory=4000 ",
        ),
        ([cloud("compute0")], "[Size small] node_names: compute0 is kept for Arvados' dispatcher and never changed; "),
        ([cloud("s-3", memory="8000")], "[Size small] node_names: s-1 has CPUs=2 RealMemory=4000, s-3 has CPUs=2 "),
        (
            [ShownNode("u-1", "UNKNOWN", partitions=("cloud", "x"))],
            "the partition cloud in slurm.conf has names declared ",
        ),
    ],
)
def test_what_names_must_be(loaded: Load, more: list[ShownNode], line: str) -> None:
    (found,) = lines(loaded(FILE), shown(*more))
    assert found.startswith(line)


def test_a_size_without_names_and_names_of_two_sizes_are_named(loaded: Load) -> None:
    nodes = shown()
    del nodes["b-1"]
    assert lines(loaded(FILE), nodes) == [
        "[Size big] node_names: none are listed, and no name declared CLOUD has the feature instancetype=big"
    ]
    absent = loaded(FILE.replace("cores = 4", "cores = 4\nnode_names = x-[1-9]"))
    (line,) = lines(absent, nodes)
    assert line.startswith(
        "[Size big] node_names: it shows none of x-1, x-2, x-3 and 6 more: they are not in slurm.conf"
    )
    both = frozenset(["instancetype=big", "instancetype=small"])
    two = {
        **shown(),
        "s-2": ShownNode(
            "s-2", "IDLE", frozenset({"CLOUD"}), partitions=("cloud",), cpus="4", memory="4000", features=both
        ),
    }
    assert any(
        line.startswith("[Size big] node_names: s-2: of [Size small] as well") for line in lines(loaded(FILE), two)
    )
    plain = {**shown(), "s-2": ShownNode("s-2", "IDLE", partitions=("other",), cpus="2", memory="4000")}
    listed = loaded(FILE.replace("cores = 1", "cores = 1\nnode_names = s-[1-2]"))
    (line,) = lines(listed, plain)
    assert line.startswith("s-2: not declared State=CLOUD in slurm.conf")


def test_ten_thousand_names_of_a_size_are_none_too_many(loaded: Load) -> None:
    settings = loaded(FILE.replace("cores = 1", "cores = 1\nnode_names = s-[1-10000]"))
    nodes = shown(*(cloud(f"s-{number}") for number in range(3, 10_001)))
    assert lines(settings, nodes) == []


def test_programs_are_looked_at_where_slurmctld_runs(loaded: Load, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    good = tmp_path / "good"
    good.write_text("#!/bin/sh\n")
    good.chmod(0o755)
    here = {**CONF, "SlurmctldHost[0]": f"{socket.gethostname()}(127.0.0.1)"}
    conf = {**here, "ResumeProgram": f"{plain} -x", "SuspendProgram": str(tmp_path / "none")}
    assert lines(loaded(FILE), shown(), conf) == [
        f"slurm.conf has ResumeProgram={plain} -x, which is not executable",
        f"slurm.conf has SuspendProgram={tmp_path}/none, which is not there",
    ]
    assert lines(loaded(FILE), shown(), {**here, "ResumeProgram": str(good), "SuspendProgram": str(good)}) == []


@pytest.mark.parametrize(
    ("option", "value", "begin"),
    [
        ("ResumeRate", "300 nodes/min", "slurm.conf has ResumeRate=300: it counts jobs"),
        ("SuspendRate", "60 nodes/min", "slurm.conf has SuspendRate=60: nodes go"),
        ("SlurmctldParameters", "", "slurm.conf has power_save_interval=10: Slurm powers"),
        ("SlurmctldParameters", "power_save_interval=3", "slurm.conf has power_save_interval=3: Slurm powers"),
        ("SlurmctldParameters", "power_save_interval=2", ""),
    ],
)
def test_a_slurm_that_is_slow_with_power_is_a_warning(loaded: Load, option: str, value: str, begin: str) -> None:
    """Each alone: a rate holds names up also where the interval is short."""
    found = list(remarks(setup(loaded(FILE), shown(), {**CONF, option: value})))
    assert [line.startswith(begin) for line in found] == ([True] if begin else [])


def test_a_name_that_slurm_lacks_is_a_warning(loaded: Load) -> None:
    (lacking,) = remarks(setup(loaded(FILE), shown(), names=("s-1", "x-1")))
    assert lacking.startswith("Slurm does not show x-1, ")


class ToldSlurm(NamesInSlurm):
    """Says what it is told to."""

    nodes_told: Mapping[str, ShownNode] = {}
    conf: Mapping[str, str] = CONF
    parts: Mapping[str, Mapping[str, str]] = PARTS
    complaint: str | None = None
    away = False

    def shown(self) -> dict[str, ShownNode]:
        if ToldSlurm.away:
            raise ControllerAway("scontrol", "timed out")
        return dict(ToldSlurm.nodes_told)

    def configuration(self) -> Mapping[str, str]:
        return ToldSlurm.conf

    def partitions(self) -> Mapping[str, Mapping[str, str]]:
        return ToldSlurm.parts

    def check_rights(self) -> str | None:
        return ToldSlurm.complaint


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> type[ToldSlurm]:
    for name, value in (
        ("nodes_told", shown()),
        ("conf", CONF),
        ("parts", PARTS),
        ("complaint", None),
        ("away", False),
    ):
        monkeypatch.setattr(ToldSlurm, name, value)
    monkeypatch.setattr(keeper, "NamesInSlurm", ToldSlurm)
    return ToldSlurm


AUTO = FILE.replace("node_records = slurm-cloud", "node_records = auto")


def test_auto_finds_names_on_which_slurm_places_jobs(
    loaded: Load, slurm: type[ToldSlurm], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not loaded(AUTO).places
    assert keeper.check_keeper(loaded(AUTO)).places
    assert keeper.check_keeper(loaded(AUTO)).policy().places
    assert keeper.check_keeper(loaded(FILE)).places
    unknown = {
        name: ShownNode(name, "UNKNOWN", partitions=("cloud",), features=node.features)
        for name, node in shown().items()
    }
    monkeypatch.setattr(slurm, "nodes_told", unknown)
    monkeypatch.setattr(slurm, "conf", without("SuspendProgram"))
    assert not keeper.check_keeper(loaded(AUTO)).places
    monkeypatch.setattr(slurm, "nodes_told", shown())
    monkeypatch.setattr(slurm, "away", True)
    assert not keeper.check_keeper(loaded(AUTO)).places
    assert keeper.check_keeper(loaded(FILE)).places


@pytest.mark.parametrize("option", ["node_names = s-[1-2]", "job_name_pattern = x"])
def test_auto_takes_an_option_of_the_other_way_for_what_it_says(
    loaded: Load, slurm: type[ToldSlurm], option: str
) -> None:
    with pytest.raises(ConfigError, match="declared State=CLOUD"):
        keeper.check_keeper(loaded(AUTO.replace("dispatcher = slurm", f"dispatcher = slurm\n{option}")))


def test_auto_leaves_nodes_to_a_slurm_that_stops_them_itself(
    loaded: Load, slurm: type[ToldSlurm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "parts", {"cloud": {**PARTS["cloud"], "SuspendTime": "300"}})
    with pytest.raises(ConfigError, match="two masters destroy each other's nodes"):
        keeper.check_keeper(loaded(AUTO))


def test_a_start_is_refused_with_a_line_for_each_reason(
    loaded: Load, slurm: type[ToldSlurm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "conf", {**without("ResumeProgram"), "ResumeTimeout": "60 sec"})
    monkeypatch.setattr(slurm, "complaint", "Slurm does not let this account update nodes")
    with pytest.raises(ConfigError) as refused:
        keeper.check_keeper(loaded(FILE))
    found = [line.partition(": Slurm: ")[2] for line in refused.value.problems]
    assert [line.split(":")[0] for line in found] == [
        "slurm.conf has no ResumeProgram",
        "slurm.conf has ResumeTimeout=60 for the partition cloud",
        "Slurm does not let this account update nodes",
    ]
    alive = {**shown(), "s-1": cloud("s-1", comment="Node Manager node i-1")}
    monkeypatch.setattr(slurm, "nodes_told", alive)
    assert keeper.check_keeper(loaded(FILE)).places  # a node may be alive: the node poll says what is wrong


def test_a_change_under_a_running_daemon_stops_it_until_it_is_mended(
    loaded: Load, slurm: type[ToldSlurm], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, now = loaded(FILE), [0.0]
    advice = Advice(settings, ToldSlurm(), lambda: now[0])
    by_size = names_of_sizes(settings.sizes, shown(), ())
    names = list(shown())
    advice.check(shown(), names, by_size)
    monkeypatch.setattr(slurm, "conf", {**CONF, "ResumeTimeout": "60 sec"})
    now[0] = PLACING_AGE
    with pytest.raises(RemoteFailure, match="ResumeTimeout=60"):
        advice.check(shown(), names, by_size)
    mixed = shown(ShownNode("u-1", "UNKNOWN", partitions=("cloud",)))
    monkeypatch.setattr(slurm, "conf", CONF)
    advice.check(shown(), names, by_size)  # asked again at once
    with pytest.raises(RemoteFailure, match="has names declared CLOUD and others"):
        advice.check(mixed, names, by_size)
