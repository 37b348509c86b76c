"""What held jobs back, by the reasons that the Fleet itself gives: looked at whenever it has seen the queue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile

from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.reasons import Behind, Reason
from arvnodeman.fleet.view.view import Waiting
from arvnodeman.whatif.forecast import HeldBack

HOUR = 3600.0
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def kind_of(reason: Reason) -> str:
    """`at_max_nodes`. Who stands behind a job that a limit stops is stopped by that limit."""
    while isinstance(reason, Behind) and reason.limit is not None:
        reason = reason.limit
    return _in_words(type(reason).__name__)


@cache
def _in_words(name: str) -> str:
    return _WORD.sub("_", name).lower()


@dataclass(slots=True)
class _Kind:
    """Of one kind of reason."""

    example: str
    seconds: float = 0.0
    jobs: int = 0
    counted: dict[int, tuple[int, int]] = field(default_factory=dict)  # by shape: numbers of the jobs, from and to
    seen: dict[int, tuple[str, str]] = field(default_factory=dict)  # by shape: ids of the first and last when counted

    def count(self, shape: JobShape, tail: Sequence[int], jobs: Sequence[Job], number: Callable[[str], int]) -> None:
        """Those of a group that have not been counted yet: the last to come, or the first where others have begun."""
        ends = jobs[tail[0]].id, jobs[tail[-1]].id
        if self.seen.get(id(shape)) == ends:
            return
        self.seen[id(shape)] = ends
        numbers = [number(each) for each in ends]
        low, high = self.counted.get(id(shape), (numbers[1] + 1, numbers[1]))
        if low > high:
            self.jobs += len(tail)
        else:
            later = takewhile(lambda place: number(jobs[place].id) > high, reversed(tail))
            sooner = takewhile(lambda place: number(jobs[place].id) < low, tail)
            self.jobs += sum(1 for _ in later) + sum(1 for _ in sooner)
        self.counted[id(shape)] = min(low, numbers[0]), max(high, numbers[1])


class Holding:
    """Adds up from look to look."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._now: list[tuple[str, int]] = []  # kinds, and how many jobs have them
        self._since = 0.0

    def observe(
        self,
        waiting: Mapping[JobShape, Waiting],
        jobs: Sequence[Job],
        number: Callable[[str], int],
        t: float,
        now: float,
    ) -> None:
        """`waiting`: what the Fleet has for each group of `jobs`, the queue as it was listed. `number`: in which
        order they came. `t`: the steady time of the reasons."""
        self.rest(now)
        for shape, group in waiting.items():
            cause, tail = group.cause, group.places[group.served :]
            if cause is None or not tail:
                continue
            kind = kind_of(cause)
            if kind not in self._kinds:
                self._kinds[kind] = _Kind(cause.words(t))
            self._kinds[kind].count(shape, tail, jobs, number)
            self._now.append((kind, len(tail)))

    def rest(self, now: float) -> None:
        """Until now it was as at the last look, and nothing holds any job now."""
        for kind, jobs in self._now:
            self._kinds[kind].seconds += jobs * (now - self._since)
        self._now, self._since = [], now

    def found(self) -> list[HeldBack]:
        """The longest first."""
        kinds = sorted(self._kinds.items(), key=lambda item: (-item[1].seconds, item[0]))
        return [
            HeldBack(reason=name, jobs=kind.jobs, hours=kind.seconds / HOUR, example=kind.example)
            for name, kind in kinds
        ]
