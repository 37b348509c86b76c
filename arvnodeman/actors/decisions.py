"""The account of decisions: the newest thousand, for people who ask why."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

from arvnodeman.fleet.messages import Decided

KEPT = 1000


class Decision(NamedTuple):
    """One decision, put into words when somebody asks."""

    serial: int  # counts up from 1 in each run
    at: float  # seconds since the epoch
    kind: Decided
    subject: str  # node, size, job or list
    text: str  # with % placeholders
    args: tuple[object, ...] = ()

    @property
    def words(self) -> str:
        """The line as the log has it."""
        return self.text % self.args if self.args else self.text


class Decisions:
    """A ring. Any thread may add and read; the lock is held for an append, or for the copy of the references."""

    def __init__(self, kept: int = KEPT) -> None:
        self._ring: deque[Decision] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._last = 0

    def add(self, at: float, kind: Decided, subject: str, text: str, args: tuple[object, ...] = ()) -> None:
        """Keep one more, and forget the oldest."""
        with self._lock:
            self._last += 1
            self._ring.append(Decision(self._last, at, kind, subject, text, args))

    def after(self, serial: int) -> list[Decision]:
        """Those with a higher serial number that are still kept, oldest first."""
        with self._lock:
            newer = min(max(0, self._last - serial), len(self._ring))
            found = list(self._ring)
        return found[len(found) - newer :]

    @property
    def last(self) -> int:
        """The serial number of the newest; 0 before the first."""
        return self._last
