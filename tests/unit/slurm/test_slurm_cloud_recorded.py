"""What Slurm 22.05, 24.11 and 26.05 really said of names that they power up and down, and of jobs there, as we read it.

recorded/cloud-VERSION.txt was written by tests/slurm_cloud_recorder.py, on private Slurms.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.fleet.values.work import OUR_CLOSING, OUR_SHUTDOWN, OurDrain, Power, WorkKind
from arvnodeman.slurm.placed import read_placed
from arvnodeman.slurm.power import work_of
from arvnodeman.slurm.show import ShownNode, parse_nodes

FOLDER = Path(__file__).parent / "recorded"
VERSIONS = ("22.05", "24.11", "26.05")


def said(version: str) -> dict[str, str]:
    """What was recorded: of each part, the answer to its command."""
    found: dict[str, str] = {}
    for part in (FOLDER / f"cloud-{version}.txt").read_text(encoding="utf-8").split("\n== ")[1:]:
        what, _, rest = part.partition("\n")
        found[what] = rest.partition("\n")[2] + "\n"
    return found


def shown(version: str, what: str) -> ShownNode:
    nodes, malformed = parse_nodes(said(version)[what] + "\n")
    assert malformed == []
    (node,) = nodes.values()
    return node


MEANT = {
    "off": (WorkKind.OFF, Power.OFF, False, None),
    "being powered up, with a job": (WorkKind.UNHEARD, Power.STARTING, True, None),
    "being powered up, without a job": (WorkKind.UNHEARD, Power.STARTING, False, None),
    "up, with a job": (WorkKind.WORKING, Power.ON, True, None),
    "up, idle": (WorkKind.FREE, Power.ON, False, None),
    "to go after its job": (WorkKind.DRAINING, Power.LEAVING, True, OUR_SHUTDOWN),
    "to go, idle": (WorkKind.DRAINING, Power.LEAVING, False, OUR_SHUTDOWN),
    "powering down": (WorkKind.DRAINED, Power.GOING, False, OUR_SHUTDOWN),
    "resumed while it powered down": (WorkKind.OFF, Power.OFF, False, None),
    "forced down while it was powered up": (WorkKind.DRAINING, Power.LEAVING, False, OUR_SHUTDOWN),
    "closed while it was off": (WorkKind.DRAINING, Power.LEAVING, False, OUR_CLOSING),
    "drained while it powered down": (WorkKind.DRAINED, Power.GOING, False, OUR_CLOSING),
    "closed for good": (WorkKind.DRAINED, Power.OFF, False, OUR_CLOSING),
    "opened again": (WorkKind.OFF, Power.OFF, False, None),
    "set down while it was off": (WorkKind.DOWN, Power.OFF, False, None),
    "off, under maintenance": (WorkKind.RESERVED, Power.OFF, False, None),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", MEANT)
def test_what_each_state_means(version: str, what: str) -> None:
    work = work_of(shown(version, what))
    kind, power, placed, ours = MEANT[what]
    assert (work.state.kind, work.power, work.placed) == (kind, power, placed)
    assert work.drain == (None if ours is None else OurDrain(ours, "i-1" if ours == OUR_SHUTDOWN else "x"))
    assert work.features == {"instancetype=small"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_shows_what_it_is(version: str) -> None:
    node = shown(version, "up, with a job")
    assert (node.name, node.partitions, node.cpus, node.memory, node.weight) == ("s-1", ("cloud",), "2", "4000", 1)
    assert node.slurmd_started is not None
    assert shown(version, "off").slurmd_started is None


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_have_their_names_and_marks(version: str) -> None:
    jobs, malformed = read_placed(said(version)["a task that is placed, with a mark"])
    assert malformed == []
    (task,) = jobs
    assert (task.id, task.state, task.names, task.batch, task.requeue) == ("1_7", "CONFIGURING", ("s-1",), True, False)
    assert (task.marked, task.placed) == (True, PlacedJob("1_7", requeue_off=True))
    assert task.job.names == ("s-1",)
    waiting, malformed = read_placed(said(version)["jobs that wait beside it"])
    assert malformed == []
    (late,) = (job for job in waiting if job.state == "PENDING")
    assert (late.names, late.reason, late.marked) == ((), "BeginTime", False)
