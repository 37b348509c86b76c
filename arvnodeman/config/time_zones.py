"""Time zones by their names, as people write them."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from arvnodeman.config.option import Kind, Option, nearest

UTC_NAME = "UTC"


def zone_named(name: str) -> tzinfo:
    """By this machine's time zone database; UTC is known without one. Raises ValueError with words, which name the
    nearest."""
    if name.upper() == UTC_NAME:
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        known = available_timezones()
        like = nearest(name, known, cutoff=0.6)
        hint = f"; the nearest is {like}" if like else "" if known else "; it knows none but UTC"
        raise ValueError(f"this machine knows no time zone {name[:40]!r}{hint}") from None


def _zone(_option: Option, text: str) -> str:
    return UTC_NAME if zone_named(text) is UTC else text


ZONE: Kind[str] = Kind("UTC or the name of a time zone, such as Europe/Berlin", _zone)
