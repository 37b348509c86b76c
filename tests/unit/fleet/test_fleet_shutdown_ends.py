"""How a shutdown ends: the destroy, what is cleared, taken back, restarted, gone (section 7 of the rules)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from shutdown_world import SHUTDOWN, going, kinds, looks
from world import MINUTE, World

from arvnodeman.fleet.messages import (
    WARNING,
    DestroyNode,
    DrainNode,
    LookAtNode,
    LookForNode,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    Step,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind, NodeState

# ---- the destroy itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "there", "gone"),
    [
        (ErrorKind.TRANSIENT, False, True),  # it had worked, row E11
        (ErrorKind.TRANSIENT, True, False),  # also what a driver makes of libcloud's False, row E1
        (ErrorKind.UNEXPECTED, False, True),
        (ErrorKind.UNEXPECTED, True, False),
        (ErrorKind.GONE, False, True),
        (ErrorKind.GONE, True, False),  # whoever said so, the cloud lists it: it is not forgotten
        (ErrorKind.REFUSED, True, False),
    ],
)
def test_a_destroy_that_fails_may_have_worked(kind: ErrorKind, there: bool, gone: bool) -> None:
    """Rows E1, E4 and E11: look; a failure ends the attempt, and the node counts as down."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    node = world.cloud["i-compute1"]
    world.fail(world.one(DestroyNode), kind)
    for look in world.open(LookForNode):
        world.done(look, node if there else None)
    if gone:
        assert kinds(world) == ["SetNodeDown"]
    else:
        world.cycle(every=1)
        assert not world.steps
        assert world.state() is NodeState.DOWN
        assert world.fleet.view.counters["destroy_node_errors"] == 1


@pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.GONE])
def test_a_look_after_a_failed_destroy_is_tried_again(kind: ErrorKind) -> None:
    """Row E11."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), kind)
    world.fail(world.one(LookForNode))
    world.wait(2)
    assert kinds(world) == ["LookForNode"]


@pytest.mark.parametrize("kind", [ErrorKind.GONE, ErrorKind.REFUSED])
def test_only_a_list_forgets_a_node_that_is_said_to_be_gone(kind: ErrorKind) -> None:
    """A list that cannot be had tells nothing, whatever its error is called."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.GONE)
    world.fail(world.one(LookForNode), kind)
    world.cycle(every=1)
    assert not world.steps
    assert world.state() is NodeState.DOWN


def test_a_node_that_was_gone_already_is_no_error_of_its_destroy() -> None:
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.GONE)
    world.done(world.one(LookForNode), None)
    assert kinds(world) == ["SetNodeDown"]
    assert world.fleet.view.counters.get("destroy_node_errors", 0) == 0


def test_attempts_at_one_node_are_a_minute_apart_and_more() -> None:
    """Row E4."""
    world = going(max_poll_time=200.0)
    times = []
    for _ in range(240):
        world.obey(DrainNode, LookAtNode)
        for step in world.open(DestroyNode):
            times.append(world.now)
            world.fail(step, ErrorKind.REFUSED)
        world.cycle(every=10)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert min(waits) >= 60
    assert 3 <= len(times) <= 20
    assert max(waits) <= 240


# ---- afterwards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SetNodeDown, ReleaseRecord])
def test_what_is_left_to_clear_is_tried_again_and_then_left_to_the_orphans(kind: type[Step]) -> None:
    """Row B6."""
    world = going(boot_attempts=3)
    world.obey(DrainNode, LookAtNode, DestroyNode)
    world.obey(SetNodeDown) if kind is ReleaseRecord else None
    for _ in range(3):
        world.fail(world.one(kind))
        world.wait(10)
    assert not world.open(kind)
    world.obey()
    world.cycle(times=2)
    assert not world.fleet.view.nodes
    world.cycle(times=35)
    world.obey()
    assert world.records["r-compute1"].slot is None


@pytest.mark.parametrize("kind", [SetNodeDown, ReleaseRecord])
def test_what_is_gone_already_is_cleared(kind: type[Step]) -> None:
    """Row E8."""
    world = going()
    world.obey(DrainNode, LookAtNode, DestroyNode)
    world.obey(SetNodeDown) if kind is ReleaseRecord else None
    world.fail(world.one(kind), ErrorKind.GONE)
    world.obey()
    world.cycle()
    assert not world.fleet.view.operations


def listed_long_after_its_destroy() -> World:
    """Destroyed, it is listed for longer than boot_fail_after; Slurm does not answer, and is told in a while that it is
    down."""
    world = going(boot_fail_after=300.0)
    world.silent.add("r-compute1")
    world.obey(DrainNode, LookAtNode)
    world.done(world.one(DestroyNode))
    for _ in range(7):
        world.wait(MINUTE)
        world.fail(world.one(SetNodeDown))
        world.cycle(every=0)
    assert not world.open(SetNodeDown)
    return world


def test_a_node_whose_traces_are_not_cleared_yet_is_not_there_again() -> None:
    """It leaves the list at last, while Slurm is to be told once more: that is not news."""
    world = listed_long_after_its_destroy()
    assert not [line for line in world.log(WARNING) if "still listed" in line]
    for _ in range(3):
        world.wait(5)
        world.poll_cloud(without=["i-compute1"])
        world.poll_records()
    assert not world.fleet.view.nodes
    del world.cloud["i-compute1"]
    world.wait(2 * MINUTE)
    world.obey()
    assert world.fleet.is_at_rest
    assert world.destroyed() == ["i-compute1"]
    assert world.records["r-compute1"].slot is None


@pytest.mark.parametrize("directive", [Directive.HOLD, Directive.RUN, Directive.KILL])
def test_a_word_on_a_node_that_is_destroyed_gives_its_name_no_work(directive: Directive) -> None:
    world = listed_long_after_its_destroy()
    world.say("compute1", directive)
    world.wait(2 * MINUTE)
    world.obey(SetNodeDown, LookAtNode)
    assert not world.open(ResumeNode)
    assert world.destroyed() == ["i-compute1"]
    assert world.slurm is not None
    assert world.slurm["compute1"].state.said == "down"


# ---- drains that fail ------------------------------------------------------------------------------------------------


def test_a_drain_of_a_name_that_slurm_does_not_know_goes_on() -> None:
    """Row F6."""
    world = going()
    world.fail(world.one(DrainNode), ErrorKind.GONE)
    assert kinds(world) == ["LookAtNode"]


def test_a_drain_that_gets_no_answer_is_tried_again() -> None:
    """Row F7."""
    world = going()
    world.fail(world.one(DrainNode))
    world.wait(2)
    assert kinds(world) == ["DrainNode"]


def test_a_drain_that_is_refused_ends_the_attempt() -> None:
    world = going()
    world.fail(world.one(DrainNode), ErrorKind.REFUSED, "Invalid user id")
    world.cycle(every=1)
    assert not world.steps
    assert any("Invalid user id" in line for line in world.log(40))
    world.cycle(times=3)
    assert kinds(world) == ["DrainNode"]


# ---- gone meanwhile --------------------------------------------------------------------------------------------------


def test_a_node_that_leaves_the_list_in_the_middle_ends_the_operation() -> None:
    """Rows E3, E8 and N17: and its traces are cleared."""
    world = going()
    world.obey(DrainNode)
    looks(world, "drng")
    world.silent.add("r-compute1")
    world.says("compute1", "drng", reason=SHUTDOWN, responding=False)
    del world.cloud["i-compute1"]
    world.cycle(times=4)
    world.obey()
    world.cycle()
    assert not world.fleet.view.nodes
    assert not world.fleet.view.operations
    assert world.records["r-compute1"].slot is None


def test_a_destroy_that_ends_after_the_node_has_left_the_list() -> None:
    """Row E12."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    step = world.one(DestroyNode)
    del world.cloud["i-compute1"]
    world.silent.add("r-compute1")
    world.cycle(times=4)
    world.done(step)
    world.obey()
    world.cycle()
    assert not world.fleet.view.nodes
    assert not world.fleet.view.operations


def test_a_destroy_that_is_refused_names_the_option_to_look_at() -> None:
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.REFUSED, "UnauthorizedOperation", hint="[Cloud Credentials] key")
    assert world.log(40) == [
        "Shutdown cancelled: destroy_node failed: UnauthorizedOperation (look at [Cloud Credentials] key)."
    ]


def test_a_down_that_is_tried_again_keeps_its_reason() -> None:
    world = going()
    world.obey(DrainNode, LookAtNode, DestroyNode)
    step = world.one(SetNodeDown)
    world.fail(step)
    world.wait(2)
    assert world.one(SetNodeDown) == step


@pytest.mark.parametrize(("step", "done"), [(DrainNode, "drained"), (DestroyNode, "destroyed")])
def test_what_could_not_be_done_is_said(step: type[Step], done: str) -> None:
    world = going()
    if step is DestroyNode:
        world.obey(DrainNode, LookAtNode)
    world.fail(world.one(step), ErrorKind.REFUSED, "Invalid user id")
    world.poll_queue()
    assert world.why() == f"down: it could not be {done} (Invalid user id); tried again in 60 s"
