"""The jobs of a trace, as they are played: when each comes, what the site sees of it, and which cannot run at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from arvnodeman.fleet.plan.plan import unsatisfiable
from arvnodeman.fleet.plan.vain import words_of
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.features import SIZE_FEATURE, NoFeatures, meets
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import NOBODY, JobShape, Policy
from arvnodeman.fleet.values.places import ANYWHERE
from arvnodeman.traces.job import JobEnding, TracedJob

RESERVATIONS = "jobs that asked for a reservation, played without it: {}"
LICENCES = "jobs that asked for licences, assumed to be enough: {}"
FEATURES = "jobs that asked for features that no [Size] has, played as if all nodes had them: {}"
NAMES = "jobs that asked for nodes by name, played on any: {}"
NEVER_ELIGIBLE = "jobs that left before they could run (held, dependent), left out: {}"
NOT_TOLD = "jobs that left the queue before they started, nobody knows when, left out: {}"
AHEAD = "jobs that could not run when they were submitted, and of which it counts as known when they could: {}"
TOLD = "it may start then, as the trace tells"
DELAY = 60.0  # seconds from its submit until a job can run, from which on it is one that cannot start yet
OPEN = "jobs that waited when the trace was written; nobody knows how long they run: they leave at its end: {}"


class Part(NamedTuple):
    """One job as it is submitted."""

    place: int  # in the trace
    id: str
    shape: JobShape
    seconds: float  # infinity: until it leaves
    leaves: float | None  # when its user takes it back, whether it waits or runs
    het: str = ""  # those with one mark begin together
    limit: float = math.inf  # seconds that it may run, as its user said


class _Known(NamedTuple):
    """Of one shape of the trace."""

    shape: JobShape  # as it is played
    impossible: str  # what it asks for, and why no size fits; '' where one does
    cheapest: float  # $ an hour of a node of the cheapest size that does
    said: tuple[str, ...]  # remarks


class Load:
    """What is to come. Jobs of one moment come in the order of the trace."""

    def __init__(self, jobs: Sequence[TracedJob], table: SizeTable, policy: Policy, *, ahead: bool = False) -> None:
        """`ahead`: it is told which jobs are to come."""
        self._jobs = jobs
        self._table, self._policy = table, policy
        self._known: dict[int, _Known] = {}  # by the shape's identity: the trace has one object for all that are alike
        self._of_shape: dict[JobShape, _Known] = {}
        self._tells_eligible = any(job.eligible is not None for job in jobs)
        self._end = max((max(job.submit, job.begin or 0.0, job.end or 0.0) for job in jobs), default=0.0)
        self._said: Counter[str] = Counter()
        self._together: dict[str, float] = {}  # heterogeneous jobs: when the last part comes
        self.impossible: dict[str, list[int]] = {}  # by what they ask for, and why: places
        self.left_out = 0  # by their users, before they could run
        self.arrivals = self._sort()
        self._next = 0
        self._delayed = self._sort_delayed() if ahead else []  # the last to be submitted first
        self._waiting: dict[
            int, float
        ] = {}  # of those that are submitted and cannot run yet: places, and when they can
        if self._delayed:
            self._said[AHEAD] = len(self._delayed)

    def _sort(self) -> list[int]:
        """Places of the jobs that are submitted, in order."""
        found: list[int] = []
        hopeless: dict[str, str] = {}
        for job in self._jobs:
            if job.het:
                self._together[job.het] = max(self._arrival(job), self._together.get(job.het, 0.0))
                hopeless[job.het] = hopeless.get(job.het, "") or self._know(job.shape).impossible
        for place, job in enumerate(self._jobs):
            known = self._know(job.shape)
            self._said.update(known.said)
            why, impossible = self._left_out(job), known.impossible or hopeless.get(job.het, "")
            if why:
                self._said[why] += 1
                self.left_out += 1
            elif impossible:
                self.impossible.setdefault(impossible, []).append(place)
            else:
                if job.ending is JobEnding.PENDING and job.seconds is None:
                    self._said[OPEN] += 1
                found.append(place)
        found.sort(key=lambda place: self._arrival(self._jobs[place]))
        return found

    def _sort_delayed(self) -> list[int]:
        """Places of the jobs that are submitted before they can run."""
        late = [
            place for place in self.arrivals if self._arrival(self._jobs[place]) - self._jobs[place].submit >= DELAY
        ]
        return sorted(late, key=lambda place: -self._jobs[place].submit)

    def later(self, now: float) -> list[LaterJob]:
        """Jobs that are submitted and cannot run yet."""
        while self._delayed and self._jobs[self._delayed[-1]].submit <= now:
            place = self._delayed.pop()
            self._waiting[place] = self._arrival(self._jobs[place])
        self._waiting = {place: at for place, at in self._waiting.items() if at > now}
        return [
            LaterJob(self._jobs[place].id, self._know(self._jobs[place].shape).shape, at, why=TOLD)
            for place, at in self._waiting.items()
        ]

    def _arrival(self, job: TracedJob) -> float:
        """When it could run. The parts of one job come together."""
        alone = job.submit if job.eligible is None else max(job.submit, job.eligible)
        return max(alone, self._together.get(job.het, alone)) if job.het else alone

    def _left_out(self, job: TracedJob) -> str:
        """Why a job is not played; '' where it is."""
        if job.seconds is not None:
            return ""
        if job.end is None:
            return "" if job.ending.is_open else NOT_TOLD
        never = job.eligible is None and self._tells_eligible
        return NEVER_ELIGIBLE if never or job.end <= self._arrival(job) else ""

    # ---- what comes --------------------------------------------------------------------------------------------------

    @property
    def first(self) -> float | None:
        """When the first comes; None: none does."""
        return self._arrival(self._jobs[self.arrivals[0]]) if self.arrivals else None

    @property
    def last(self) -> float:
        """The last moment that the trace tells of."""
        return self._end

    @property
    def is_to_come(self) -> bool:
        """Does another job come?"""
        return self._next < len(self.arrivals)

    @property
    def next_arrival(self) -> float | None:
        """When the next comes."""
        return self._arrival(self._jobs[self.arrivals[self._next]]) if self.is_to_come else None

    @property
    def came(self) -> int:
        """Jobs that have come."""
        return self._next

    def come(self, now: float) -> Iterator[Part]:
        """Those whose moment has come."""
        while self.is_to_come:
            place = self.arrivals[self._next]
            job = self._jobs[place]
            if self._arrival(job) > now:
                return
            self._next += 1
            known = self._know(job.shape)
            limit = math.inf if job.time_limit is None else job.time_limit
            if job.seconds is not None:
                yield Part(place, job.id, known.shape, job.seconds, None, job.het, limit)
            else:
                leaves = max(now, job.end if job.end is not None else self._end)
                yield Part(place, job.id, known.shape, math.inf, leaves, job.het, limit)

    def cheapest(self, place: int) -> float:
        """$ an hour of a node of the cheapest size that fits a job."""
        return self._know(self._jobs[place].shape).cheapest

    def remarks(self) -> list[str]:
        """What was assumed of the jobs."""
        return [text.replace("{}", f"{number:,}") for text, number in self._said.items()]

    # ---- shapes ------------------------------------------------------------------------------------------------------

    def _know(self, shape: JobShape) -> _Known:
        known = self._known.get(id(shape))
        if known is None:
            known = self._of_shape.get(shape)
            if known is None:
                known = self._of_shape[shape] = self._see(shape)
            self._known[id(shape)] = known
        return known

    def _see(self, shape: JobShape) -> _Known:
        said = []
        if shape.reservation:
            said.append(RESERVATIONS)
        if shape.licences:
            said.append(LICENCES)
        if shape.place.needs is not None and (shape.place.needs.required or shape.place.needs.excluded):
            said.append(NAMES)
        features = shape.features
        if features and not self._is_given(shape):
            features = ""
            said.append(FEATURES)
        played = replace(shape, reservation="", licences=(), place=ANYWHERE, features=features)
        why = unsatisfiable(played, self._table, self._policy) or ""
        if why:
            why = f"{words_of(replace(played, owner=NOBODY))}: {why}"
        choices = self._table.choices(played)
        return _Known(played, why, choices[0].price if choices else 0.0, tuple(said))

    def _is_given(self, shape: JobShape) -> bool:
        """Does any size give what the constraint asks for, where features are told to Slurm at all?"""
        if not self._policy.slurm:
            return False
        try:
            return any(
                meets(shape.features, {*size.features, SIZE_FEATURE + size.id}, shape.nodes)
                for size in self._table.cheapest_first
            )
        except NoFeatures:
            return False
