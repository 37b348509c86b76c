"""What is added up between two samples: time that nodes spend, jobs that leave the queue, events that are counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from arvnodeman.fleet.view.view import View
from arvnodeman.history.samples import SHOWN, used_as
from arvnodeman.history.schema import READY, Row

BUCKET = math.log(1.02)  # waits that differ by less than 2 % are counted together
LONGEST_BLINK = 60.0  # seconds between two looks, beyond which nobody knows what was


def bucket_of(seconds: float) -> int:
    """Of a wait."""
    return int(math.log(max(1.0, seconds)) / BUCKET)


class Usage:
    """Seconds of nodes by size and state."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, dict[str, float]] = {}
        self._counted: float | None = None  # monotonic

    def observe(self, view: View) -> None:
        """From now on it is so."""
        self._counts = Counter((status.size or "", used_as(status)) for status in view.nodes.values())

    def pass_to(self, monotonic: float) -> None:
        """Time has passed."""
        passed = 0.0 if self._counted is None else monotonic - self._counted
        self._counted = monotonic
        if not 0 < passed <= LONGEST_BLINK:
            return
        for (size, state), nodes in self._counts.items():
            spent = self._seconds.setdefault(size, dict.fromkeys((*SHOWN, *READY), 0.0))
            spent[state] += nodes * passed

    def take(self, at: float) -> Iterator[Row]:
        """Rows of the step that ends at this moment."""
        for size, spent in self._seconds.items():
            yield "usage", (int(at), size, *(round(spent[state], 1) for state in SHOWN))
            if any(spent[state] for state in READY):
                yield "stood ready", (int(at), size, *(round(spent[state], 1) for state in READY))
        self._seconds = {}


class Waits:
    """How long jobs waited that have left the queue, and which wait still."""

    def __init__(self) -> None:
        self._since: Mapping[str, float] = {}
        self._known = True
        self._ended: dict[int, tuple[int, float, float]] = {}  # bucket -> jobs, their seconds, the longest

    def remember(self, since: Mapping[str, float], *, known: bool) -> None:
        """What an earlier run has left, before the first look. Not `known`: nobody knows when jobs left meanwhile."""
        self._since, self._known = since, known

    def observe(self, since: Mapping[str, float], now: float) -> Iterator[Row]:
        """The queue of this moment: jobs, and since when they wait."""
        before, self._since = self._since, since
        for job in since.keys() - before.keys():
            yield "waiting", (job, round(since[job], 3))
        for job in before.keys() - since.keys():
            if self._known:
                waited = max(0.0, now - before[job])
                jobs, total, longest = self._ended.get(bucket_of(waited), (0, 0.0, 0.0))
                self._ended[bucket_of(waited)] = jobs + 1, total + waited, max(longest, waited)
            yield "waits no more", (job,)
        self._known = True

    def take(self, at: float) -> Iterator[Row]:
        """Rows of the step that ends at this moment."""
        for bucket, (jobs, total, longest) in self._ended.items():
            yield "wait", (int(at), bucket, jobs, round(total, 1), round(longest, 1))
        self._ended = {}


class Tallies:
    """How far counters went on."""

    def __init__(self) -> None:
        self._before: Mapping[str, int] = {}

    def take(self, counters: Mapping[str, int], at: float) -> Iterator[Row]:
        """Rows of the step that ends at this moment."""
        before, self._before = self._before, counters
        for name, count in counters.items():
            if count > before.get(name, 0):
                yield "tally", (int(at), name, count - before.get(name, 0))


class Prices:
    """Of sizes, when they change."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}

    def remember(self, prices: Mapping[str, float]) -> None:
        """What an earlier run has left."""
        self._known = dict(prices)

    def observe(self, view: View, at: float) -> Iterator[Row]:
        """Rows of those that are new or changed."""
        for size in view.sizes:
            if self._known.get(size.id) != size.price:
                self._known[size.id] = size.price
                yield "price", (int(at), size.id, size.price)
