"""A node that no list of the cloud has ever shown, whose name is up in a Slurm that places jobs there."""

from __future__ import annotations

import pytest
from placed_world import DRAINED, GOES, IDLE, LEAVES, MIX, PlacedWorld, intent, name_record, places
from world import HOUR

from arvnodeman.fleet.messages import DestroyNode, DrainNode, LookAtNode, NodeSeen, SetNodeDown
from arvnodeman.fleet.values.model import Directive, ErrorKind
from arvnodeman.fleet.values.work import NodeWork, Power, WorkKind, WorkState

LEAVES_EMPTY = WorkState(WorkKind.DRAINED, "idle!")


def with_lists(world: PlacedWorld, times: int = 1) -> None:
    """So many rounds of lists, the names a little later than the cloud's; what is asked for is not done yet."""
    for _ in range(times):
        world.now += 59
        world.poll_cloud()
        world.now += 1
        world.poll_records()
        world.poll_queue()


def unlisted() -> PlacedWorld:
    """small-1 was booted an hour ago and has registered. No list shows its machine, so its name has the mark of the
    boot and nothing of the machine; the shutdown has begun, and has looked at nothing yet."""
    world = PlacedWorld(places())
    world.machine("small-2", state=MIX)
    world.begin()
    world.place("1", "small-1")
    world.cycle()
    world.obey()
    (made,) = (node for node in world.cloud.values() if node.name == "small-1")
    del world.cloud[made.id]
    world.jobs = ()
    world.word("small-1", Power.ON)
    world.records["small-1"] = name_record("small-1", slot=1, intent=intent("small-1", made.token or ""))
    world.now += HOUR
    with_lists(world, 2)
    return world


def sees(world: PlacedWorld, power: Power, state: WorkState, *, responding: bool = True) -> None:
    """What the look at the name brings."""
    world.done(world.one(LookAtNode), NodeSeen(NodeWork("small-1", state, responding, power=power)))


def test_it_is_powered_down_as_one_that_idles_and_destroyed_when_it_is() -> None:
    """Jobs may come to it at any moment. Row O16."""
    world = unlisted()
    sees(world, Power.ON, IDLE)
    assert world.open(DestroyNode) == []
    world.done(world.one(DrainNode))
    sees(world, Power.LEAVING, LEAVES_EMPTY)
    assert world.open(DestroyNode) == []
    world.wait(1)
    sees(world, Power.GOING, GOES)
    assert world.one(DestroyNode).node.name == "small-1"
    world.settle()
    assert world.told(SetNodeDown) == []
    assert "Size small rests for 1800 seconds" in " ".join(world.log())


def test_a_job_that_has_come_to_it_ends_first() -> None:
    """Row O16."""
    world = unlisted()
    sees(world, Power.ON, IDLE)
    world.done(world.one(DrainNode))
    world.word("small-1", Power.LEAVING, LEAVES)
    world.says_responding("small-1", True)
    for _ in range(5):
        world.settle()
        with_lists(world)
    assert world.destroyed() == []
    world.word("small-1", Power.GOING)
    for _ in range(3):
        world.settle()
        with_lists(world)
    assert len(world.destroyed()) == 1


def test_one_that_an_operator_holds_stays() -> None:
    """Row O16."""
    world = unlisted()
    world.say("small-1", Directive.HOLD, "look")
    for _ in range(3):
        world.settle()
        with_lists(world)
    assert (world.destroyed(), world.drained(), world.told(SetNodeDown)) == ([], [], [])


def test_one_that_somebody_else_has_drained_stays() -> None:
    """Row O16."""
    world = unlisted()
    world.word("small-1", Power.ON, DRAINED, reason="disk")
    for _ in range(3):
        world.settle()
        with_lists(world)
    assert (world.destroyed(), world.drained(), world.told(SetNodeDown)) == ([], [], [])


def test_what_is_powered_down_is_not_destroyed_when_the_lists_have_become_old_meanwhile() -> None:
    """Row O16."""
    world = unlisted()
    world.now += HOUR
    sees(world, Power.GOING, GOES)
    assert world.open(DestroyNode) == []


@pytest.mark.parametrize("fails", [True, False])
def test_one_that_does_not_go_down_is_powered_down_again_when_lists_have_come(*, fails: bool) -> None:
    """Row O16."""
    world = unlisted()
    sees(world, Power.ON, IDLE)
    if fails:
        world.fail(world.one(DrainNode), ErrorKind.TRANSIENT, "no answer")
    else:
        world.done(world.one(DrainNode))
    for _ in range(4):
        world.wait(30)
        for look in world.open(LookAtNode):
            world.done(look, NodeSeen(NodeWork("small-1", IDLE, power=Power.ON)))
    assert world.drained() == ["small-1"]
    with_lists(world, 2)
    world.settle()
    assert world.drained() == ["small-1", "small-1"]
    assert len(world.destroyed()) == 1
