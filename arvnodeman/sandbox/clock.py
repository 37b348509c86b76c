"""The clock of the site: one heap of coming events, one thread, `speed` times faster than life.

Durations inside the site (boot times, jobs, Slurm's timers) are simulated seconds; the clock divides them by `speed`.
Time stamps that the daemon sees (created, pings) are real wall time: `wall()`.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger("sandbox.clock")


class SiteTimer:
    """A coming event. `cancel()` takes it back; both under the clock's lock."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], object]) -> None:
        self.action: Callable[[], object] | None = action

    def cancel(self) -> None:
        """The event does not happen; nothing if it has happened."""
        self.action = None


class SiteClock(Protocol):
    """What the parts of the site need of a clock."""

    speed: float
    lock: threading.RLock  # held while an event happens; whoever else touches the site takes it

    def wall(self) -> float:
        """Real time, seconds since the epoch."""

    def elapsed(self) -> float:
        """Simulated seconds since the start of the site."""

    def after(self, seconds: float, action: Callable[[], object]) -> SiteTimer:
        """Let `action` happen in so many simulated seconds, in the clock's thread, under the lock."""


class _Heap:
    """Events in order of time, equals in the order in which they were asked for."""

    def __init__(self) -> None:
        self._order = itertools.count()
        self._entries: list[tuple[float, int, SiteTimer]] = []

    def push(self, due: float, action: Callable[[], object]) -> SiteTimer:
        timer = SiteTimer(action)
        heapq.heappush(self._entries, (due, next(self._order), timer))
        return timer

    def next_due(self) -> float | None:
        while self._entries and self._entries[0][2].action is None:
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else None

    def pop(self) -> SiteTimer:
        return heapq.heappop(self._entries)[2]


class LiveClock:
    """The clock of a running site: `run()` is the body of its one thread."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._heap = _Heap()
        self._start = time.monotonic()
        self._stopped = False

    def wall(self) -> float:
        """Real time, seconds since the epoch."""
        return time.time()

    def elapsed(self) -> float:
        """Simulated seconds since the start of the site."""
        return (time.monotonic() - self._start) * self.speed

    def after(self, seconds: float, action: Callable[[], object]) -> SiteTimer:
        """Let `action` happen in so many simulated seconds."""
        with self._changed:
            due = self.elapsed() + max(seconds, 0.0)
            first = self._heap.next_due()
            timer = self._heap.push(due, action)
            if first is None or due < first:
                self._changed.notify_all()
        return timer

    def run(self) -> None:
        """Let events happen until `stop()`. An event that fails is logged; the site goes on."""
        while True:
            with self._changed:
                due = self._heap.next_due()
                if self._stopped:
                    return
                wait = None if due is None else (due - self.elapsed()) / self.speed
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                timer = self._heap.pop()
                try:
                    if timer.action is not None:
                        timer.action()
                except Exception:  # noqa: BLE001 - logged; the site goes on, whatever one event does
                    _log.exception("an event of the site failed")

    def stop(self) -> None:
        """End `run()`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class VirtualClock:
    """A clock for tests: it stands still until `advance()`."""

    def __init__(self, speed: float = 1.0, start: float = 1_700_000_000.0) -> None:
        self.speed = speed
        self.lock = threading.RLock()
        self._heap = _Heap()
        self._start = start
        self._now = 0.0

    def wall(self) -> float:
        """The made-up real time, seconds since the epoch."""
        return self._start + self._now / self.speed

    def elapsed(self) -> float:
        """Simulated seconds since the start."""
        return self._now

    def after(self, seconds: float, action: Callable[[], object]) -> SiteTimer:
        """Let `action` happen in so many simulated seconds."""
        return self._heap.push(self._now + max(seconds, 0.0), action)

    def advance(self, seconds: float) -> None:
        """Let so many simulated seconds pass, with all that happens in them. What an event raises, passes through."""
        end = self._now + seconds
        while (due := self._heap.next_due()) is not None and due <= end:
            self._now = max(self._now, due)
            timer = self._heap.pop()
            if timer.action is not None:
                timer.action()
        self._now = end
