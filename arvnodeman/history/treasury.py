"""What budgets have spent by now: the ledger, asked for their periods.

The clock may be wrong. A period that has begun is not left for an earlier one, and the next one begins only when the
clocks of the servers that were heard of agree with ours, as far as any was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from arvnodeman.fleet.values.budgets import NOTHING_SPENT, Budget, Period, Spending, Spent
from arvnodeman.history.calendar import period_of, shown, zone_named
from arvnodeman.money.payers import Whose

HOUR, DAY = 3600.0, 86_400.0
QUARTER = 900.0  # seconds: the steps of the ledger
WRONG = 60.0  # seconds: clocks that differ by less agree


class Bookkeeper(Protocol):
    """Who keeps the ledger."""

    @property
    def is_ready(self) -> bool:
        """Has it heard of what earlier runs have left?"""
        ...

    @property
    def known_since(self) -> float:
        """Nothing before this moment is known."""
        ...

    def spent(self, since: float, until: float, whose: Whose) -> float:
        """What these have spent between two moments, in $."""
        ...

    def work(self, now: float, until: float, whose: Whose) -> float:
        """What these will spend up to `until` by what runs now, in $."""
        ...

    def at_work(self, now: float) -> frozenset[str]:
        """The hostnames of nodes on which something runs."""
        ...

    def only_for(self, now: float, whose: Whose) -> frozenset[str]:
        """Those of them on which nobody else has anything."""
        ...

    def lives(self) -> dict[str, float]:
        """Mean seconds that nodes live, by size; '' of any."""
        ...


def whose(budget: Budget) -> Whose:
    """Whose costs a budget pays."""
    return Whose(*(frozenset(names) for names in (budget.accounts, budget.users, budget.partitions)))


class Treasury:
    """For one thread."""

    def __init__(self, books: Bookkeeper, offset: Callable[[], float | None] = lambda: None) -> None:
        """`offset`: how far the servers' clocks are ahead of ours, in seconds; None: none was heard of."""
        self._books = books
        self._offset = offset
        self._begun: dict[str, float] = {}  # by budget: the latest period that was believed

    def spending(self, budgets: Sequence[Budget], now: float) -> Spending:
        """At this moment, in seconds since the epoch by our clock. Of no budget before the ledger is whole."""
        if not self._books.is_ready:
            return NOTHING_SPENT
        offset = self._offset()
        at = now if offset is None or abs(offset) <= WRONG else now + offset
        if offset is not None:  # a clock that was ahead, and is not any more, has begun nothing
            self._begun = {name: begun for name, begun in self._begun.items() if begun <= at}
        return Spending(
            at=now,
            budgets={budget.name: self._spent(budget, now, at) for budget in budgets},
            counted=self._books.at_work(now),
            lives=self._books.lives(),
            alone={each.name: self._books.only_for(now, whose(each)) for each in budgets},
        )

    def _spent(self, budget: Budget, now: float, at: float) -> Spent:
        zone, payers = zone_named(budget.zone), whose(budget)
        since, until = period_of(budget.per, max(at, self._begun.get(budget.name, at)), zone)
        self._begun[budget.name] = since
        ahead = now - at
        until, known = until + ahead, self._books.known_since
        window = max(now - (HOUR if budget.per is Period.HOUR else DAY), known)
        window = math.floor(window / QUARTER) * QUARTER
        hours = (now - max(window, known)) / HOUR
        return Spent(
            since=since,
            until=max(until, now + 1.0),
            spent=self._books.spent(since, max(now, at), payers),
            committed=self._books.work(now, until, payers),
            per_hour=self._books.spent(window, now, payers) / hours if hours > 0 else 0.0,
            ends=shown(until - ahead, zone, budget.zone),
            unknown_before=known if known > since else None,
        )
