"""How long jobs run, by those that ended of late: squeue shows these for some minutes (MinJobAge).

Time limits are bad forecasts. What is asked for is the median of the user's jobs of that name in that partition, else
of all jobs of the user there, else of the partition's; with a few jobs nothing is said. For plans of jobs that share
nodes: a long one keeps its node alive.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from statistics import median
from typing import Generic, TypeVar

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.job_shape import time_limit

EVERY = 120.0  # seconds between two questions; slurmctld forgets ended jobs after 300, if it is not told otherwise
FEW = 5  # ended jobs that say nothing yet
_KEPT = 100  # jobs of a user in a partition, or of a partition
_MOST = 2000  # users in partitions that are kept, and names of their jobs
_LONG = 100  # letters of a name: those behind say nothing
_ENDED = ("squeue", "--all", "--noheader", "--states=COMPLETED,FAILED,TIMEOUT")
_FIELDS = "%i|%u|%P|%M|%j"
_log = logging.getLogger("arvnodeman.slurm")

Key = TypeVar("Key")
Whose = tuple[str, str]
"""A user and a partition; '' for all users."""
Named = tuple[str, str, str]
"""A user, a partition, the name of a job."""


class _Ended(Generic[Key]):
    """How long those ran that ended last, by what they have in common."""

    def __init__(self) -> None:
        self._seconds: dict[Key, deque[float]] = {}
        self._medians: dict[Key, float] = {}
        self._changed: set[Key] = set()

    def add(self, key: Key, seconds: float) -> None:
        """One more."""
        found = self._seconds.pop(key, None) or deque(maxlen=_KEPT)
        found.append(seconds)
        self._seconds[key] = found  # behind those of whom none has ended since
        self._changed.add(key)

    def settle(self) -> None:
        """Those of now have been told."""
        for key in islice(list(self._seconds), max(0, len(self._seconds) - _MOST)):
            del self._seconds[key]
            self._medians.pop(key, None)
        for key in self._changed:
            found = self._seconds.get(key, ())
            if len(found) >= FEW:
                self._medians[key] = float(f"{median(found):.2g}")
        self._changed.clear()

    def longest(self, keys: Iterable[Key]) -> float | None:
        """The longest of their medians; None where none is known."""
        return max((self._medians[key] for key in keys if key in self._medians), default=None)

    def spread(self, keys: Iterable[Key]) -> tuple[float, float] | None:
        """Of the first of these of which enough have ended: their median, and what nine of ten of them do not
        exceed."""
        found = next((seconds for key in keys if len(seconds := self._seconds.get(key, ())) >= FEW), None)
        if found is None:
            return None
        ranked = sorted(found)
        return float(median(ranked)), ranked[math.ceil(0.9 * len(ranked)) - 1]


def _no_names(_: JobShape) -> Iterable[str]:
    return ()


class RunTimes:
    """For one thread."""

    def __init__(self, ask: Callable[..., str]) -> None:
        """`ask` gives the output of a command, of its words, or raises SlurmFailure."""
        self._ask = ask
        self._mark = secrets.token_hex(4)  # a line break in a name begins a line, which could say anything but this
        self._again_at = 0.0
        self._last: frozenset[str] = frozenset()  # lines that were there
        self._by_user: _Ended[Whose] = _Ended()
        self._by_name: _Ended[Named] = _Ended()
        self._told: Mapping[JobShape, float] = {}
        self._trouble = ""

    def fetch(
        self, shapes: Iterable[JobShape], names_of: Callable[[JobShape], Iterable[str]] = _no_names
    ) -> Mapping[JobShape, float]:
        """How many seconds jobs of these shapes are likely to run, where that is known. The object that it was, where
        all is the same. `names_of`: names of jobs of a shape, of which those that run longest count."""
        self.learn()
        told = {shape: seconds for shape in shapes if (seconds := self._of(shape, names_of)) is not None}
        if told != self._told:
            self._told = told
        return self._told

    def learn(self) -> None:
        """See what has ended since, where it is time for that."""
        now = time.monotonic()
        if now >= self._again_at:
            self._again_at = now + EVERY
            self._learn()

    def usual(self, user: str, partitions: Iterable[str], name: str) -> tuple[float, float] | None:
        """How many seconds the jobs of a user with that name ran: half of them at most, and nine of ten; None: too few
        have ended of late."""
        return self._by_name.spread((user, partition, name[:_LONG]) for partition in partitions)

    def _of(self, shape: JobShape, names_of: Callable[[JobShape], Iterable[str]]) -> float | None:
        user, partitions = shape.owner.user, shape.partitions
        names = [name[:_LONG] for name in names_of(shape)]
        found = self._by_name.longest((user, partition, name) for partition in partitions for name in names)
        for whose in (user, ""):
            if found is None:
                found = self._by_user.longest((whose, partition) for partition in partitions)
        return found

    def _learn(self) -> None:
        try:
            lines = frozenset(self._ask(*_ENDED, f"--format={self._mark}{_FIELDS}").split("\n"))
        except SlurmFailure as failure:
            if str(failure) != self._trouble:
                self._trouble = str(failure)
                _log.warning("how long jobs run is not known: %s", failure)
            return
        self._trouble = ""
        for line in sorted(lines - self._last, key=lambda line: (line.find("|"), line)):  # by their numbers
            if line.startswith(self._mark):
                self._take(line)
        self._last = lines
        self._by_user.settle()
        self._by_name.settle()

    def _take(self, line: str) -> None:
        """A job has ended. (Of a name with a line break only its beginning is known.)"""
        _, user, partition, said, name = (*line.split("|", 4), "", "", "", "")[:5]
        try:
            seconds = time_limit(said)
        except ValueError:
            return  # of a job that never began, or half a line
        if seconds is None:
            return
        self._by_name.add((user, partition, name[:_LONG]), seconds)
        for whose in dict.fromkeys((user, "")):
            self._by_user.add((whose, partition), seconds)
