"""How long a server asked us to wait: the Retry-After header, in both of its forms.

Whether to wait, and how long if the server does not say, the Fleet decides."""

from __future__ import annotations

import logging
import re
import time
from email.utils import mktime_tz, parsedate_tz

SHORTEST = 1.0  # seconds; 0 means that the server has no wish (row A12)
_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,9})?")
_log = logging.getLogger("ComputeNodeDriver")


def retry_after_seconds(value: object, now: float) -> float | None:
    """Seconds that a Retry-After value asks for at `now` (epoch seconds), never below 0.

    None, with a warning that shows the value, for one that is neither seconds nor a date (rows A12, A13)."""
    text = str(value).strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    date = date_seconds(text)
    if date is None:
        _log.warning("Unrecognizable Retry-After header: %.100r", text)
        return None
    return max(0.0, date - now)


def date_seconds(text: str) -> float | None:
    """An HTTP date as epoch seconds, or None for anything else."""
    try:
        parts = parsedate_tz(text)
        return None if parts is None else float(mktime_tz(parts))
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def asked_to_wait(error: Exception, longest: float = 300.0) -> float | None:
    """Seconds, from 1 to `longest` (or 1 if that is less), that the server behind an error asked us to wait (row A11).
    None when it did not say, or said 0: then the caller's own back-off goes on (row A12)."""
    asked = getattr(error, "retry_after", None)  # libcloud's RateLimitReachedError; 0 where there was no header
    if not asked:
        headers = getattr(error, "headers", None) or {}
        asked = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    seconds = None if asked is None else retry_after_seconds(asked, time.time())
    return None if not seconds else clamped(seconds, longest)


def clamped(seconds: float, longest: float) -> float:
    """The wait, within what makes sense."""
    return min(max(seconds, SHORTEST), max(longest, SHORTEST))
