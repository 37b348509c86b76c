"""Nodes that seemed to be gone and turn up, and those that are listed after their destroy (section 7 of the rules)."""

from __future__ import annotations

import pytest
from gone_world import lost, traces_cleared, without
from shutdown_world import failed, going
from world import World, jobs

from arvnodeman.fleet.messages import DestroyNode, DrainNode, LookAtNode, SetNodeDown
from arvnodeman.fleet.values.model import ErrorKind, NodeState


def test_one_that_the_cloud_lists_as_stopped_after_its_destroy_is_the_same_still() -> None:
    """Not a new one, which would be supply for a job, and gone without us once more."""
    world = lost("alloc", pings=True, max_nodes=2)
    world.change_cloud("compute1", stopped=True)
    shown = dict(world.cloud)
    world.cycle(*jobs(1), times=2)
    for _ in range(4):
        world.obey()
        world.cloud = dict(shown)
        world.cycle(*jobs(1))
    assert world.destroyed() == ["i-compute1"]
    assert world.fleet.view.counters["nodes_disappeared"] == 1
    assert world.state() is NodeState.SHUTDOWN
    assert world.reason() == "1 of small wanted, max_nodes of 2 reached with 2 node(s)"


@pytest.mark.parametrize("stopped", [True, False])
def test_nothing_is_done_to_one_that_is_gone_on_old_lists(stopped: bool) -> None:
    """They became old while a request waited: a list that lies must be put right first."""
    world = lost("alloc", responding=False, pings=True)
    if stopped:
        world.change_cloud("compute1", stopped=True)
        world.cycle(times=2)
        world.fail(world.one(DestroyNode), ErrorKind.THROTTLED, retry_after=250)
        world.now += 700
        world.wait(100)
    else:
        world.silent.add("r-compute1")
        without(world, times=2)
        world.obey(DrainNode)
        world.now += 700
        world.obey(LookAtNode)
    assert not [step for step in world.steps if isinstance(step, DestroyNode | SetNodeDown | LookAtNode)]
    if stopped:
        world.cycle()
    else:
        without(world)
    world.wait(20)
    world.obey()
    assert traces_cleared(world)


@pytest.mark.parametrize("listed", [True, False])
def test_down_is_not_said_again_of_one_that_turns_up_while_slurm_was_away(listed: bool) -> None:
    world = lost("alloc", responding=False)
    without(world, times=2)
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(SetNodeDown))
    world.says("compute1", "alloc")
    if listed:
        world.poll_cloud()
    else:
        world.poll_records()
    world.wait(10)
    assert not world.open(SetNodeDown)
    world.obey()
    world.poll_queue()
    assert not traces_cleared(world)
    assert world.state() is NodeState.IDLE


def _destroyed(world: World) -> None:
    """It is destroyed, and DOWN is being said of it; the cloud lists it still."""
    listed = dict(world.cloud)
    world.obey(DrainNode, LookAtNode)
    world.obey(DestroyNode)
    world.cloud = listed


@pytest.mark.parametrize("wanted", [True, False])
def test_one_that_is_listed_for_long_is_in_shutdown_while_that_goes_on(wanted: bool) -> None:
    """Slurm hangs, and DOWN is said for as long as the cloud lists the node: then it is gone, by our own request."""
    world = going(boot_fail_after=300.0) if wanted else failed(boot_fail_after=300.0)
    _destroyed(world)
    world.cycle(times=7)
    assert world.state() is NodeState.SHUTDOWN
    world.fail(world.one(SetNodeDown), retry_after=290)
    without(world, times=3)
    assert "i-compute1" not in world.fleet.view.nodes
    world.wait(290)
    world.obey()
    assert traces_cleared(world)
    assert world.destroyed() == ["i-compute1"]
    assert "nodes_disappeared" not in world.fleet.view.counters


def test_one_that_has_left_the_list_at_last_is_not_called_listed_still() -> None:
    world = going(boot_fail_after=300.0)
    listed = dict(world.cloud)
    world.obey()
    world.cloud = dict(listed)
    world.cycle(times=4)
    world.cloud.clear()
    world.cycle(every=240)
    assert "Cloud node compute1.zzzzz is still listed, long after it was destroyed" not in world.log()
    assert not world.fleet.view.nodes
