"""How the site was in the course of time, at moments that are evenly spread."""

from __future__ import annotations

from arvnodeman.whatif.books import Books, NodePhase
from arvnodeman.whatif.forecast import CurvePoint

POINTS = 400  # about so many


class Curve:
    """Moments, from the beginning on. Where it lasts longer than the trace does, two become one."""

    def __init__(self, first: float, last: float) -> None:
        self._every = max(60.0, (last - first) / POINTS)
        self._next = first
        self.moments: list[CurvePoint] = []

    def is_due(self, now: float) -> bool:
        """Is it time for another moment?"""
        return now >= self._next

    def add(self, now: float, books: Books, waiting: int) -> None:
        """This is so now."""
        booting, idle, busy = map(books.number, (NodePhase.BOOTS, NodePhase.IS_IDLE, NodePhase.WORKS))
        self.moments.append(CurvePoint(now, booting, idle, busy, waiting, books.price))
        if len(self.moments) >= 2 * POINTS:
            self.moments, self._every = self.moments[::2], 2 * self._every
        self._next = now + self._every
