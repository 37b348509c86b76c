"""Why a job has no node yet, and why a node takes no new jobs: budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from arvnodeman.fleet.values.reasons import Reason, span


@dataclass(frozen=True, slots=True)
class OverBudget(Reason):
    """A budget that pays for such jobs is at its limit. Amounts in $."""

    budget: str = ""
    limit: float = 0.0
    per: str = ""
    spent: float = 0.0
    committed: float = 0.0
    ends: str = ""  # the period's end, by the clock on the wall
    raised: float = 0.0  # of the limit, by an operator

    def words(self, t: float) -> str:
        """budget physics ($100 a month) is used up: $97.20 spent, $3.10 committed; it frees at 2026-12-01 00:00 UTC."""
        raised = f", ${self.raised:.2f} of it raised" if self.raised else ""
        figures = f"${self.spent:.2f} spent, ${self.committed:.2f} committed"
        return f"{self.rule}{raised} is used up: {figures}; {self._frees(t)}"

    @property
    def rule(self) -> str:
        """budget physics ($100.00 a month)"""
        return f"budget {self.budget} (${self.limit:.2f} a {self.per})"

    def _frees(self, t: float) -> str:
        at = f" at {self.ends}" if self.ends else ""
        soon = f" (in {span(self.until - t)})" if self.until is not None else ""
        return f"it frees{at}{soon}, or when what is committed ends early"


@dataclass(frozen=True, slots=True)
class BudgetUnknown(Reason):
    """What a budget has spent has not been worked out yet."""

    budget: str = ""

    def words(self, t: float) -> str:
        """what budget physics has spent is not known yet."""
        return f"what budget {self.budget} has spent is not known yet"


@dataclass(frozen=True, slots=True)
class BudgetSpent(Reason):
    """A node at work for jobs of a budget that is spent: it takes no new ones, and goes when they have ended."""

    goes: ClassVar[bool] = True
    budget: str = ""

    def words(self, t: float) -> str:
        """it works for budget physics alone, which is spent: it takes no new jobs."""
        return f"it works only for budget {self.budget}, which is spent: it takes no new jobs"
