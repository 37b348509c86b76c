"""Operations that stand still, and the rows on which they work, cost nothing, and are seen again when they go on.

That nothing else is decided so, tests/properties hold: the second Fleet there looks at all of them each time.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import MINUTE, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    DrainNode,
    PrepareRecord,
    RecordPrepared,
    ReleaseRecord,
)
from arvnodeman.fleet.values.model import Directive, NodeRecord, NodeState, Secret


def going() -> World:
    """Two idle nodes that nobody wants, and Slurm does not answer the drains."""
    world = World(policy())
    world.node("compute1")
    world.node("compute2")
    world.begin()
    world.cycle(times=9)
    assert len(world.open(DrainNode)) == 2
    return world


def quiet(world: World) -> int:
    """How many rows no pass looks at."""
    return world.fleet._state.roster.quiet


def test_a_node_whose_shutdown_waits_for_an_answer_is_quiet() -> None:
    world = going()
    assert quiet(world) == 2
    assert world.state() is NodeState.SHUTDOWN


CHANGES: dict[str, Callable[[World], object]] = {
    "another word": lambda world: world.says("compute1", "drng", reason="disk"),
    "no answer": lambda world: world.says("compute1", "idle", responding=False),
    "another record": lambda world: world.change_record("compute1", slot=7),
    "another entry at the cloud": lambda world: world.change_cloud("compute1", address="10.9.9.9"),
    "an answer": lambda world: world.done(world.open(DrainNode)[0]),
    "a failure": lambda world: world.fail(world.open(DrainNode)[0]),
    "an operator's word": lambda world: world.say("compute1", Directive.HOLD),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_wakes_it(change: str) -> None:
    world = going()
    CHANGES[change](world)
    world.poll_cloud()
    world.poll_records()
    assert quiet(world) == 1


def test_quiet_nodes_that_go_are_taken_back_for_a_job() -> None:
    world = going()
    world.poll_queue(*jobs(1))
    assert not world.prepared()
    assert [line for line in world.log() if "Shutdown cancelled" in line]


def test_an_operation_that_stands_still_is_shown_as_it_was() -> None:
    world = going()
    before = {status.id: status for status in world.fleet.view.operations}
    world.now += MINUTE
    world.poll_cloud()
    after = {status.id: status for status in world.fleet.view.operations}
    assert after.keys() == before.keys()
    assert all(after[number] is before[number] for number in before)


def test_one_that_goes_on_is_shown_as_it_is_now() -> None:
    world = going()
    first = world.open(DrainNode)[0]
    world.fail(first, text="slurmctld does not answer")
    world.poll_cloud()
    shown = {status.id: status.trouble for status in world.fleet.view.operations}
    assert [number for number, trouble in shown.items() if trouble is not None] == [first.op]


def test_a_boot_that_stands_still_is_counted_until_it_goes_on() -> None:
    """One that the cloud was not asked for ends when nobody needs it; one that it was asked for stays."""
    world = World(policy())
    world.begin(*jobs(2))
    first, _ = world.open(PrepareRecord)
    world.done(first, RecordPrepared(NodeRecord(uuid="r-1", hostname="compute1", domain="x"), Secret("s")))
    world.obey(DescribeNode)
    assert [step.op for step in world.open(CreateNode)] == [first.op]
    world.jobs = ()
    world.cycle(times=2)
    world.obey(PrepareRecord, ReleaseRecord)
    world.poll_cloud()
    assert [status.id for status in world.fleet.view.operations] == [first.op]
