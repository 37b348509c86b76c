"""Hours of the week as people write them: `Mon-Fri 08:00-18:00, Sat 10:00-14:00 Europe/Berlin`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from arvnodeman.config.option import Kind, Option
from arvnodeman.config.time_zones import zone_named
from arvnodeman.fleet.values.local_time import ALWAYS, DAYS, Clocks, OpenHours, Stretch

FIRST_YEAR, LAST_YEAR = 1990, 2060  # of which it is told what clocks do: old traces are played, too
STEP = timedelta(days=7)  # no zone puts its clocks forward and back within less
_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z]+(?:\s*-\s*[A-Za-z]+)?)\s+)?(?P<from>\S+?)\s*-\s*(?P<to>\S+)")
_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")
_ZONE = re.compile(r"(?:^|\s)([A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*)$")


def _hours(_option: Option, text: str) -> OpenHours:
    one_line = " ".join(text.split())
    found = _ZONE.search(one_line)
    if found is None or _day(found[1]) is not None:
        raise ValueError(f"{one_line[:60]!r} has no time zone at its end, such as Europe/Berlin or UTC")
    clocks = clocks_of(found[1])
    windows = one_line[: found.start()].strip()
    stretches = tuple(_stretch(window.strip()) for window in windows.split(",")) if windows else ()
    return OpenHours(stretches, clocks, one_line)


HOURS: Kind[OpenHours] = Kind(
    "DAYS HH:MM-HH:MM, several separated by commas, and then a time zone: `Mon-Fri 08:00-18:00, Sat 22:00-02:00 "
    "Europe/Berlin`",
    _hours,
    ALWAYS,
    has_lines=True,
    has_commas=True,
)


def _stretch(window: str) -> Stretch:
    found = _WINDOW.fullmatch(window)
    if found is None:
        raise ValueError(f"{window[:60]!r} is not a window like Mon-Fri 08:00-18:00")
    first, last = _first_and_last(found["days"], window)
    begins, ends = _minutes(found["from"]), _minutes(found["to"])
    if begins in (ends, 1440):
        raise ValueError(f"{window!r} ends as it begins: a whole day is 00:00-24:00")
    return Stretch(first, last, begins, ends if ends > begins else ends + 1440)


def _first_and_last(days: str | None, window: str) -> tuple[int, int]:
    if not days:
        return 0, 6
    numbers = []
    for name in days.split("-"):
        number = _day(name.strip())
        if number is None:
            raise ValueError(f"{name.strip()!r} in {window!r} is not a day: {', '.join(DAYS)}")
        numbers.append(number)
    return numbers[0], numbers[-1]


def _day(name: str) -> int | None:
    """Its number: three letters at least, or the whole English name."""
    whole = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    found = [number for number, day in enumerate(whole) if len(name) >= 3 and day.startswith(name.lower())]
    return found[0] if found else None


def _minutes(text: str) -> int:
    found = _TIME.fullmatch(text)
    minutes = 60 * int(found[1]) + int(found[2]) if found is not None else 1441
    if minutes > 1440:
        raise ValueError(f"{text[:20]!r} is not a time of day: 00:00 to 24:00")
    return minutes


@lru_cache(maxsize=64)
def clocks_of(zone: str) -> Clocks:
    """What the clocks of a zone show, by this machine's time zone database. Raises ValueError with words."""
    known = zone_named(zone)
    if known is UTC:
        return Clocks()
    at, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    shifts = [(at.timestamp(), _east(known, at))]
    while at < end:
        if _east(known, at + STEP) != shifts[-1][1]:
            moment = _shift(known, at, at + STEP)
            shifts.append((moment.timestamp(), _east(known, moment)))
        at += STEP
    return Clocks(zone, tuple(shifts))


def _east(zone: tzinfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())


def _shift(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The first moment, to the second, at which the clocks show what they show afterwards."""
    shows = _east(zone, after)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds() / 2))
        before, after = (before, middle) if _east(zone, middle) == shows else (middle, after)
    return after
