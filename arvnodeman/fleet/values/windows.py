"""Shutdown windows: when, in the billing cycle of a node, it may be shut down."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate


class ShutdownWindows:
    """Minutes, alternately closed and open, counted from the node's start and repeated for ever.

    With an odd count the first, closed stretch is merged into the last closed one: `5, 2, 3` is closed for 5 minutes,
    open for 2, and then closed for 3 + 5 in every round.
    """

    def __init__(self, minutes: tuple[float, ...]) -> None:
        if len(minutes) < 2:
            raise ValueError("shutdown windows need at least two numbers: minutes closed, minutes open")
        first, *rest = (length * 60 for length in minutes)
        if len(rest) % 2:
            rest.append(first)
        else:
            rest[-1] += first
        self._lead = first
        self._edges = tuple(accumulate(rest))  # ends of the stretches after the lead: open, closed, open ...
        self._cycle = self._edges[-1]

    def is_open(self, start: float, now: float, margin: float = 0.0) -> bool:
        """True inside an open stretch that lasts more than `margin` seconds yet (clocks that differ eat its end)."""
        since = now - start - self._lead
        if since < 0:
            return False
        into = since % self._cycle
        stretch = bisect_right(self._edges, into)
        return stretch % 2 == 0 and self._edges[stretch] - into > margin

    def next_opening(self, start: float, now: float) -> float:
        """The first moment after `now` at which an open stretch begins."""
        opening = start + self._lead
        if opening > now:
            return opening
        round_start = opening + (now - opening) // self._cycle * self._cycle
        openings = (round_start + edge for edge in (*self._edges[1::2], self._cycle + self._edges[1]))
        return next(at for at in openings if at > now)
