"""The memory of room that the scheduler does not use: what is left of nodes at work, for groups of jobs that it fits.

The plan has put jobs of a group there for `use_within`, and none of its first jobs has left the queue: that is evidence
as an idle node is that is not used. Such room counts no more for the group until a back-off has passed, longer each
time, and nodes are booted for it, for these may help. Nothing else is remembered of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from arvnodeman.fleet.plan.vain import LONGEST, REMEMBERED
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_use import RoomInVain

LEAST_LOOKS = 3  # queue polls in a row that found it so


@dataclass(slots=True)
class RoomWatch:
    """Jobs of a group wait though there is room for some. Times are steady seconds."""

    since: float
    sample: tuple[str, ...]  # ids of its first jobs
    looks: int = 1  # queue polls that found it so


@dataclass(slots=True)
class ShutRoom:
    """A group for which room does not count."""

    said: str  # the scheduler's reason then
    stood: float  # seconds that room was there
    until: float
    wait: float  # the last back-off


@dataclass(slots=True)
class Rooms:
    """Changed by the Fleet alone. `first_wait`: the first back-off, in seconds."""

    first_wait: float
    watches: dict[JobShape, RoomWatch] = field(default_factory=dict)
    shut: dict[JobShape, ShutRoom] = field(default_factory=dict)

    def reasons(self, t: float) -> dict[JobShape, Reason]:
        """The groups for which no room counts now, and why."""
        return {
            shape: RoomInVain(until=each.until, said=each.said, stood=each.stood)
            for shape, each in self.shut.items()
            if t < each.until
        }

    def next_end(self, t: float) -> float | None:
        """When the next back-off ends."""
        return min((each.until for each in self.shut.values() if each.until > t), default=None)

    def note(self, shape: JobShape, sample: tuple[str, ...], t: float, *, moved: bool) -> RoomWatch:
        """The plan has room for jobs of a group. `moved`: one of those that were watched has left the queue."""
        watch = self.watches.get(shape)
        if watch is None or moved:
            watch = self.watches[shape] = RoomWatch(t, sample)
        else:
            watch.looks += 1
        return watch

    def only(self, shapes: Collection[JobShape]) -> None:
        """No others are watched, since there is no room for them."""
        self.watches = {shape: watch for shape, watch in self.watches.items() if shape in shapes}

    def is_vain(self, watch: RoomWatch, t: float, use_within: float) -> bool:
        """Has the room been there for long enough?"""
        return watch.looks >= LEAST_LOOKS and t - watch.since >= use_within

    def shuts(self, shape: JobShape, said: str, t: float) -> ShutRoom:
        """The room was not used: it counts no more for a while."""
        before = self.shut.get(shape)
        last = before.wait if before is not None and t - before.until <= REMEMBERED else 0.0
        wait = min(2 * last, LONGEST * self.first_wait) or self.first_wait
        watch = self.watches.pop(shape)
        self.shut[shape] = found = ShutRoom(said, t - watch.since, t + wait, wait)
        return found

    def forget_old(self, waiting: Collection[JobShape], t: float) -> None:
        """Groups of which no job waits, and what is long ago."""
        self.shut = {
            shape: each
            for shape, each in self.shut.items()
            if t < each.until or (shape in waiting and t - each.until <= REMEMBERED)
        }

    def end(self, shape: JobShape, t: float) -> None:
        """It is tried again at once: an operator said so."""
        if shape in self.shut:
            self.shut[shape].until = min(self.shut[shape].until, t)

    def end_all(self, t: float) -> None:
        """Circumstances have changed: room counts for all."""
        self.watches.clear()
        for shape in self.shut:
            self.end(shape, t)
