"""How long jobs have run in a simulated site: what is known beforehand of those that wait."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Mapping

from arvnodeman.fleet.values.model import JobShape

KEPT = 51  # of a group: the newest


class _Ended:
    """The newest ends of one group."""

    def __init__(self) -> None:
        self._newest: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, seconds: float) -> None:
        self._newest.append(seconds)
        insort(self._sorted, seconds)
        if len(self._newest) > KEPT:
            self._sorted.remove(self._newest.popleft())

    @property
    def median(self) -> float:
        return self._sorted[len(self._sorted) // 2]


class SimRunTimes:
    """The median of the jobs of a group that have ended last; of a group of which none has, that of all jobs."""

    def __init__(self) -> None:
        self._ended: dict[JobShape, _Ended] = {}
        self._all = _Ended()

    def add(self, shape: JobShape, seconds: float) -> None:
        """A job has ended well."""
        self._ended.setdefault(shape, _Ended()).add(seconds)
        self._all.add(seconds)

    def of(self, shapes: Iterable[JobShape]) -> Mapping[JobShape, float]:
        """What is known of such jobs, in seconds."""
        if not self._ended:
            return {}
        return {shape: self._ended.get(shape, self._all).median for shape in shapes}
