"""When a list is fetched next."""

from __future__ import annotations

import pytest

from arvnodeman.loop.polling import PollPlan, PollTimes

TIMES = PollTimes(60.0, 300.0)


def attempt(plan: PollPlan, takes: float, *, good: bool, retry_after: float | None = None) -> float:
    """One attempt at its moment; the wait until the next, from its start."""
    plan.started = start = plan.planned
    if good:
        plan.succeeded(start + takes)
    else:
        plan.failed(start + takes, retry_after)
    return plan.planned - start


@pytest.mark.parametrize(("takes", "wait"), [(0.0, 60.0), (59.0, 60.0), (61.0, 121.0), (500.0, 560.0)])
def test_a_slow_answer_does_not_bring_two_attempts_together(takes: float, wait: float) -> None:
    assert attempt(PollPlan(TIMES, 0.0), takes, good=True) == wait


def test_waits_double_up_to_the_longest_and_begin_anew_with_the_first_success() -> None:
    plan = PollPlan(TIMES, 0.0)
    assert [attempt(plan, 1.0, good=False) for _ in range(5)] == [120, 240, 300, 300, 300]
    attempt(plan, 1.0, good=True)
    assert attempt(plan, 1.0, good=False) == 120


@pytest.mark.parametrize(("asked", "wait"), [(10.0, 120.0), (200.0, 200.0), (9999.0, 300.0)])
def test_a_server_may_ask_for_more_but_not_for_ever(asked: float, wait: float) -> None:
    assert attempt(PollPlan(TIMES, 0.0), 1.0, good=False, retry_after=asked) == wait


def test_it_is_brought_forward_once_and_not_behind_an_attempt_that_began_later() -> None:
    plan = PollPlan(TIMES, 0.0)
    attempt(plan, 1.0, good=True)
    assert not plan.bring_forward(-1.0)
    assert plan.bring_forward(30.0)
    assert not plan.bring_forward(40.0)
    assert plan.planned == 30.0


def test_of_a_source_that_failed_a_wake_says_that_it_answers_again() -> None:
    plan = PollPlan(TIMES, 0.0)
    plan.started = plan.planned
    plan.failed(10.0, None, wakes=True)
    assert not plan.bring_forward(20.0)
    assert plan.bring_forward(20.0, wake=True)
    assert plan.planned == 20.0


@pytest.mark.parametrize(("retry_after", "wakes"), [(30.0, True), (None, False)])
def test_a_wake_is_no_word_of_another_source_nor_of_one_that_has_said_how_long(
    retry_after: float | None, *, wakes: bool
) -> None:
    plan = PollPlan(TIMES, 0.0)
    plan.started = plan.planned
    plan.failed(10.0, retry_after, wakes=wakes)
    assert not plan.bring_forward(20.0, wake=True)


def test_other_intervals_hold_from_the_next_attempt_on() -> None:
    plan = PollPlan(TIMES, 0.0)
    attempt(plan, 1.0, good=False)
    plan.retime(PollTimes(10.0, 20.0), 5.0)
    assert plan.planned == 15.0
    assert attempt(plan, 1.0, good=False) == 20.0
