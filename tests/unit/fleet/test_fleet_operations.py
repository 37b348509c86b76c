"""Attempts of operations, and the waits between them (rows A10 to A12)."""

from __future__ import annotations

import pytest
from world import NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    CancelJob,
    CreateNode,
    DescribeNode,
    PolicyChanged,
    Poll,
    PrepareRecord,
    ReleaseRecord,
    SafeMode,
    SetNodeDown,
    SetWord,
)
from arvnodeman.fleet.nodes.polls import BrainClock
from arvnodeman.fleet.operations.chores import Chore, CleanRecord
from arvnodeman.fleet.operations.operation import OperationContext
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape, NodeRecord, RemoteError

BROKEN = RemoteError(ErrorKind.TRANSIENT, "it broke")


def context(**options: float) -> OperationContext:
    return OperationContext(policy(**options), BrainClock(1000.0))


@pytest.mark.parametrize(
    ("longest", "waits"),
    [(300.0, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]), (10.0, [1, 2, 4, 8, 10, 10]), (0.5, [1, 1, 1])],
)
def test_waits_double_from_one_second_to_max_poll_time(longest: float, waits: list[float]) -> None:
    chore = Chore(context(max_poll_time=longest), "Role", "thing")
    found = []
    for _ in waits:
        chore.again(BROKEN)
        assert chore.due is not None
        found.append(chore.due - 1000.0)
    assert found == waits
    assert (chore.attempts, chore.trouble) == (len(waits), BROKEN)
    chore.fresh_attempts()
    chore.again(BROKEN)
    assert (chore.attempts, chore.due) == (1, 1001.0)


@pytest.mark.parametrize(("asked", "wait"), [(0.0, 1.0), (None, 1.0), (0.25, 1.0), (17.0, 17.0), (900.0, 300.0)])
def test_a_server_that_says_when_is_asked_again_then(asked: float | None, wait: float) -> None:
    chore = Chore(context(), "Role", "thing")
    chore.again(RemoteError(ErrorKind.TRANSIENT, "it broke", asked))
    assert chore.due == 1000.0 + wait


def test_too_many_requests_are_no_failed_attempts_and_their_seconds_are_counted() -> None:
    mine = context()
    chore = Chore(mine, "Role", "thing")
    chore.again(RemoteError(ErrorKind.THROTTLED, "slow down", 7.4))
    chore.again(RemoteError(ErrorKind.THROTTLED, "slow down", 20.0))
    chore.again(BROKEN)
    assert chore.attempts == 1
    assert mine.counters == {"throttled": 2, "throttled_seconds": 27}


@pytest.mark.parametrize(
    ("kind", "attempts", "outcome"),
    [
        (ErrorKind.TRANSIENT, 3, "failed"),
        (ErrorKind.REFUSED, 1, "failed"),
        (ErrorKind.UNEXPECTED, 1, "failed"),
        (ErrorKind.GONE, 1, None),  # nothing to set down: on to the next step
    ],
)
def test_a_record_is_cleaned_in_boot_attempts(kind: ErrorKind, attempts: int, outcome: str | None) -> None:
    chore = CleanRecord(context(boot_attempts=3), NodeRecord("r-1", "compute1"))
    chore.clean(set_down="gone", action="cleaned")
    tried = 0
    while isinstance(step := chore.step, SetNodeDown):
        tried += 1
        chore.failed(step, RemoteError(kind, "it broke"))
        if chore.due is not None:
            chore.wake()
    assert (tried, chore.outcome) == (attempts, outcome)
    assert isinstance(chore.step, ReleaseRecord) is (outcome is None)


def test_a_chore_of_one_thing_after_the_other_is_done_after_the_last() -> None:
    chore = CleanRecord(context(), NodeRecord("r-1", "compute1"))
    chore.clean(set_down="gone", action="cleaned")
    for kind in (SetNodeDown, ReleaseRecord):
        assert chore.outcome is None
        step = chore.step
        assert isinstance(step, kind)
        chore.done(step, None)
    assert (chore.outcome, chore.step, chore.due) == ("done", None, None)


def test_a_word_is_written_in_boot_attempts_and_then_at_the_next_poll() -> None:
    world = World(policy(shutdown_windows=NEVER, boot_attempts=3))
    world.node(slurm="alloc")
    world.begin()
    world.say("compute1", Directive.HOLD, "mine")
    for _ in range(3):
        world.fail(world.one(SetWord), ErrorKind.TRANSIENT)
        world.wait(10)
    assert not world.open(SetWord)
    world.cycle()
    assert len(world.open(SetWord)) == 1


def test_counts_go_on() -> None:
    world = World(policy(shutdown_windows=NEVER)).begin()
    for _ in range(2):
        world.poll_fails(Poll.CLOUD)
        world.poll_fails(Poll.QUEUE)
    world.cycle(times=20)
    world.cycle(*jobs(2, JobShape(cores=99)), times=3)
    world.obey(CancelJob)
    world.cycle()
    counters = world.fleet.view.counters
    assert (counters["cloud_poll_errors"], counters["list_nodes_errors"], counters["queue_poll_errors"]) == (2, 2, 2)
    assert counters["jobs_cancelled"] == 2


def test_a_new_wait_for_the_quota_counts_from_the_next_refusal_on() -> None:
    world = World(policy(shutdown_windows=NEVER)).begin()
    world.tell(PolicyChanged(policy(shutdown_windows=NEVER, quota_retry_after=500.0)))
    state = world.fleet._state
    state.quota.refused(0, state.t)
    state.slots.refused(0, state.t)
    assert (state.quota.retry_at, state.slots.retry_at) == (state.t + 500.0, state.t + 500.0)


def test_a_new_first_wait_of_sizes_counts_from_the_next_refusal_on() -> None:
    world = World(policy(shutdown_windows=NEVER)).begin()
    world.tell(PolicyChanged(policy(shutdown_windows=NEVER, size_retry_after=500.0)))
    world.cycle(*jobs(1, JobShape(size="small")))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY)
    world.poll_queue()
    assert world.fleet.view.backing_off["small"].until == world.fleet.view.t + 500.0


@pytest.mark.parametrize(("ahead", "lasts"), [(-60.0, False), (0.0, False), (0.5, True)])
def test_safe_mode_until_a_moment_that_has_passed_is_over_at_once(ahead: float, lasts: bool) -> None:
    world = World(policy(shutdown_windows=NEVER)).begin()
    world.tell(SafeMode(world.now + ahead))
    world.poll_queue()
    assert world.fleet.view.safe_mode is lasts


def test_a_small_thing_that_fails_is_tried_again_at_waits_that_double() -> None:
    """Row A14: from 30 s to max_poll_time, and from 30 s again once it has been done."""
    world = World(policy(shutdown_windows=NEVER, max_poll_time=100.0))
    world.node(slurm="alloc", size="large")
    world.says("compute1", "alloc", size="small")
    world.begin()
    waits: list[float] = []
    last = world.now
    while len(waits) < 5:
        for step in world.open(DescribeNode):
            waits.append(world.now - last)
            last = world.now
            world.fail(step)
        world.cycle(every=10)
    assert waits[1:] == [30, 60, 100, 100]
    world.cycle(every=100)
    world.obey()
    world.says("compute1", "alloc", size="small")
    world.cycle(every=10)
    world.fail(world.one(DescribeNode))
    world.cycle(every=29)
    assert not world.open(DescribeNode)
    world.cycle(every=1)
    assert world.open(DescribeNode)
