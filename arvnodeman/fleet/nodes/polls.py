"""Clocks, the freshness of the three lists, and which lists are believed.

Two kinds of time are kept apart. Stamps of the outside (pings, start times) are compared with `now`, the wall clock
that comes with each event. Everything that we time ourselves runs on the steady clock `t`, which starts at the same
figure and never goes back, whatever is done to the wall clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from arvnodeman.fleet.messages import Poll

DOUBT_AT_LEAST = 3  # a list is doubted only when it lacks more than so many
OUTAGES_KEPT = 16
CLOCKS_DIFFER = 30.0  # seconds, before it is worth a warning


class BrainClock:
    """The time of the newest event. `now` as given, `t` steady."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.t = now
        self.events = 0  # so far

    def advance(self, now: float) -> None:
        """A new event; a wall clock that went back leaves `t` where it is."""
        self.t += max(0.0, now - self.now)
        self.now = now
        self.events += 1

    def steady(self, stamp: float) -> float:
        """A recent wall clock stamp of our own (the start of a poll) as steady time."""
        return self.t - max(0.0, self.now - stamp)


@dataclass(frozen=True, slots=True)
class Ages:
    """How old pings and records are, with what nobody could have seen left out. In the record server's wall clock."""

    counted_from: float = 0.0  # the first node poll of this run
    outages: tuple[tuple[float, float], ...] = ()  # node polls missing: from, to
    amnesty_until: float = 0.0  # steady time until which no ping or record is called old

    def age_of(self, stamp: float | None, now: float) -> float:
        """The age of a ping or of a record, in seconds.

        Time before the first node poll of this run, and time in which no node poll succeeded, does not count. A stamp
        in the future has age 0; no stamp is as old as this run."""
        start = self.counted_from if stamp is None or stamp < self.counted_from else stamp
        age = now - start
        for began, ended in self.outages:
            if ended > start:
                age -= ended - max(began, start)
        return max(0.0, age)


class Freshness:
    """When each poll last succeeded, and how long node polls were missing altogether."""

    def __init__(self, stale_after: float) -> None:
        self.stale_after = stale_after
        self.succeeded: dict[Poll, float] = {}  # t of the newest success
        self.counts: dict[Poll, int] = dict.fromkeys(Poll, 0)
        self.ages = Ages()
        self._oldest: float | None = None  # t of the oldest of the newest successes, once each poll has one

    def success(self, poll: Poll, t: float, record_now: float) -> None:
        """A poll has succeeded at steady time `t`, which the record server calls `record_now`."""
        last = self.succeeded.get(poll)
        self.succeeded[poll] = t
        self.counts[poll] += 1
        if len(self.succeeded) == len(Poll):
            self._oldest = min(self.succeeded.values())
        if poll is not Poll.RECORDS:
            return
        if last is None:
            self.ages = Ages(record_now, (), t + self.stale_after)
        elif t - last > self.stale_after:
            outages = (*self.ages.outages, (record_now - (t - last), record_now))
            self.ages = Ages(self.ages.counted_from, outages[-OUTAGES_KEPT:], t + self.stale_after)

    def age(self, poll: Poll, t: float) -> float | None:
        """Seconds since the newest success of a poll; None before the first."""
        last = self.succeeded.get(poll)
        return None if last is None else t - last

    def is_fresh(self, t: float) -> bool:
        """Have all lists come, and is none too old? `not stale(t)`, and asked at every event."""
        return self._oldest is not None and t - self._oldest <= self.stale_after

    def stale(self, t: float) -> tuple[Poll, ...]:
        """The lists that are missing or too old to act upon (row A22)."""
        return tuple(poll for poll in Poll if poll not in self.succeeded or t - self.succeeded[poll] > self.stale_after)


class Trust:
    """Believes a list unless it suddenly lacks more than half of what the last believed one had.

    Such a list is unknown, not gone, until a second poll lacks the same: a page gets lost, a region is wrong after a
    reload. While it is doubted, nothing may be decided on its strength.
    """

    def __init__(self) -> None:
        self.doubted: frozenset[str] = frozenset()  # what the newest list lacked, while that is doubted
        self._believed: set[str] = set()
        self._level = False  # that is what the newest list has, but for what was forgotten since
        self._forgotten: set[str] = set()

    def expect(self, ids: Iterable[str]) -> None:
        """What must be there by other evidence, when there is no earlier list (after a start)."""
        self._believed.update(ids)
        self._level = False

    def forget(self, identity: str) -> None:
        """We destroyed it: its absence is no surprise."""
        if identity in self._believed:
            self._believed.discard(identity)
            self._forgotten.add(identity)

    def follow(self, came: Iterable[str], left: Iterable[str], listed: Callable[[], set[str]]) -> bool:
        """`judge(listed())`, told by what a list changed: `came` is new or changed in it, `left` was in the one before.
        Costs what changed, as long as nothing is gone."""
        newest = set(came)
        if not self._level or self.doubted or not newest.issuperset(left):
            return self.judge(listed())
        self._believed |= newest | self._forgotten
        self._forgotten.clear()
        return True

    def judge(self, listed: set[str]) -> bool:
        """Take a new list in. True when it is believed."""
        lacking = self._believed - listed
        surprising = lacking - self.doubted  # what two polls in a row lack is believed to be gone
        if len(surprising) > DOUBT_AT_LEAST and 2 * len(surprising) > len(self._believed):
            self.doubted = frozenset(lacking)
            self._level = False
            return False
        self.doubted = frozenset()
        self._believed = set(listed)
        self._level = True
        self._forgotten.clear()
        return True
