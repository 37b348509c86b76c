"""Shutdowns that are taken back, or that an earlier run began (section 7 of the rules)."""

from __future__ import annotations

import pytest
from shutdown_world import REMOVAL, SHUTDOWN, SMALL, failed, going, kinds, looks
from world import NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    DrainNode,
    LookAtNode,
    NodeSeen,
    ResumeNode,
)
from arvnodeman.fleet.values.model import ErrorKind, NodeState
from arvnodeman.slurm.words import node_work

# ---- taken back ------------------------------------------------------------------------------------------------------


def test_a_wanted_node_is_kept_rather_than_another_booted() -> None:
    """Row E15."""
    world = going()
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    assert not world.prepared()
    world.obey()
    assert world.slurm is not None
    assert world.slurm["compute1"].state.said == "idle"
    world.cycle()
    assert world.state() is NodeState.IDLE
    assert "Shutdown cancelled: Node size is in wishlist." in world.log()


@pytest.mark.parametrize("late", [False, True], ids=["no list has come since", "a list from before comes late"])
def test_what_older_lists_say_of_its_drain_counts_no_more(late: bool) -> None:
    """Row E15: it is supply, and no earlier run's drain."""
    world = going()
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    assert world.slurm is not None
    drained = dict(world.slurm)
    world.obey()
    if late:
        now, world.slurm = world.slurm, drained
        world.poll_records()
        world.slurm = now
    world.poll_queue()
    assert world.state() is NodeState.IDLE
    assert not world.steps
    assert not world.prepared()
    world.says("compute1", "drain", reason="disk")
    world.cycle(times=2)
    assert world.state() is NodeState.SHUTDOWN  # what younger lists say does


def test_its_idle_count_starts_anew() -> None:
    world = going(consecutive_idle_count=3)
    world.cycle(times=2)
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    world.obey()
    world.jobs = ()
    world.cycle(times=2)
    assert world.state() is NodeState.IDLE
    world.cycle()
    assert world.state() is NodeState.SHUTDOWN


@pytest.mark.parametrize("said", ["down", "drain", "fail"])
def test_the_second_kind_is_not_taken_back(said: str) -> None:
    """Rows D1 and E15."""
    world = failed(said)
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    assert world.prepared() == ["small"]
    assert world.state() is NodeState.SHUTDOWN


def test_nothing_is_taken_back_after_the_destroy_request() -> None:
    """Row E15."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.cycle(*jobs(1, SMALL))
    assert world.prepared() == ["small"]


def test_a_second_cancel_is_none() -> None:
    """Row E16."""
    world = going()
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL), every=1)
    world.cycle(every=1, times=3)
    assert len([line for line in world.log() if line.startswith("Shutdown cancelled")]) == 1
    world.obey()
    world.cycle(every=1)
    assert not world.fleet.view.operations


def test_what_is_not_drained_by_us_any_more_is_not_resumed() -> None:
    """Rows E7 and F5: an admin took the node meanwhile."""
    world = going()
    world.obey(DrainNode)
    world.says("compute1", "drain", reason="admin: memory test")
    world.cycle(*jobs(1, SMALL))
    world.obey()
    assert not [step for step in world.asked if isinstance(step, ResumeNode)]


@pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.GONE, ErrorKind.REFUSED])
def test_a_resume_that_fails(kind: ErrorKind) -> None:
    """Row F5."""
    world = going()
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    world.obey(LookAtNode)
    for look in world.open(LookAtNode):
        world.done(look, NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    world.fail(world.one(ResumeNode), kind)
    world.wait(5)
    assert bool(world.steps) is (kind is ErrorKind.TRANSIENT)


def test_a_cancel_waits_for_the_drain_that_is_under_way() -> None:
    world = going()
    world.cycle(*jobs(1, SMALL))
    assert kinds(world) == ["DrainNode"]
    world.obey()
    assert world.slurm is not None
    assert world.slurm["compute1"].state.said == "idle"


def test_a_drain_without_answer_is_undone_when_it_is_taken_back() -> None:
    """It may have worked."""
    world = going()
    world.cycle(*jobs(1, SMALL))
    world.says("compute1", "drain", reason=SHUTDOWN)
    world.fail(world.one(DrainNode))
    world.wait(5)
    world.obey()
    assert world.slurm is not None
    assert world.slurm["compute1"].state.said == "idle"


def test_the_newest_shutdown_is_taken_back_first() -> None:
    world = World()
    world.node("compute1")
    world.begin()
    world.cycle()
    world.node("compute2")
    world.cycle(times=2)
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    world.obey()
    assert world.destroyed() == ["i-compute1"]


# ---- after a restart -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "said"), [(SHUTDOWN, "drain"), (SHUTDOWN, "drng"), (REMOVAL, "drain")])
def test_a_drain_of_ours_for_this_instance_goes_on(reason: str, said: str) -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm=said, reason=reason)
    world.begin()
    world.cycle()
    assert world.state() is NodeState.SHUTDOWN
    looks(world, "drain", reason=reason)
    assert world.destroyed() == ["i-compute1"]


def test_it_is_resumed_when_a_node_of_its_size_is_wanted_and_no_supply_before() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="drng", reason=SHUTDOWN)
    world.begin()
    world.cycle()
    world.cycle(*jobs(1, SMALL))
    world.wait(10)
    world.obey()
    assert [step.hostname for step in world.asked if isinstance(step, ResumeNode)] == ["compute1"]


def test_the_second_kind_is_never_resumed_while_that_instance_lives() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="drng", reason=REMOVAL)
    world.begin()
    world.cycle(*jobs(1, SMALL), times=3)
    world.wait(30)
    world.obey(LookAtNode)
    assert world.prepared() == ["small"]
    assert not [step for step in world.asked if isinstance(step, ResumeNode)]


def test_a_working_node_whose_drain_was_taken_back_works_on() -> None:
    """Row E15: an older list says that it drains still; it is no supply, and nothing begins anew."""
    world = going()
    world.obey(DrainNode)
    world.says("compute1", "drng", reason=SHUTDOWN)
    world.cycle(*jobs(1, SMALL))
    assert world.slurm is not None
    draining = dict(world.slurm)
    world.obey()
    now, world.slurm = world.slurm, draining
    world.poll_records()
    world.slurm = now
    assert world.status().slurm == "alloc"
    assert world.state() is NodeState.BUSY
    assert not world.steps


def test_an_unpaired_node_whose_shutdown_is_taken_back_is_unpaired_again() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(record=False, slurm="drain", reason=SHUTDOWN, age=60)
    world.begin()
    assert world.state() is NodeState.SHUTDOWN
    world.cycle(*jobs(1, SMALL))
    world.obey()
    world.poll_queue()
    assert world.state() is NodeState.UNPAIRED
