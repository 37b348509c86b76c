"""What a node commits of a budget, and what budgets say of the next one."""

from __future__ import annotations

from typing import Any

import pytest
from pictures import BIG, ONE, PAIR, SMALL, T

from arvnodeman.fleet.plan.purses import Funds, Purses, nearest, over
from arvnodeman.fleet.values.budgets import HALF_CENT, USUAL_LIFE, Budget, BudgetRaise, BudgetStanding, Period
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons_of_budgets import BudgetUnknown, OverBudget

HOUR = 3600.0


def standing(name: str = "b", left: float = 1.0, **more: Any) -> BudgetStanding:
    """A budget that pays for everybody; what is not left is spent."""
    known: dict[str, Any] = {"known": True, "spent": 10.0 - left}
    return BudgetStanding(Budget(name, 10.0, Period.MONTH), 10.0, **(known | more))


# ---- one node --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("funds", "shape", "size", "seconds"),
    [
        (Funds(), ONE, "small", USUAL_LIFE),
        (Funds(), None, "small", USUAL_LIFE),
        (Funds(lives={"": 50.0}), ONE, "small", 50.0),
        (Funds(lives={"": 50.0, "small": 70.0}), ONE, "small", 70.0),
        (Funds(lives={"": 50.0, "small": 70.0}), None, "large", 50.0),
        (Funds(limits={ONE: 90.0}, lives={"small": 70.0}), ONE, "small", 90.0),
        (Funds(limits={ONE: 90.0}, lives={"small": 70.0}), BIG, "small", 70.0),
        (Funds(limits={ONE: 90.0}, lives={"small": 70.0}), None, "small", 70.0),
    ],
)
def test_a_node_lives_as_long_as_its_job_may_else_as_those_of_its_size(
    funds: Funds, shape: JobShape | None, size: str, seconds: float
) -> None:
    assert funds.life(shape, size) == seconds
    assert funds.cost(standing(), shape, size, 0.5, T) == 0.5 * seconds / HOUR


@pytest.mark.parametrize(("until", "seconds"), [(None, 70.0), (T + 99, 70.0), (T + 9, 9.0), (T + 0.5, 0.5), (T - 9, 0)])
def test_it_costs_a_period_no_more_than_that_has_left(until: float | None, seconds: float) -> None:
    cost = Funds(lives={"small": 70.0}).cost(standing(until=until), None, "small", 7200.0, T)
    assert cost == pytest.approx(2.0 * seconds)


def test_of_several_budgets_the_one_with_least_left_is_named() -> None:
    few, many, also = standing("z", 0.1), standing("a", 0.2), standing("y", 0.1)
    assert nearest([many, few]) is few
    assert nearest([few, many]) is few
    assert nearest([few, also]) is also


def test_all_figures_are_told() -> None:
    known: dict[str, Any] = {"spent": 8.0, "committed": 3.0, "ends": "noon", "until": T + 9}
    raised = standing(raised=BudgetRaise("b", 1.5, T + 5), **known)
    told = OverBudget(until=T + 9, budget="b", limit=10.0, per="month", spent=8.0, committed=3.0, ends="noon")
    assert over(standing(**known)) == told
    assert over(raised) == OverBudget(
        until=T + 9, budget="b", limit=10.0, per="month", spent=8.0, committed=3.0, ends="noon", raised=1.5
    )


# ---- one after the other ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "stops"), [(2 * HALF_CENT, False), (HALF_CENT, False), (0.004, True), (-1.0, True)])
def test_less_than_half_a_cent_is_nothing(left: float, stops: bool) -> None:
    exactly = BudgetStanding(Budget("b", left, Period.DAY), left, known=True)
    assert (Purses(Funds((exactly,)), T).stops(ONE) is not None) == stops


def test_what_is_taken_is_what_nodes_of_that_size_cost() -> None:
    purses = Purses(Funds((standing(left=0.25),), lives={"": 9 * HOUR, "small": HOUR}), T)
    for _ in range(2):
        purses.take(ONE, SMALL, 1)
        assert purses.stops(ONE) is None
    purses.take(ONE, SMALL, 1)
    assert isinstance(purses.stops(ONE), OverBudget)
    assert isinstance(purses.stops(None), OverBudget)


def test_the_rest_of_a_job_follows_its_first_nodes() -> None:
    """By this plan, or of those that come for its group some are over: its own."""
    purses = Purses(Funds((standing(left=0.01),)), T)
    purses.take(PAIR, SMALL, 1, place=7)
    assert purses.stops(PAIR, 7, partly=1) is None
    assert isinstance(purses.stops(PAIR, 8, partly=1), OverBudget)  # another job: its node is of those that are there
    assert isinstance(purses.stops(PAIR, 7), OverBudget)
    assert isinstance(purses.stops(BIG, 7, partly=1), OverBudget)


@pytest.mark.parametrize(("coming", "stops"), [(0, True), (1, False), (2, True), (3, False)])
def test_nodes_that_come_for_a_group_are_those_of_a_job_that_lacks_some(coming: int, stops: bool) -> None:
    purses = Purses(Funds((standing(left=0.0),), coming={PAIR: coming}), T)
    assert (purses.stops(PAIR, 3, partly=1) is not None) == stops
    assert purses.stops(PAIR, 3) is not None


def test_a_budget_of_which_nothing_is_known_says_until_when() -> None:
    unknown = standing("u", known=False, until=T + 5)
    assert Purses(Funds((standing(left=-1.0), unknown)), T).stops(ONE) == BudgetUnknown(until=T + 5, budget="u")
