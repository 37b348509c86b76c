"""[Budget NAME]: what nodes for some jobs may cost in a period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from arvnodeman.config.kinds import NAMES, NUMBER, TEXT, choice
from arvnodeman.config.option import BUDGET, Kind, Option, option, option_of, section
from arvnodeman.config.time_zones import UTC_NAME, ZONE, zone_named
from arvnodeman.fleet.values.budgets import Budget, Period

ALL = "all"


def _names_or_all(option: Option, text: str) -> tuple[str, ...]:
    return () if text.lower() == ALL else NAMES.read(option, text)


def _date(_option: Option, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or not text[:4].isdecimal():
        raise ValueError(f"{text[:40]!r} is not a date")
    return found


NAMES_OR_ALL: Kind[tuple[str, ...]] = Kind("names separated by commas, or all", _names_or_all, (), has_commas=True)
DATE: Kind[datetime | None] = Kind("YYYY-MM-DD or YYYY-MM-DDTHH:MM", _date, None)


@section(BUDGET)
class BudgetSettings:
    """One [Budget NAME]."""

    limit: float = option(
        NUMBER, None, "What nodes for the jobs of this budget may cost in each period.", "$", low=0, example="500"
    )
    per: Period = option(
        choice(*Period),
        "month",
        "The period: it begins with the hour, day, week (Monday) or month of `time_zone`.",
    )
    accounts: tuple[str, ...] = option(
        NAMES_OR_ALL, ALL, "Slurm accounts whose jobs it pays for. A job must match all three lists."
    )
    users: tuple[str, ...] = option(
        NAMES_OR_ALL, ALL, "Users whose jobs it pays for; for containers, users of Arvados."
    )
    partitions: tuple[str, ...] = option(
        NAMES_OR_ALL, ALL, "Slurm partitions whose jobs it pays for: one that a job may run in is enough."
    )
    action: Literal["refuse", "warn"] = option(
        choice("refuse", "warn"),
        "refuse",
        "`refuse`: at the limit no new node is booted for its jobs. Nothing that runs is ended. `warn`: the log, the "
        "metrics and the page say so, and nothing else.",
    )
    overdraft_until: datetime | None = option(
        DATE, "", "Until this time, by the clocks of `time_zone`, it refuses nothing. Empty: no overdraft."
    )
    reason: str = option(TEXT, "", "Why it may be overdrawn; a text for people.")
    time_zone: str = option(ZONE, UTC_NAME, "The time zone in which periods begin. Clouds bill in UTC.")

    def budget(self, name: str) -> Budget:
        """As the Fleet knows it."""
        overdraft = self.overdraft_until
        if overdraft is not None:
            overdraft = overdraft.replace(tzinfo=zone_named(self.time_zone))
        return Budget(
            name=name,
            limit=self.limit,
            per=self.per,
            accounts=self.accounts,
            users=self.users,
            partitions=self.partitions,
            refuses=self.action == "refuse",
            overdraft_until=None if overdraft is None else overdraft.timestamp(),
            overdraft_reason=self.reason,
            zone=self.time_zone,
        )


def mistakes_of_budget(budget: BudgetSettings) -> Iterator[tuple[str, str]]:
    """Options whose values cannot be what is meant, and why."""
    if budget.overdraft_until is not None and not budget.reason:
        yield option_of(BudgetSettings.reason).name, "missing; required with overdraft_until: text"
