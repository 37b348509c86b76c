"""Local time, and hours of the week by it: pure, since what a zone's clocks do is told as a table.

A window holds for what the clocks show. In the night in which they go back the doubled hour is in it twice; in the
night in which they go forward it begins when they show so late, and one that is all in the lost hour does not open.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

DAY, WEEK = 86400.0, 604800.0  # seconds
SHORTEST = 1e-3  # seconds: moments nearer to each other than that are one
MONDAY = 3  # days from a Monday to the first of January 1970
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the clocks of a time zone show: from each moment (seconds since the epoch) on, so many seconds more than
    UTC; before the first, as after it. No moment at all: UTC."""

    zone: str = "UTC"
    shifts: tuple[tuple[float, int], ...] = field(default=(), repr=False)

    def east(self, now: float) -> int:
        """Seconds that they are ahead of UTC at a moment."""
        if not self.shifts:
            return 0
        return self.shifts[max(0, bisect_right(self.shifts, (now, math.inf)) - 1)][1]

    def next_shift(self, now: float) -> float:
        """The next moment after this one at which they are put forward or back; infinity: none is known."""
        at = bisect_right(self.shifts, (now, math.inf))
        return self.shifts[at][0] if at < len(self.shifts) else math.inf

    def of_week(self, now: float) -> float:
        """Seconds since Monday, 00:00, as they show."""
        return (now + self.east(now) + MONDAY * DAY) % WEEK


UTC = Clocks()


@dataclass(frozen=True, slots=True)
class Stretch:
    """The same hours of some days in a row. Days are 0 (Monday) to 6; minutes are after midnight of the day on which a
    stretch begins, above 1440 on the next."""

    first: int
    last: int  # below `first`: over the end of the week
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Hours of the week. None at all: always."""

    stretches: tuple[Stretch, ...] = ()
    clocks: Clocks = UTC
    text: str = field(default="", compare=False)  # as it is written in the configuration

    def is_open(self, now: float) -> bool:
        """Is it so at this moment, in seconds since the epoch?"""
        at = self.clocks.of_week(now)
        return not self.stretches or any(begins <= at < ends or at < ends - WEEK for begins, ends in self._of_week())

    def meets(self, other: OpenHours) -> bool:
        """May both be open at one moment? Where their clocks differ, that is not reckoned out: they may."""
        if not self.stretches or not other.stretches or self.clocks != other.clocks:
            return True
        mine, others = self._of_week(), other._of_week()
        return any(
            begins < ends_there + by and begins_there + by < ends
            for begins, ends in mine
            for begins_there, ends_there in others
            for by in (-WEEK, 0.0, WEEK)
        )

    def next_change(self, now: float) -> float | None:
        """The first moment after this one at which it opens or closes; None: it does not within a week."""
        edges = sorted({edge % WEEK for stretch in self._of_week() for edge in stretch})
        if not edges:
            return None
        before, at = self.is_open(now), now
        while at < now + WEEK + DAY:
            shown = self.clocks.of_week(at)
            to_edge = min((edge - shown) % WEEK or WEEK for edge in edges)
            at = min(at + max(to_edge, SHORTEST), self.clocks.next_shift(at))
            if self.is_open(at) != before:
                return at
        return None

    def _of_week(self) -> list[tuple[float, float]]:
        """Of each day that a stretch begins on: from and until when, in seconds of the week."""
        return [
            (day * DAY + stretch.begins * 60.0, day * DAY + stretch.ends * 60.0)
            for stretch in self.stretches
            for day in _days(stretch)
        ]


ALWAYS = OpenHours()


def _days(stretch: Stretch) -> list[int]:
    return [(stretch.first + number) % 7 for number in range((stretch.last - stretch.first) % 7 + 1)]
