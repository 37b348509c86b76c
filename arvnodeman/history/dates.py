"""Moments as people write them: dates, and how long ago."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, tzinfo

WORDS = "YYYY-MM-DD, YYYY-MM-DDTHH:MM, 30min, 12h, 7d or 4w ago, today, yesterday, this-month, last-month or now"
_AGO = re.compile(r"([0-9]{1,6})(min|[hdw])")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_FIRST = 0.0  # seconds since the epoch: no history is older


class NoDate(ValueError):
    """The text says so in one line."""


def moment(text: str, now: float, zone: tzinfo | None = None) -> float:
    """Seconds since the epoch; where the text names no zone, in this one. None: this machine's. Raises NoDate."""
    try:
        when = _moment(text.strip(), datetime.fromtimestamp(now, zone))
        found = (when if when.tzinfo is not None else when.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise NoDate(f"{text[:40]!r} is not a date; allowed: {WORDS}") from None
    if found < _FIRST:
        raise NoDate(f"{text[:40]!r} is before 1970")
    return found


def _moment(text: str, now: datetime) -> datetime:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = today.replace(day=1)
    match text:
        case "now":
            return now
        case "today":
            return today
        case "yesterday":
            return today - timedelta(days=1)
        case "this-month":
            return month
        case "last-month":
            return (month - timedelta(days=1)).replace(day=1)
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * _UNITS[ago[2]]
    if not re.match(r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]", text):
        raise ValueError
    return datetime.fromisoformat(text)


def shown(at: float, zone: tzinfo | None = None) -> str:
    """A moment to the minute, in this zone. None: this machine's."""
    if zone is not None:
        return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
