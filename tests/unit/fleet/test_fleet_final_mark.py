"""A destroy that something on the way to the cloud holds up: it may arrive after this manager has ended. So the node is
marked in Slurm just before, and nobody gives a node with that mark to jobs again.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from shutdown_world import MARK, SHUTDOWN, going, kinds, looks
from world import HELD, World, jobs

from arvnodeman.fleet.messages import DestroyNode, DrainNode, LookAtNode, NodeSeen, ResumeNode, SetWord
from arvnodeman.fleet.values.model import Directive, ErrorKind, Job, NodeState
from arvnodeman.slurm.words import node_work


def under_way(**options: object) -> World:
    """The destroy of an idle node has been sent, and nobody knows where it is."""
    world = going(**options)
    world.obey(DrainNode, LookAtNode)
    world.one(DestroyNode)
    return world


def resumed(world: World) -> list[str]:
    """The hostnames of all resumes so far."""
    return [step.hostname for step in world.asked if isinstance(step, ResumeNode)]


def all_but_the_cloud(world: World, *waiting: Job, cycles: int = 6) -> None:
    """Time goes on, Slurm does all that it is asked for, and no destroy arrives."""
    for _ in range(cycles):
        world.cycle(*waiting)
        world.obey(DrainNode, LookAtNode, ResumeNode)


# ---- the next manager ------------------------------------------------------------------------------------------------


def wanted(world: World) -> None:
    world.begin(*jobs(1))
    all_but_the_cloud(world, *jobs(1))


def held(world: World) -> None:
    world.change_cloud("compute1", directive=HELD)
    world.begin(*jobs(1))
    all_but_the_cloud(world, *jobs(1))


def told_to_run(world: World) -> None:
    world.begin(*jobs(1))
    world.say("compute1", Directive.DRAIN)
    world.say("compute1", Directive.RUN)
    all_but_the_cloud(world, *jobs(1))


def held_by_word(world: World) -> None:
    world.begin(*jobs(1))
    world.say("compute1", Directive.HOLD)
    all_but_the_cloud(world, *jobs(1))


@pytest.mark.parametrize("then", [wanted, held, told_to_run, held_by_word])
def test_the_next_manager_never_gives_it_to_jobs(then: Callable[[World], None]) -> None:
    """What was sent may arrive at any time: a job that begins there would be ended by us."""
    world = under_way()
    world.restart()
    then(world)
    assert not resumed(world)
    assert world.slurm is not None
    assert world.slurm["compute1"].state.drained


def test_the_next_manager_destroys_it_again_until_no_list_shows_it() -> None:
    """Also while a job could use it, and without a mark of its own."""
    world = under_way()
    world.restart()
    world.begin(*jobs(1))
    all_but_the_cloud(world, *jobs(1))
    assert world.one(DestroyNode).node.id == "i-compute1"
    assert [step.reason for step in world.asked if isinstance(step, DrainNode)] == [SHUTDOWN, MARK]
    world.obey(DestroyNode)
    world.cycle()
    assert "i-compute1" not in world.fleet.view.nodes


def test_work_that_began_before_the_mark_ends_before_the_destroy() -> None:
    """An operator had resumed it between the look and the mark."""
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    assert world.one(DrainNode).reason == MARK
    world.obey(DrainNode)
    for _ in range(3):
        world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drng", reason=MARK), 1))
        world.wait(10)
    assert not world.destroyed()
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drain", reason=MARK), 0))
    assert world.destroyed() == ["i-compute1"]


def test_nothing_is_destroyed_while_the_mark_is_not_written() -> None:
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    for _ in range(5):
        world.fail(world.one(DrainNode), ErrorKind.TRANSIENT, "Unable to contact slurm controller")
        world.wait(300)
        world.cycle(every=0)
        assert kinds(world) == ["DrainNode"]
    world.obey(DrainNode, LookAtNode)
    assert world.destroyed() == ["i-compute1"]


@pytest.mark.parametrize("meanwhile", ["hold", "drain", "wish"])
def test_after_the_mark_nothing_takes_it_back(meanwhile: str) -> None:
    """A hold keeps it as it is: without jobs, and not destroyed."""
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    if meanwhile == "wish":
        world.poll_queue(*jobs(1))
    else:
        world.say("compute1", Directive(meanwhile))
    world.obey(DrainNode, LookAtNode, SetWord)
    assert bool(world.destroyed()) is (meanwhile != "hold")
    world.say("compute1", Directive.RUN)
    world.wait(30)
    world.obey(LookAtNode)
    assert world.destroyed() == ["i-compute1"]
    assert not resumed(world)


def test_a_kill_does_not_wait_for_the_mark() -> None:
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    world.say("compute1", Directive.KILL)
    world.fail(world.one(DrainNode), ErrorKind.TRANSIENT, "no answer")
    assert world.destroyed() == ["i-compute1"]


# ---- what others have said -------------------------------------------------------------------------------------------


def test_the_reason_of_somebody_elses_drain_is_not_overwritten() -> None:
    """None of us takes that drain back, so there is nothing to guard."""
    world = going()
    world.obey(DrainNode)
    world.says("compute1", "drain", reason="disk full")
    world.obey()
    assert world.destroyed() == ["i-compute1"]
    assert [step.reason for step in world.asked if isinstance(step, DrainNode)] == [SHUTDOWN]


@pytest.mark.parametrize("reason", ["Node Manager rebalance (i-compute1)", "Node Manager shutdown (i-older)"])
def test_a_drain_that_somebody_of_us_would_take_back_is_marked(reason: str) -> None:
    """The node itself takes the first back, and the next manager the second."""
    world = going()
    world.obey(DrainNode)
    world.says("compute1", "drain", reason=reason)
    world.obey(DrainNode, LookAtNode)
    assert world.open(DestroyNode)
    assert world.slurm is not None
    assert world.slurm["compute1"].reason == MARK


def test_who_resumes_it_by_hand_ends_the_shutdown() -> None:
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    world.done(world.one(DrainNode))
    looks(world, "idle", "idle")
    assert not world.destroyed()
    assert world.state() is NodeState.IDLE


# ---- the mark ends with its node -------------------------------------------------------------------------------------


def test_a_new_node_under_the_name_is_given_to_jobs() -> None:
    world = under_way()
    world.obey()
    world.cycle()
    world.node("compute1", slurm="drain", reason="Node Manager destroy (i-gone)")
    world.cycle(*jobs(1), times=2)
    world.obey(ResumeNode)
    assert resumed(world) == ["compute1"]
    world.cycle(*jobs(1))
    assert world.state() is NodeState.IDLE


def test_the_name_stays_marked_while_the_list_lags_behind_the_destroy() -> None:
    """The cloud has said that it is done, and the next manager is shown the node: it may still answer Slurm."""
    world = under_way()
    shown = dict(world.cloud)
    world.obey()
    world.cloud = shown
    assert world.slurm is not None
    assert world.slurm["compute1"].reason == MARK
    world.says("compute1", "drain", reason=MARK)
    world.restart()
    world.change_record("compute1", slot=1, hostname="compute1", domain="zzzzz", instance_id="i-compute1")
    world.begin(*jobs(1))
    all_but_the_cloud(world, *jobs(1))
    assert not resumed(world)


def test_a_dispatcher_that_is_not_slurm_has_no_mark() -> None:
    """Nothing keeps its jobs from a node that is about to go: doc/two-hosts.md says what that means."""
    world = going(slurm=False)
    looks(world, "idle")
    assert world.destroyed() == ["i-compute1"]
    assert not world.drained()
