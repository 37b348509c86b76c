"""What budgets have spent in their periods: with a wrong clock, over the ends of months, after a loss of history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from arvnodeman.fleet.values.budgets import Budget, Period
from arvnodeman.history.treasury import Treasury
from arvnodeman.money.division import PaidNode, Stake, Stay
from arvnodeman.money.ledger import CostLedger, NodeBill
from arvnodeman.money.payers import Payer

ADA, BOB = Payer("ada", "physics", "", "gpu"), Payer("bob", "biology", "", "cpu")
PHYSICS = Budget("physics", 100.0, Period.MONTH, accounts=("physics",))
HOUR, DAY = 3600.0, 86_400.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Books(CostLedger):
    """A ledger that is whole, of nodes that somebody writes down."""

    is_ready = True

    def __init__(self, since: float = 0.0) -> None:
        super().__init__(since)
        self.open: list[NodeBill] = []

    def node(
        self,
        began: float,
        ended: float | None = None,
        payer: Payer = ADA,
        *,
        limit: float | None = None,
        price: float = 1.0,
    ) -> None:
        """One with one job on it, for as long as it lives."""
        host = f"compute{len(self.open)}"
        stay = Stay(Stake("1", payer, 1.0), began, ended, limit)
        bill = NodeBill(PaidNode(price, began, ended, "small"), [stay], host=host)
        if ended is not None:
            self.settle(bill, ended)
            self.lived("small", ended - began)
            return
        self.open.append(bill)
        self.follow(self.open)


def test_a_month_is_what_was_spent_since_it_began() -> None:
    books = Books()
    books.node(at("2026-10-31T20:00"), at("2026-11-01T05:00"))  # 5 hours of it in November
    books.node(at("2026-11-10T00:00"), at("2026-11-10T10:00"))
    books.node(at("2026-11-10T00:00"), at("2026-11-10T10:00"), BOB)
    spent = Treasury(books).spending([PHYSICS], at("2026-11-20")).budgets["physics"]
    assert spent.spent == pytest.approx(15.0)
    assert (spent.since, spent.until) == (at("2026-11-01"), at("2026-12-01"))
    assert spent.ends == "2026-12-01 00:00 UTC"
    assert spent.unknown_before is None


def test_with_the_month_all_begins_anew_and_what_runs_on_is_divided() -> None:
    books = Books()
    books.node(at("2026-11-30T22:00"), limit=at("2026-12-01T04:00"))
    treasury = Treasury(books)
    before = treasury.spending([PHYSICS], at("2026-11-30T23:00")).budgets["physics"]
    assert [before.spent, before.committed] == pytest.approx([1.0, 1.0])  # an hour of November is left
    after = treasury.spending([PHYSICS], at("2026-12-01T00:30")).budgets["physics"]
    assert [after.spent, after.committed] == pytest.approx([0.5, 3.5])


def test_without_a_time_limit_the_mean_life_counts() -> None:
    books = Books()
    books.node(at("2026-11-10T00:00"), at("2026-11-10T10:00"))
    books.node(at("2026-11-20T00:00"))
    spending = Treasury(books).spending([PHYSICS], at("2026-11-20T04:00"))
    assert spending.lives == {"small": 10 * HOUR, "": 10 * HOUR}
    assert spending.budgets["physics"].committed == pytest.approx(6.0)
    assert spending.counted == {"compute0"}


def test_the_rate_is_that_of_the_last_day() -> None:
    books = Books()
    books.node(at("2026-11-10T00:00"), at("2026-11-15T00:00"))
    books.node(at("2026-11-19T12:00"), at("2026-11-20T00:00"))
    spent = Treasury(books).spending([PHYSICS], at("2026-11-20")).budgets["physics"]
    assert spent.per_hour == pytest.approx(0.5)


def test_a_history_that_was_lost_is_said() -> None:
    """What is there is counted from when it began, as the cloud's list says; what was before nobody knows."""
    books = Books(at("2026-11-20"))
    books.node(at("2026-11-19T20:00"))
    spent = Treasury(books).spending([PHYSICS], at("2026-11-20T01:00")).budgets["physics"]
    assert spent.spent == pytest.approx(5.0)
    assert spent.unknown_before == at("2026-11-20")
    assert Treasury(books).spending([PHYSICS], at("2026-12-02")).budgets["physics"].unknown_before is None


def test_before_the_ledger_is_whole_nothing_is_said() -> None:
    books = Books()
    books.is_ready = False
    assert Treasury(books).spending([PHYSICS], at("2026-11-20")).budgets == {}


def test_a_clock_that_is_ahead_begins_no_month() -> None:
    """The cloud's answers say what day it is."""
    books = Books()
    books.node(at("2026-11-10T00:00"), at("2026-11-10T10:00"))
    books.node(at("2026-12-04T00:00"), at("2026-12-04T01:00"))  # as the wrong clock has it
    spent = Treasury(books, lambda: -10 * DAY).spending([PHYSICS], at("2026-12-05")).budgets["physics"]
    assert spent.spent == pytest.approx(11.0)
    assert spent.ends == "2026-12-01 00:00 UTC"
    assert spent.until == at("2026-12-11")  # by our clock


def test_a_clock_that_goes_back_does_not_bring_the_last_month_back() -> None:
    books = Books()
    treasury = Treasury(books)
    assert treasury.spending([PHYSICS], at("2026-12-01T00:10")).budgets["physics"].since == at("2026-12-01")
    assert treasury.spending([PHYSICS], at("2026-11-30T23:50")).budgets["physics"].since == at("2026-12-01")


def test_a_clock_that_was_ahead_and_is_right_again_has_begun_nothing() -> None:
    offset: list[float | None] = [None]
    treasury = Treasury(Books(), lambda: offset[0])
    assert treasury.spending([PHYSICS], at("2027-01-05")).budgets["physics"].since == at("2027-01-01")
    offset[0] = 0.2
    assert treasury.spending([PHYSICS], at("2026-11-30")).budgets["physics"].since == at("2026-11-01")


def test_a_day_is_that_of_its_zone() -> None:
    daily = replace(PHYSICS, per=Period.DAY, zone="Europe/Berlin")
    books = Books()
    books.node(at("2026-10-24T20:00"), at("2026-10-25T23:30"))
    spent = Treasury(books).spending([daily], at("2026-10-25T22:00")).budgets["physics"]
    assert spent.until - spent.since == 25 * HOUR
    assert spent.spent == pytest.approx(24.0)  # from 22:00 UTC of the day before on
    assert spent.ends == "2026-10-26 00:00 Europe/Berlin"


def test_who_works_for_a_budget_alone_is_told() -> None:
    books = Books()
    books.node(at("2026-11-20"))
    books.node(at("2026-11-20"), payer=BOB)
    books.node(at("2026-11-20"))
    books.open[2].stays.append(Stay(Stake("2", BOB, 0.5), at("2026-11-20")))
    spending = Treasury(books).spending([PHYSICS], at("2026-11-20T01:00"))
    assert spending.counted == {"compute0", "compute1", "compute2"}
    assert spending.alone == {"physics": {"compute0"}}
