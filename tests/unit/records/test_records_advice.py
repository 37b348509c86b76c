"""What is said of a Slurm that is not set up for us, and when nothing of it may be touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from arvnodeman.config import Settings, load
from arvnodeman.doctor import setup
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.fleet.values.model import RemoteFailure, SizeSection
from arvnodeman.records.advice import CONFIG_AGE, Advice, held_of
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.show import ShownNode

NAMES = ("cloud1", "cloud2", "cloud3")
SAVING = {"SuspendProgram": "/usr/local/sbin/stop", "SuspendTime": "300 sec"}

FILE = """\
[Daemon]
dispatcher = slurm
[Cloud]
provider = sandbox
shutdown_windows = 0, 1
[Cloud Credentials]
url = http://127.0.0.1:1
[Size small]
cores = 1
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "site.cfg"
    path.write_text(FILE)
    return load(str(path))


Refusals = Callable[..., list[str]]
Warnings = Callable[..., list[str]]


@pytest.fixture
def refusals(settings: Settings) -> Refusals:
    def told(
        config: Mapping[str, str],
        shown: Mapping[str, ShownNode],
        names: Sequence[str],
        partitions: Mapping[str, Mapping[str, str]],
    ) -> list[str]:
        return list(setup.refusals(SlurmSetup(settings, config, partitions, shown, names)))

    return told


@pytest.fixture
def warnings(settings: Settings) -> Warnings:
    def told(
        shown: Mapping[str, ShownNode], names: Sequence[str], sizes: Sequence[SizeSection] | None = None
    ) -> list[str]:
        of = settings if sizes is None else replace(settings, sizes=tuple(sizes))
        return list(setup.remarks(SlurmSetup(of, {}, {}, shown, names, held=held_of(shown, names))))

    return told


def shown(*flags: str, **more: object) -> dict[str, ShownNode]:
    values = {"partitions": ("main",), "address": "10.0.0.1", **more}
    return {name: ShownNode(name, "UNKNOWN", frozenset(flags), **values) for name in NAMES}  # type: ignore[arg-type]


def test_a_good_slurm_gets_no_advice(refusals: Refusals, warnings: Warnings) -> None:
    assert list(refusals({}, shown(), NAMES, {})) == []
    assert list(warnings(shown(), NAMES)) == []


@pytest.mark.parametrize(
    ("config", "covered"),
    [
        ({**SAVING}, "cloud1, cloud2, cloud3"),
        ({**SAVING, "SuspendExcNodes": "cloud[1-2]"}, "cloud3"),
        ({**SAVING, "SuspendExcNodes": "login1,cloud[1-2],cloud3"}, ""),
        ({**SAVING, "SuspendExcNodes": "cloud[1-3]:2"}, "cloud1, cloud2, cloud3"),  # keeps any two of them
        ({**SAVING, "SuspendExcParts": "other,main"}, ""),
        ({**SAVING, "SuspendTime": "NONE"}, ""),
        ({**SAVING, "SuspendTime": "INFINITE"}, ""),
        ({**SAVING, "SuspendTime": "-1"}, ""),
        ({"SuspendTime": "300 sec"}, ""),
    ],
)
def test_slurms_own_power_saving_over_our_names_is_refused(
    refusals: Refusals, config: dict[str, str], covered: str
) -> None:
    found = list(refusals(config, shown(), NAMES, {}))
    if not covered:
        assert found == []
        return
    (line,) = found
    for word in ("SuspendProgram=/usr/local/sbin/stop", "SuspendTime=300 sec", f"stops {covered}, which"):
        assert word in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("everywhere", "main", "other", "why"),
    [
        ("INFINITE", "10", "GLOBAL", "SuspendTime=10 for the partition main"),
        ("INFINITE", "GLOBAL", "10", "SuspendTime=10 for the partition other"),
        ("INFINITE", "GLOBAL", "GLOBAL", ""),
        ("300 sec", "GLOBAL", "GLOBAL", "SuspendTime=300 sec"),
        ("300 sec", "INFINITE", "GLOBAL", ""),
        ("INFINITE", "10", "INFINITE", ""),
    ],
)
def test_a_suspend_time_of_a_partition_alone_is_seen(
    refusals: Refusals, everywhere: str, main: str, other: str, why: str
) -> None:
    """It counts before the cluster's; of several the longest does."""
    two = {name: {"PartitionName": name, "SuspendTime": time} for name, time in (("main", main), ("other", other))}
    config = {**SAVING, "SuspendTime": everywhere}
    found = list(refusals(config, shown(partitions=("main", "other")), NAMES, two))
    assert [line.partition(", and so")[0].partition(" and ")[2] for line in found] == ([why] if why else [])
    if why.endswith("main"):
        assert not list(refusals(config, shown(partitions=("other",)), NAMES, two))
        assert not list(refusals({**config, "SuspendExcParts": "main"}, shown(partitions=("main",)), NAMES, two))
        assert not list(refusals({"SuspendTime": everywhere}, shown(partitions=("main",)), NAMES, two))


def test_a_partition_that_stops_what_idles_is_seen(refusals: Refusals) -> None:
    two = {"main": {"PartitionName": "main", "SuspendTime": "GLOBAL", "PowerDownOnIdle": "YES"}}
    (line,) = refusals({**SAVING, "SuspendTime": "INFINITE"}, shown(), NAMES, two)
    assert "PowerDownOnIdle=YES for the partition main" in line


def test_names_declared_cloud_are_refused_with_the_reason(refusals: Refusals) -> None:
    (line,) = refusals({}, shown("CLOUD", "POWERED_DOWN"), NAMES, {})
    assert line.startswith("cloud1, cloud2, cloud3: declared State=CLOUD in slurm.conf")
    assert "UNKNOWN" in line


def test_a_slurm_that_knows_none_of_the_names_is_refused(refusals: Refusals) -> None:
    (line,) = refusals({}, shown(), ("node1", "node2"), {})
    assert "none of the names" in line
    assert "node1, node2" in line


def test_names_that_slurm_does_not_show_are_named_and_no_more_than_a_few(warnings: Warnings) -> None:
    names = (*NAMES, *(f"cloud{number}" for number in range(4, 20)))
    (line,) = warnings(shown(), names)
    assert "cloud4, cloud5, cloud6, cloud7, cloud8 and 11 more, which should be ours" in line


def test_names_that_seem_declared_down_are_named(warnings: Warnings) -> None:
    down = {name: ShownNode(name, "DOWN", frozenset(["NOT_RESPONDING"])) for name in NAMES}
    (line,) = warnings(down, NAMES)
    assert "State=DOWN" in line
    assert "State=UNKNOWN" in line


def test_two_names_at_one_address_are_named(warnings: Warnings) -> None:
    mark = "Node Manager node i-1"
    (line,) = warnings(shown(comment=mark, port="6818"), NAMES)
    assert "one address, 10.0.0.1" in line
    ports = {
        name: ShownNode(name, "IDLE", address="127.0.0.1", port=f"{n}", comment=mark) for n, name in enumerate(NAMES)
    }
    assert list(warnings(ports, NAMES)) == []
    assert list(warnings(shown(comment=mark, address="192.0.2.1"), NAMES)) == []  # slurmctld has lost where they are
    booting = "Node Manager booting k7 small 0.1 1700000000.0"
    assert list(warnings(shown(comment=booting), NAMES)) == []


@pytest.mark.parametrize(
    ("partitions", "bound", "warned"),
    [
        ((("main",), ("main",)), (), False),
        ((("main", "gpu"), ("gpu", "main")), (), False),
        ((("main",), ("gpu",)), (), True),
        ((("main",), ("gpu",)), ("gpu",), False),
    ],
)
def test_names_of_different_partitions_need_sizes_bound_to_them(
    warnings: Warnings, partitions: tuple[tuple[str, ...], ...], bound: tuple[str, ...], warned: bool
) -> None:
    nodes = {f"n{i}": ShownNode(f"n{i}", "UNKNOWN", partitions=each) for i, each in enumerate(partitions)}
    size = SizeSection("small", cores=1, instance_type="small", partitions=bound)
    found = list(warnings(nodes, list(nodes), [size]))
    assert bool(found) is warned
    assert not warned or "[Size small]" in found[0]


class Conf(NamesInSlurm):
    """A Slurm of which only slurm.conf is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.asked = 0

    def configuration(self) -> Mapping[str, str]:
        self.asked += 1
        return self.values

    def partitions(self) -> Mapping[str, Mapping[str, str]]:
        return {}


def test_slurm_conf_is_asked_for_again_by_and_by_and_at_once_after_a_refusal(settings: Settings) -> None:
    now, slurm = [0.0], Conf()
    advice = Advice(settings, slurm, lambda: now[0])
    for _ in range(3):
        advice.check(shown(), NAMES)
    assert slurm.asked == 1
    slurm.values = SAVING
    advice.check(shown(), NAMES)
    now[0] += CONFIG_AGE
    for number in (2, 3):
        with pytest.raises(RemoteFailure, match="two masters destroy each other's nodes"):
            advice.check(shown(), NAMES)
        assert slurm.asked == number
    slurm.values = {}
    advice.check(shown(), NAMES)
    advice.check(shown(), NAMES)
    assert slurm.asked == 4
    with pytest.raises(RemoteFailure, match="declared State=CLOUD"):
        advice.check(shown("CLOUD"), NAMES)


def test_names_that_are_gone_are_named_once_also_where_slurm_conf_alone_says_which_are_ours(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    advice = Advice(settings, Conf())
    advice.check(shown(), NAMES)
    fewer = {name: node for name, node in shown().items() if name != "cloud2"}
    for _ in range(3):
        advice.check(fewer, tuple(fewer))
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "Slurm does not show cloud2, which should be ours: they are not in slurm.conf"
    )
    with pytest.raises(RemoteFailure, match="it shows none of the names that are ours"):
        advice.check({}, ())
