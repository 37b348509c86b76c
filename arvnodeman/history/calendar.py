"""Periods of the calendar: when the hour, day, week or month begins and ends that a moment is in, in a time zone.

A period begins when the clocks of the zone show so. A day has 23 or 25 hours where they are put forward or back, a week
begins on Monday.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from arvnodeman.fleet.values.budgets import Period


def zone_named(name: str) -> tzinfo:
    """The time zone of this name. Raises ValueError and its like for one that does not exist."""
    return UTC if name == "UTC" else ZoneInfo(name)


def period_of(per: Period, at: float, zone: tzinfo) -> tuple[float, float]:
    """From when until when the period lasts that this moment is in; seconds since the epoch."""
    second = math.floor(at)  # datetime rounds to microseconds, and so perhaps into the next one
    here = datetime.fromtimestamp(second, zone)
    if per is Period.HOUR:
        begun = float(second - here.minute * 60 - here.second)
        return begun, begun + 3600
    today = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match per:
        case Period.DAY:
            first, following = today, today + timedelta(days=1)
        case Period.WEEK:
            first = today - timedelta(days=today.weekday())
            following = first + timedelta(days=7)
        case _:
            first = today.replace(day=1)
            following = (first + timedelta(days=31)).replace(day=1)
    return first.timestamp(), following.timestamp()


def shown(at: float, zone: tzinfo, name: str) -> str:
    """A moment to the minute, with the zone's name."""
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M} {name}"
