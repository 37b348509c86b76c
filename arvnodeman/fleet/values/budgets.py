"""Budgets: what nodes may cost in a period of the calendar, for whose jobs, and what has become of that.

A budget brakes nodes and never kills: at its limit no new node is booted for jobs that it covers. Amounts are in $,
moments are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arvnodeman.fleet.values.model import JobShape

HALF_CENT = 0.005  # $: less than that is nothing
USUAL_LIFE = 3600.0  # seconds that a node lives, where none of its size has ended yet
WARN_AT = 0.8  # of the limit: worth a warning, once in each period


class Period(StrEnum):
    """What a limit is for."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  # from Monday on
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Budget:
    """One `[Budget NAME]` section. It covers a job whose account, user and partition are all in its lists."""

    name: str
    limit: float
    per: Period
    accounts: tuple[str, ...] = ()  # empty: all
    users: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    refuses: bool = True  # at its limit; else it only warns
    overdraft_until: float | None = None  # until then nothing is refused
    overdraft_reason: str = ""
    zone: str = "UTC"  # in which a period begins

    def covers(self, shape: JobShape | None) -> bool:
        """Does it pay for nodes for such jobs? None: a node for nobody's, which only a budget for all pays for."""
        if shape is None:
            return not (self.accounts or self.users or self.partitions)
        if self.accounts and shape.owner.account not in self.accounts:
            return False
        if self.users and shape.owner.payer not in self.users:
            return False
        return not self.partitions or not {*self.partitions}.isdisjoint(shape.partitions)


@dataclass(frozen=True, slots=True)
class Spent:
    """What has become of one budget, as of the moment of a `Spending`."""

    since: float  # the period's begin
    until: float  # its end: then it frees
    spent: float = 0.0  # in it, so far
    committed: float = 0.0  # by what runs: to the end of its time limits, within the period
    per_hour: float = 0.0  # $/hour, of today
    ends: str = ""  # the period's end by the clock on the wall, with its zone
    unknown_before: float | None = None  # what nodes cost before that is not known; None: all of the period is


@dataclass(frozen=True, slots=True)
class Spending:
    """What has been spent, as it comes with a queue. Budgets that it does not name are not known yet."""

    at: float = 0.0
    budgets: Mapping[str, Spent] = field(default_factory=dict)  # by name
    counted: frozenset[str] = frozenset()  # nodes whose work is in `committed`, by hostname
    alone: Mapping[str, frozenset[str]] = field(default_factory=dict)  # by budget: those of them that work for it alone
    lives: Mapping[str, float] = field(default_factory=dict)  # mean life of a node in seconds, by size; '': of any


NOTHING_SPENT = Spending()


@dataclass(frozen=True, slots=True)
class BudgetRaise:
    """An operator has raised a budget's limit for a while. A later one of the same budget takes its place."""

    budget: str
    amount: float  # on top of the limit; 0: no raise any more
    until: float
    reason: str = ""
    at: float = 0.0  # when it was said
    ends: str = ""  # `until`, by the clock on the wall


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """Where one budget stands now, as it is decided by and shown. Times in `until` are steady seconds."""

    budget: Budget
    limit: float  # with what an operator has added
    raised: BudgetRaise | None = None  # in force
    overdrawn: bool = False  # overdraft_until is not over: nothing is refused
    known: bool = False  # what was spent has been heard
    spent: float = 0.0
    committed: float = 0.0
    forecast: float = 0.0  # to the period's end, at today's rate
    ends: str = ""  # the period's end, by the clock on the wall
    until: float | None = None  # the same in steady time; None: not known
    unknown_before: float | None = None

    @property
    def left(self) -> float:
        """What may be committed yet."""
        return self.limit - self.spent - self.committed

    @property
    def refuses(self) -> bool:
        """Would it refuse a node if its money is gone?"""
        return self.budget.refuses and not self.overdrawn

    @property
    def is_nearly_spent(self) -> bool:
        """Is so much spent that it is worth a warning?"""
        return self.known and self.spent > WARN_AT * self.limit - HALF_CENT

    @property
    def is_used_up(self) -> bool:
        """Is its limit reached by what is spent and committed?"""
        return self.known and self.left < HALF_CENT

    @property
    def is_spent(self) -> bool:
        """Is all of it spent?"""
        return self.known and self.spent > self.limit - HALF_CENT
