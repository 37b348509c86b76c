"""Budgets in the plan: whose jobs get no new node, which ones go on, and what an overspend can be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pictures import BIG, LARGE, ONE, SMALL, T, booted, gone, idle, picture, supply
from world import policy

from arvnodeman.fleet.plan.picture import Chance, Ends, Picture
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.plan.purses import Funds
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.budgets import Budget, BudgetStanding, Period
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.fleet.values.reasons_of_budgets import BudgetUnknown, OverBudget

HOUR = 3600.0
PHYSICS = replace(ONE, owner=JobOwner("ada", "physics"))
BIOLOGY = replace(ONE, owner=JobOwner("bob", "biology"))
LARGE_PHYSICS = replace(BIG, owner=JobOwner("ada", "physics"))
PAIRS = replace(PHYSICS, nodes=2)


def standing(budget: str = "physics", limit: float = 1.0, **more: Any) -> BudgetStanding:
    """A budget of one account, as far as nothing else is said; a day is left of its period."""
    of: dict[str, Any] = {"accounts": ("physics",)}
    of |= {each: more.pop(each) for each in ("accounts", "users", "partitions", "refuses") if each in more}
    given = Budget(budget, limit, Period.MONTH, **of)
    known: dict[str, Any] = {"known": True, "until": T + 24 * HOUR, "ends": "2026-12-01 00:00 UTC"}
    return BudgetStanding(given, limit, **(known | more))


def asked(jobs: dict[JobShape, list[int]], *standings: BudgetStanding, **more: Any) -> Picture:
    """A small node runs for an hour, so it commits $0.10, and a large one $0.40."""
    tally = more.pop("tally", None)
    known = {each: more.pop(each) for each in ("limits", "coming") if each in more}
    return picture(jobs, tally, funds=Funds(standings, lives={"": HOUR}, **known), **more)


def causes(made: Any) -> dict[JobShape, reasons.Reason | None]:
    return {shape: share.cause for shape, share in made.shares.items()}


@pytest.mark.parametrize(
    ("left", "nodes"),
    [(1.0, 8), (0.3, 3), (0.25, 3), (0.21, 3), (0.2, 2), (0.05, 1), (0.0, 0), (-5.0, 0)],
)
def test_nodes_are_booted_until_the_limit_is_committed(left: float, nodes: int) -> None:
    """The last one may go beyond it, as nothing smaller than a node can be had."""
    made = plan(asked({PHYSICS: list(range(8))}, standing(limit=1.0, spent=1.0 - left)))
    assert booted(made) == [("small", PHYSICS)] * nodes
    over = causes(made)[PHYSICS]
    assert (over is None) == (nodes == 8)
    if over is not None:
        assert over.words(T).startswith("budget physics ($1.00 a month) is used up: ")
        assert over.words(T).endswith(
            "it frees at 2026-12-01 00:00 UTC (in 24.0 h), or when what is committed ends early"
        )


def test_everybody_else_goes_on() -> None:
    """Also who stands behind a job that its budget stops, and a job of the same account that no budget covers."""
    spent = standing(spent=2.0, partitions=("gpu",))
    in_gpu, in_cpu = replace(PHYSICS, partitions=("gpu",)), replace(PHYSICS, partitions=("cpu",))
    made = plan(asked({in_gpu: [0, 1], BIOLOGY: [2], in_cpu: [3]}, spent))
    assert booted(made) == [("small", BIOLOGY), ("small", in_cpu)]
    assert made.stopped is None
    assert isinstance(causes(made)[in_gpu], OverBudget)


def test_a_budget_that_only_warns_or_is_overdrawn_stops_nothing() -> None:
    for each in (standing(spent=2.0, refuses=False), standing(spent=2.0, overdrawn=True)):
        assert booted(plan(asked({PHYSICS: [0, 1]}, each))) == [("small", PHYSICS)] * 2


def test_of_two_budgets_both_hold_and_the_nearer_is_named() -> None:
    month, day = standing("month", 100.0, spent=99.9), standing("day", 5.0, spent=5.1)
    made = plan(asked({PHYSICS: [0, 1]}, month, day))
    assert booted(made) == []
    cause = causes(made)[PHYSICS]
    assert isinstance(cause, OverBudget)
    assert cause.budget == "day"
    made = plan(asked({PHYSICS: [0, 1, 2]}, month, replace(day, spent=1.0)))
    assert booted(made) == [("small", PHYSICS)]  # $0.10 are left of the month
    cause = causes(made)[PHYSICS]
    assert isinstance(cause, OverBudget)
    assert cause.budget == "month"


def test_what_was_spent_is_not_known_yet() -> None:
    """After a start, until the first figures have come."""
    made = plan(asked({PHYSICS: [0], BIOLOGY: [1]}, standing(known=False, until=None)))
    assert booted(made) == [("small", BIOLOGY)]
    assert causes(made)[PHYSICS] == BudgetUnknown(budget="physics")


def test_a_node_commits_what_its_time_limit_says_and_no_more_than_the_period() -> None:
    jobs = {PHYSICS: list(range(9))}
    assert len(plan(asked(jobs, standing(limit=1.0), limits={PHYSICS: 5 * HOUR})).boots) == 2  # $0.50 each
    near = standing(limit=1.0, until=T + HOUR / 2)
    assert len(plan(asked({PHYSICS: list(range(30))}, near, limits={PHYSICS: 5 * HOUR})).boots) == 20  # $0.05 each


def test_a_job_of_several_nodes_has_all_or_none() -> None:
    made = plan(asked({PAIRS: [0, 1, 2]}, standing(limit=0.3)))
    assert booted(made) == [("small", PAIRS)] * 4  # the second began while $0.10 were left
    made = plan(asked({PAIRS: [0]}, standing(limit=0.3, spent=0.3)))
    assert booted(made) == []


def test_a_job_whose_nodes_are_of_two_sizes_has_the_second_with_the_first() -> None:
    """There may be one of the small size, as a probe. It takes all that is left."""
    probe = SizeHealth(proven=True, backing_off=BackOff.CAPACITY, until=T - 1)
    health = {"small": probe, "large": SizeHealth(proven=True)}
    wide = policy(max_price_factor=4.0)
    made = plan(asked({PAIRS: [0]}, standing(limit=0.05), health=health, policy=wide))
    assert booted(made) == [("small", PAIRS), ("large", PAIRS)]


def test_the_rest_of_a_job_comes_when_its_first_nodes_have_been_booted() -> None:
    """They would stand there, and cost, for nothing."""
    coming = supply(small=(0, 1, 0, 0))
    spent = standing(limit=0.3, spent=0.2, committed=0.1)
    assert booted(plan(asked({PAIRS: [0]}, spent, tally=coming, coming={PAIRS: 1}))) == [("small", PAIRS)]
    assert booted(plan(asked({PAIRS: [0]}, spent, tally=coming))) == []  # that node is another's


def test_nodes_that_are_there_serve_until_all_is_spent() -> None:
    """What is committed is meant for them. Then they are for others, and go where nobody wants them."""
    nodes = Ends(idle={"small": [idle("a")]}, chances={"a": Chance(reasons.IdleExceeded(polls=5), 5, enough=True)})
    used_up = standing(limit=1.0, spent=0.9, committed=0.2)
    made = plan(asked({PHYSICS: [0]}, used_up, tally=supply(small=(1, 0, 0, 0)), ends=nodes))
    assert made.shares[PHYSICS].served == 1
    assert gone(made) == []
    spent = standing(limit=1.0, spent=1.0)
    made = plan(asked({PHYSICS: [0]}, spent, tally=supply(small=(1, 0, 0, 0)), ends=nodes))
    assert (made.shares[PHYSICS].served, made.shares[PHYSICS].waits) == (0, False)
    assert isinstance(made.shares[PHYSICS].cause, OverBudget)
    assert gone(made) == ["a"]


def test_a_budget_for_all_stops_min_nodes_too() -> None:
    few = policy(min_nodes=2)
    everybodys = standing(limit=1.0, spent=1.0, accounts=())
    assert booted(plan(asked({}, everybodys, policy=few))) == []
    assert booted(plan(asked({}, standing(limit=1.0, spent=1.0), policy=few))) == [("small", None)] * 2


def test_jobs_that_share_nodes_are_stopped_likewise() -> None:
    takes = Footprint(1)
    jobs = {replace(PHYSICS, takes=takes): list(range(8)), replace(BIOLOGY, takes=takes): [8]}
    made = plan(asked(jobs, standing(spent=1.0)))
    assert [new.size.id for new in made.boots] == ["small"]
    assert causes(made)[replace(BIOLOGY, takes=takes)] is None
    assert isinstance(causes(made)[replace(PHYSICS, takes=takes)], OverBudget)
    free = plan(asked(jobs, standing(limit=1000.0)))
    assert free.shares == plan(picture(jobs)).shares


def test_a_plan_without_budgets_is_the_same() -> None:
    jobs = {PHYSICS: [0, 1], BIOLOGY: [2], LARGE_PHYSICS: [3]}
    assert plan(asked(jobs)).shares == plan(picture(jobs)).shares
    assert SMALL.price < LARGE.price
