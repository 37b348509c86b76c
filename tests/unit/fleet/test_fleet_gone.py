"""Is it really gone? What Slurm says of one that no list shows, and nodes that come back (section 7 of the rules)."""

from __future__ import annotations

from typing import Any

import pytest
from gone_world import lost, traces_cleared, without
from world import HELD, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    DestroyNode,
    DrainNode,
    LookAtNode,
    NodeSeen,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
)
from arvnodeman.fleet.values.model import NodeState
from arvnodeman.slurm.words import node_work


def looked_at(world: World, said: str | None, jobs: int | None, name: str = "compute1") -> None:
    """Slurm's answer when it is asked what the node does now; `*`: it does not respond."""
    for step in world.open(LookAtNode):
        seen = None
        if said is not None:
            reason = "Node Manager removal (i-compute1)"
            seen = node_work(name, said.rstrip("*"), not said.endswith("*"), reason=reason)
        world.done(step, NodeSeen(seen, jobs))


def ending(**options: Any) -> World:
    """Its traces are about to be cleared: Slurm has been asked what it does."""
    world = lost("idle", **options)
    without(world, times=2)
    world.obey(DrainNode)
    assert world.open(LookAtNode)
    return world


# ---- what Slurm says of it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "jobs", "kept"),
    [
        ("drng", 1, True),
        ("comp", 0, True),
        ("drain", 0, False),
        ("drain", 1, True),  # a suspended job
        ("idle", 2, True),
        ("fail", 1, True),  # a running one
        ("fail", 0, False),
        ("inval", 1, True),
        ("inval", 0, False),
        ("down", None, False),
        ("drng*", 1, False),  # nobody has heard of it either: DOWN lets its jobs be queued again
        ("drain*", 1, False),
        ("drain*", 0, False),
        (None, None, False),
    ],
)
def test_a_node_that_slurm_hears_from_is_kept_while_a_job_is_on_it(
    said: str | None, jobs: int | None, kept: bool
) -> None:
    """Row E17: jobs may be there that its state hides; DOWN would end them."""
    world = ending()
    looked_at(world, said, jobs)
    assert bool(world.open(SetNodeDown)) is not kept
    world.obey()
    assert traces_cleared(world) is not kept
    assert not world.destroyed()
    lines = [line for line in world.log() if "it gives signs of life: Slurm says" in line]
    assert bool(lines) is kept
    if kept:
        assert lines == [f"Shutdown cancelled: it gives signs of life: Slurm says {said}."]


@pytest.mark.parametrize("said", ["idle", "drain", "fail", "inval"])
def test_jobs_are_asked_for_where_a_state_may_hide_them(said: str) -> None:
    """Row E17."""
    world = ending()
    looked_at(world, said, None)
    assert [step.jobs for step in world.open(LookAtNode)] == [True]
    assert not world.open(SetNodeDown)


def unseen(said: str, **options: Any) -> World:
    """A node that we booted, that no list ever shows, and that Slurm knows."""
    world = World(policy(shutdown_windows=NEVER, **options))
    world.begin(*jobs(1))
    world.obey()
    world.jobs = ()
    world.cloud.clear()
    world.says("compute1", said.rstrip("*"), responding=not said.endswith("*"))
    return world


@pytest.mark.parametrize(
    ("said", "jobs", "destroyed"),
    [
        ("drng*", 1, False),
        ("drain*", 1, False),
        ("drain*", 0, True),
        ("fail", 0, True),
        ("down", None, True),
        (None, None, True),
    ],
)
def test_one_that_no_list_ever_showed_is_destroyed_unless_slurm_may_have_work_on_it(
    said: str | None, jobs: int | None, destroyed: bool
) -> None:
    """The first promise, and the second: it may exist all the same, and must not leak."""
    world = unseen("down")
    world.cycle(times=40)
    world.obey(DrainNode)
    looked_at(world, said, jobs)
    if world.open(DrainNode):  # the mark
        world.obey(DrainNode)
        looked_at(world, said, jobs)
    assert bool(world.open(DestroyNode)) is destroyed
    assert bool(world.open(SetNodeDown)) is not destroyed


# ---- when it is gone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "gone"), [(29, False), (30, True)])
def test_one_that_was_never_listed_is_gone_after_boot_fail_after(minutes: int, gone: bool) -> None:
    """Row D1: lists may lag behind the create request, and no list is proof before."""
    world = unseen("alloc*")  # no other rule ends it
    world.cycle(times=minutes)
    assert bool(world.steps) is gone


@pytest.mark.parametrize(("seconds", "gone"), [(0.0, False), (0.1, True)])
def test_pings_are_looked_at_in_a_list_that_was_asked_for_after_the_second_cloud_list(
    seconds: float, gone: bool
) -> None:
    """What came in between would not be seen in one from before; one of the same moment is none from after."""
    world = lost("idle")
    without(world)
    world.now += MINUTE
    world.poll_cloud(without=["i-compute1"])
    world.now += 0.5 + seconds
    world.poll_records()
    assert bool(world.steps) is gone


@pytest.mark.parametrize(("seconds", "gone"), [(299, False), (300, True)])
@pytest.mark.parametrize("why", ["it has not pinged yet", "the list lacks its record"])
def test_one_whose_ping_nobody_can_look_at_is_gone_after_max_poll_time(why: str, seconds: float, gone: bool) -> None:
    """Lists lag most where a node is young, and two of them may be wrong at once."""
    world = World(policy(shutdown_windows=NEVER, max_poll_time=300.0))
    young = why == "it has not pinged yet"
    world.node(slurm=None if young else "idle", record=not young, age=100)
    world.begin()
    world.silent.add("r-compute1")
    world.now += 1
    world.poll_cloud(without=["i-compute1"])
    world.now += 1
    world.poll_cloud(without=["i-compute1"])
    world.now += seconds - 1
    world.poll_queue()
    world.poll_records(without=["r-compute1"])
    assert bool(world.steps) is gone


# ---- listed again ----------------------------------------------------------------------------------------------------


def resumed(world: World) -> list[str]:
    return [step.hostname for step in world.asked if isinstance(step, ResumeNode)]


def test_one_that_is_listed_again_while_slurm_is_asked_is_kept_and_resumed() -> None:
    world = ending()
    world.poll_cloud()
    world.obey()
    assert resumed(world) == ["compute1"]
    assert not traces_cleared(world)
    world.cycle()
    assert world.state() is not NodeState.SHUTDOWN
    assert not world.fleet.view.operations


def test_one_that_is_listed_again_while_nothing_is_asked_is_kept_too() -> None:
    """Slurm did not answer, and the next look is due in a while."""
    world = ending(slurm=False)
    world.fail(world.one(LookAtNode))
    world.poll_cloud()
    assert not world.fleet.view.operations
    world.wait(300)
    assert not world.steps
    world.cycle()
    assert world.state() is not NodeState.SHUTDOWN


def test_one_that_no_list_shows_yet_is_not_kept() -> None:
    world = ending()
    without(world)
    looked_at(world, "drain", 0)
    assert world.open(SetNodeDown)


def test_a_shutdown_for_another_cause_goes_on_when_its_node_is_listed_again() -> None:
    world = World()
    world.node()
    world.begin()
    world.cycle()
    assert world.open(DrainNode)
    without(world)
    world.cycle(every=1)
    world.obey(DrainNode, LookAtNode)
    assert world.destroyed() == ["i-compute1"]


def test_it_is_kept_also_while_another_list_is_too_old_to_decide_on() -> None:
    """To end nothing needs no fresh lists."""
    world = ending()
    world.now += 700
    world.poll_cloud()
    assert any("the cloud lists it again" in line for line in world.log())
    world.obey()
    assert not traces_cleared(world)


def test_one_that_comes_back_stopped_is_destroyed() -> None:
    """It is paid for, and cannot be working."""
    world = ending()
    world.change_cloud("compute1", stopped=True)
    world.poll_cloud()
    world.obey()
    assert world.destroyed() == ["i-compute1"]


def test_one_that_comes_back_stopped_and_held_is_kept_with_its_record() -> None:
    """A hold forbids every shutdown, of whatever cause."""
    world = ending()
    world.change_cloud("compute1", stopped=True, directive=HELD)
    world.poll_cloud()
    world.obey()
    world.cycle(times=3)
    world.obey()
    assert not world.destroyed()
    assert not [step for step in world.asked if isinstance(step, SetNodeDown | ReleaseRecord)]
    assert resumed(world) == ["compute1"]
    assert not world.fleet.view.operations


# ---- what one list, or an old one, does not tell ---------------------------------------------------------------------


def test_while_a_list_is_too_old_nothing_is_begun() -> None:
    """Row A22: not even a drain."""
    world = lost("idle")
    world.now += 700
    for _ in range(3):
        world.now += MINUTE
        world.poll_cloud(without=["i-compute1"])
        world.poll_records()
    assert not world.steps
    world.poll_queue()
    without(world)
    assert world.open(DrainNode)


def test_after_a_sign_of_life_one_more_list_tells_that_it_is_gone() -> None:
    world = lost("idle")
    without(world)
    world.change_record("compute1", last_ping_at=world.now + 1)
    without(world)
    assert any("gives signs of life" in line for line in world.log(30))
    assert not world.steps
    without(world)
    assert world.open(DrainNode)


def test_the_time_for_a_first_ping_begins_anew_with_a_sign_of_life() -> None:
    """It works under the name that was made for it, and has not pinged."""
    world = World(policy(shutdown_windows=NEVER, max_poll_time=300.0))
    world.node(slurm="alloc", record=False, age=100)
    world.begin()
    without(world, times=6)
    world.says("compute1", "down")
    without(world, times=4)
    assert not world.steps
    without(world)
    assert world.open(DrainNode)


def test_one_list_that_shows_it_stopped_spares_no_question() -> None:
    """Slurm is told, and asked, as ever: two in a row are needed."""
    world = World()
    world.node()
    world.begin()
    world.change_cloud("compute1", stopped=True)
    world.cycle()
    assert world.one(DrainNode)
    world.obey(DrainNode)
    assert world.one(LookAtNode)


def test_one_that_was_stopped_under_hold_is_drained_and_asked_for_when_no_list_shows_it() -> None:
    """A list may lie, and it may have been started again."""
    world = lost("idle")
    world.change_cloud("compute1", stopped=True, directive=HELD)
    world.cycle()
    without(world, times=2)
    assert world.one(DrainNode)
    world.obey(DrainNode)
    assert world.one(LookAtNode)
