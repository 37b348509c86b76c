"""Jobs that share nodes: a node is paid for as long as the longest of its jobs runs, so alike ones share it."""

from __future__ import annotations

import pytest
from test_plan_sharing import job, loads, made, sizes

from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values.model import JobShape

HOUR = 3600.0
LONG, SHORT, HEAD = job(1, 3000), job(1, 1000), job(1, 2000)


def booted(jobs: dict[JobShape, list[int]], price: float, times: dict[JobShape, float]) -> Plan:
    """With a size of one core for $0.05, and one of sixteen for so much."""
    table = sizes(one=(1, 4000, 0.05, ()), sixteen=(16, 32_000, price, ()))
    return made(jobs, table=table, options={"max_price_factor": 20.0}, run_times=times)


def sizes_of(made: Plan) -> list[tuple[str, dict[JobShape, int]]]:
    return sorted(((new.size.id, dict(new.jobs)) for new in made.boots), key=lambda row: (row[0], sum(row[1].values())))


def test_a_long_job_is_alone_on_a_small_node_and_the_short_ones_share_a_large_one() -> None:
    """For a minute the large node costs less than fifteen small ones; for ten hours it does not."""
    of = booted({LONG: [0], SHORT: list(range(1, 16))}, 0.7, {LONG: 10 * HOUR, SHORT: 60.0})
    assert sizes_of(of) == [("one", {LONG: 1}), ("sixteen", {SHORT: 15})]


def test_jobs_that_run_alike_share_a_large_node() -> None:
    of = booted({LONG: [0], SHORT: list(range(1, 16))}, 0.7, {LONG: HOUR, SHORT: HOUR})
    assert sizes_of(of) == [("sixteen", {LONG: 1, SHORT: 15})]


@pytest.mark.parametrize("known", [LONG, SHORT])
@pytest.mark.parametrize("seconds", [60.0, 10 * HOUR])
def test_a_group_of_which_nothing_is_known_runs_as_long_as_is_usual(known: JobShape, seconds: float) -> None:
    of = booted({LONG: [0], SHORT: list(range(1, 16))}, 0.7, {known: seconds})
    assert sizes_of(of) == [("sixteen", {LONG: 1, SHORT: 15})]


@pytest.mark.parametrize("seconds", [50.0, 200.0])
def test_jobs_that_run_half_or_twice_as_long_are_alike(seconds: float) -> None:
    """A very long one is not: it would be put first, as the largest."""
    of = booted({HEAD: [0], SHORT: list(range(1, 17)), LONG: [17]}, 0.3, {HEAD: 100.0, SHORT: seconds, LONG: 1e4})
    assert sizes_of(of)[-1] == ("sixteen", {HEAD: 1, SHORT: 15})
    assert sorted(loads(of).values()) == [1, 2]


@pytest.mark.parametrize("seconds", [49.0, 201.0])
def test_jobs_that_run_shorter_or_longer_than_that_are_not(seconds: float) -> None:
    of = booted({HEAD: [0], SHORT: list(range(1, 17)), LONG: [17]}, 0.3, {HEAD: 100.0, SHORT: seconds, LONG: 1e4})
    assert sizes_of(of) == [("one", {HEAD: 1}), ("one", {LONG: 1}), ("sixteen", {SHORT: 16})]


def test_jobs_that_take_no_time_have_the_smallest_size() -> None:
    assert sizes_of(booted({SHORT: [0, 1]}, 0.3, {SHORT: 0.0})) == [("one", {SHORT: 1})] * 2


def test_a_large_node_is_worth_what_its_jobs_would_cost_alone() -> None:
    """For $0.80 it serves one that needs such a node anyway, and a small one that would cost $0.20."""
    both = {job(1): [0], job(12, size="sixteen"): [1]}
    assert loads(made(both, options={"max_price_factor": 4.0})) == {("sixteen", ((1, 1), (12, 1))): 1}
