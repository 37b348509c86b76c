"""What the API answers of budgets, and what it is told."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from arvnodeman.fleet.values.budgets import BudgetStanding
from arvnodeman.fleet.values.reasons import span
from arvnodeman.fleet.view.view import View
from arvnodeman.manage.answers import LONGEST_REASON
from arvnodeman.manage.json_kinds import Number, one_of

MOST_RAISED = 1e9  # $
STATES = ("open", "warned", "used up", "spent", "overdrawn", "unknown")


class RaiseInForceShown(Struct, frozen=True, gc=False):
    """What an operator has added to a budget for a while."""

    amount: Annotated[Number, Meta(description="$ on top of the limit")]
    until: Annotated[Number, Meta(description="seconds since the epoch")]
    ends: Annotated[str, Meta(description="the same, as local time")]
    reason: str


class BudgetShown(Struct, frozen=True, gc=False):
    """Where one budget stands. Amounts in $; those of the period are 0 while they are not known."""

    name: str
    state: Annotated[str, one_of(STATES)]
    words: Annotated[str, Meta(description="the same in a sentence")]
    limit: Annotated[Number, Meta(description="including an operator's raise")]
    per: str
    accounts: Annotated[list[str], Meta(description="none: all")]
    users: list[str]
    partitions: list[str]
    action: Annotated[str, one_of(("refuse", "warn"))]
    spent: Annotated[Number, Meta(description="in this period so far")]
    committed: Annotated[Number, Meta(description="by nodes that run or boot, to the end of time limits in the period")]
    forecast: Annotated[Number, Meta(description="for the whole period, at the rate of today")]
    ends: Annotated[str, Meta(description="the period's end as local time; empty: not known yet")]
    ends_seconds: Annotated[float | None, Meta(description="until then")]
    raised: RaiseInForceShown | None
    overdraft_reason: str
    unknown_before: Annotated[Number | None, Meta(description="epoch seconds: earlier cost in the period is unknown")]


class BudgetsShown(Struct, frozen=True, gc=False):
    """All budgets."""

    budgets: list[BudgetShown]


class RaiseGiven(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """By how much a budget is raised, until when and why."""

    amount: Annotated[float, Meta(ge=0, le=MOST_RAISED, description="$ on top of the limit; 0: no raise any more")]
    until: Annotated[float, Meta(ge=0, le=1e11, description="seconds since the epoch")] = 0.0
    reason: Annotated[str, Meta(max_length=LONGEST_REASON)] = ""


class RaisedShown(Struct, frozen=True, gc=False):
    """A budget has been raised."""

    budget: str
    amount: Number
    ends: str
    reason: str
    kept: Annotated[bool, Meta(description="a restart will know of it")]
    heard: Annotated[bool, Meta(description="the brain has received it; otherwise it will later")]


def budgets(view: View, t: float) -> list[BudgetShown]:
    """As the brain decides by them; `t`: steady time now."""
    return [_budget(each, t) for each in view.budgets]


def state_of(standing: BudgetStanding) -> str:
    """In one word."""
    if not standing.known:
        return "unknown"
    if standing.overdrawn:
        return "overdrawn"
    if standing.is_spent:
        return "spent"
    if standing.is_used_up:
        return "used up"
    return "warned" if standing.is_nearly_spent else "open"


def _budget(standing: BudgetStanding, t: float) -> BudgetShown:
    budget, raised = standing.budget, standing.raised
    return BudgetShown(
        name=budget.name,
        state=state_of(standing),
        words=_words(standing, t),
        limit=round(standing.limit, 4),
        per=budget.per.value,
        accounts=list(budget.accounts),
        users=list(budget.users),
        partitions=list(budget.partitions),
        action="refuse" if budget.refuses else "warn",
        spent=round(standing.spent, 4),
        committed=round(standing.committed, 4),
        forecast=round(standing.forecast, 4),
        ends=standing.ends,
        ends_seconds=None if standing.until is None else max(0.0, round(standing.until - t, 3)),
        raised=None if raised is None else RaiseInForceShown(raised.amount, raised.until, raised.ends, raised.reason),
        overdraft_reason=budget.overdraft_reason,
        unknown_before=standing.unknown_before,
    )


def _words(standing: BudgetStanding, t: float) -> str:
    """$12.30 spent and $3.00 committed of $100.00 a month, forecast $80.00; it ends at 2026-12-01 00:00 UTC (in 2.0 h):
    no new node is booted for it."""
    budget, raised = standing.budget, standing.raised
    if not standing.known:
        return f"of ${standing.limit:.2f} a {budget.per.value}; what is spent is not known yet"
    added = f", ${raised.amount:.2f} of it raised until {raised.ends}" if raised is not None else ""
    end = "" if standing.until is None else f"; it ends at {standing.ends} (in {span(standing.until - t)})"
    said = (
        f"${standing.spent:.2f} spent and ${standing.committed:.2f} committed of ${standing.limit:.2f} a "
        f"{budget.per.value}{added}, forecast ${standing.forecast:.2f}{end}"
    )
    if standing.unknown_before is not None:
        said += "; what nodes cost earlier in it is not known"
    return said + _consequence(standing)


def _consequence(standing: BudgetStanding) -> str:
    state, reason = state_of(standing), standing.budget.overdraft_reason
    if state == "overdrawn":
        return f"; it may be overdrawn{f': {reason}' if reason else ''}"
    if state not in ("used up", "spent"):
        return ""
    if not standing.budget.refuses:
        return ": it only warns"
    dry = ", and nodes that work only for it take no new jobs" if state == "spent" else ""
    return f": no new node is booted for it{dry}"
