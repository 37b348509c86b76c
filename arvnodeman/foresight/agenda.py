"""Virtual time: what happens next, and the clock, which is moved to it."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Agenda:
    """What will happen, in order. `now`: seconds."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Something happens later. Of two things of one moment the first that was asked for is first."""
        self._number += 1
        heapq.heappush(self._heap, (moment, self._number, what))

    def next(self) -> float:
        """The moment of the first thing; infinity when there is none."""
        return self._heap[0][0] if self._heap else float("inf")

    def turn(self) -> None:
        """Let the first thing happen, at its moment."""
        moment, _, what = heapq.heappop(self._heap)
        self.now = max(self.now, moment)
        what()
