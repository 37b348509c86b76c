"""Moments as accounting writes them, to UTC seconds: epoch seconds, local time of a zone, or with an offset.

When clocks are set back an hour comes twice. A time in it is taken as the first, unless the job would then come to
something before what came before it, or its run would have another length than the trace says: then it is the second.
When clocks are set forward an hour is left out; a time in it is taken as if they had not been.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from arvnodeman.config.time_zones import zone_named

LAST = 4_102_444_800.0  # 2100: no trace goes so far
_LAST = "4102444800"  # of ten digits, as a text
NONE = ("", "Unknown", "unknown", "None", "N/A", "(null)", "0")
_LOCAL = re.compile(r"([0-9]{4}-[01][0-9]-[0-3][0-9])[T ]([0-2][0-9]):([0-5][0-9]):([0-5][0-9]|60)(\.[0-9]{1,9})?")
_OFFSET = re.compile(r"(.{19,29})(Z|[+-][0-9]{2}:?[0-9]{2})")
_EPOCH = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")


class NoZone(ValueError):
    """The text says so in one line."""


class ReadMoment(NamedTuple):
    """What a text may mean: two moments, where its hour came twice, else the same one."""

    first: float
    second: float


def zone_of(name: str) -> tzinfo | None:
    """A zone by its name in the tz database; '': this machine's, which is None. Raises NoZone."""
    if not name:
        return None
    try:
        return zone_named(name)
    except ValueError as error:
        raise NoZone(f"{error}; allowed are UTC, Europe/Berlin and the like") from None


class Moments:
    """Reads the moments of one file. Counts what it had to assume."""

    def __init__(self, zone: tzinfo | None) -> None:
        """`zone`: of times that name none. None: this machine's."""
        self._zone = zone
        self._hours: dict[str, ReadMoment | None] = {}  # local hour -> when it begins; None: it is not like others
        self.local = 0  # times without a zone
        self.doubled = 0  # of these in an hour that came twice
        self.left_out = 0  # in one that never was

    def settled(self, texts: Sequence[str], elapsed: float | None = None) -> list[float | None]:
        """Those of one job, in their order; see `settled`. Raises ValueError."""
        found: list[float | None] = []
        for text in texts:
            if text in NONE:
                found.append(None)
            elif len(text) == 10 and text.isascii() and text.isdecimal() and text <= _LAST:
                found.append(float(text))
            else:
                return settled([self.read(each) for each in texts], elapsed)
        return found

    def read(self, text: str) -> ReadMoment | None:
        """None for Unknown and the like. Raises ValueError."""
        if text in NONE:
            return None
        if _EPOCH.fullmatch(text):
            at = float(text)
            return _checked(ReadMoment(at, at), text)
        match = _LOCAL.fullmatch(text)
        if match is not None:
            self.local += 1
            return _checked(self._local(*match.groups()), text)
        offset = _OFFSET.fullmatch(text)
        if offset is None or _LOCAL.fullmatch(offset[1]) is None:
            raise ValueError(f"not a time: {text[:60]!r}")
        try:
            at = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            raise ValueError(f"not a time: {text!r}") from None
        return _checked(ReadMoment(at, at), text)

    def _local(self, day: str, hour: str, minute: str, second: str, fraction: str | None) -> ReadMoment:
        key = f"{day}T{hour}"
        if key not in self._hours:
            first, last = self._exact(f"{key}:00:00"), self._exact(f"{key}:59:59")
            even = first.first == first.second and last.first == last.second and last.first - first.first == 3599
            self._hours[key] = first if even else None
        hours = self._hours[key]
        seconds = float(f"{second}{fraction or ''}")
        if hours is not None:
            at = hours.first + int(minute) * 60 + seconds
            return ReadMoment(at, at)
        exact = self._exact(f"{key}:{minute}:00")
        if exact.first > exact.second:
            self.left_out += 1
            return ReadMoment(exact.first + seconds, exact.first + seconds)
        self.doubled += exact.first < exact.second
        return ReadMoment(exact.first + seconds, exact.second + seconds)

    def _exact(self, text: str) -> ReadMoment:
        """By both readings: where clocks were set forward the first is the later one."""
        try:
            local = datetime.fromisoformat(text)
            return ReadMoment(*(local.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (0, 1)))
        except (ValueError, OverflowError, OSError):
            raise ValueError(f"not a time: {text!r}") from None


def _checked(moment: ReadMoment, text: str) -> ReadMoment:
    if not 0 <= moment.first <= LAST:
        raise ValueError(f"a time out of range: {text[:60]!r}")
    return moment


def settled(moments: Sequence[ReadMoment | None], elapsed: float | None = None) -> list[float | None]:
    """Which moments are meant, of those of one job in their order. `elapsed`: seconds from the last but one to the
    last, where the trace says them."""
    if all(moment is None or moment.first == moment.second for moment in moments):
        return [None if moment is None else moment.first for moment in moments]
    found: list[float | None] = []
    before = 0.0
    for moment in moments:
        at = None if moment is None else moment.first if moment.first >= before else moment.second
        before = max(before, at or 0.0)
        found.append(at)
    begin, end = moments[-2:]
    if elapsed is not None and begin is not None and end is not None:
        earliest = max((at for at in found[:-2] if at is not None), default=0.0)
        for one in begin:
            for other in end:
                if other - one == elapsed and one >= earliest:
                    return [*found[:-2], one, other]
    return found
