"""How long jobs run, by those that ended of late: squeue shows these for some minutes (MinJobAge).

Time limits are bad forecasts. What is asked for is the median of the user's jobs in that partition, else of the
partition's; with a few jobs nothing is said. For plans of jobs that share nodes: a long one keeps its node alive.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from statistics import median

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.job_shape import time_limit

EVERY = 120.0  # seconds between two questions; slurmctld forgets ended jobs after 300, if it is not told otherwise
FEW = 5  # ended jobs that say nothing yet
_KEPT = 100  # jobs of a user in a partition, or of a partition
_MOST = 2000  # users in partitions that are kept
_ENDED = ("squeue", "--all", "--noheader", "--states=COMPLETED,FAILED,TIMEOUT", "--format=%i|%u|%P|%M")
_log = logging.getLogger("arvnodeman.slurm")

Whose = tuple[str, str]
"""A user and a partition; '' for all users."""


class RunTimes:
    """For one thread."""

    def __init__(self, ask: Callable[..., str]) -> None:
        """`ask` gives the output of a command, of its words, or raises SlurmFailure."""
        self._ask = ask
        self._again_at = 0.0
        self._last: frozenset[str] = frozenset()  # lines that were there
        self._seconds: dict[Whose, deque[float]] = {}
        self._medians: Mapping[Whose, float] = {}
        self._told: Mapping[JobShape, float] = {}
        self._trouble = ""

    def fetch(self, shapes: Iterable[JobShape]) -> Mapping[JobShape, float]:
        """How many seconds jobs of these shapes are likely to run, where that is known. The object that it was, where
        all is the same."""
        now = time.monotonic()
        if now >= self._again_at:
            self._again_at = now + EVERY
            self._learn()
        told = {shape: seconds for shape in shapes if (seconds := self._of(shape)) is not None}
        if told != self._told:
            self._told = told
        return self._told

    def _of(self, shape: JobShape) -> float | None:
        for user in (shape.owner.user, ""):
            known = [self._medians[user, name] for name in shape.partitions if (user, name) in self._medians]
            if known:
                return max(known)
        return None

    def _learn(self) -> None:
        try:
            lines = frozenset(self._ask(*_ENDED).split("\n"))
        except SlurmFailure as failure:
            if str(failure) != self._trouble:
                self._trouble = str(failure)
                _log.warning("how long jobs run is not known: %s", failure)
            return
        self._trouble = ""
        changed: set[Whose] = set()
        for line in sorted(lines - self._last, key=lambda line: (line.find("|"), line)):  # by their numbers
            _, _, rest = line.partition("|")
            user, _, rest = rest.partition("|")
            partition, _, said = rest.partition("|")
            try:
                seconds = time_limit(said)
            except ValueError:
                continue  # of a job that never began, or half a line
            if seconds is None:
                continue
            for whose in ((user, partition), ("", partition)):
                found = self._seconds.pop(whose, None) or deque(maxlen=_KEPT)
                found.append(seconds)
                self._seconds[whose] = found  # behind those of whom none has ended since
                changed.add(whose)
        self._last = lines
        for whose in islice(list(self._seconds), max(0, len(self._seconds) - _MOST)):
            del self._seconds[whose]
        if changed:
            self._medians = {
                whose: float(f"{median(found):.2g}") for whose, found in self._seconds.items() if len(found) >= FEW
            }
