"""The jobs of a simulated site: its queue, by turn and by group. A job costs when it comes, starts or ends."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.slurm.job_reasons import wait_kind

LONGEST = 365 * 86400.0  # seconds that Slurm takes a job without a limit to run

Turn = tuple[int, int]
Kind = tuple[str, frozenset[str]]  # of a node: size at the cloud, features in Slurm


@dataclass(slots=True, eq=False)
class SimGroup:
    """Jobs of one shape: when the first cannot start, none of them can. Such as begin together with others are a group
    each."""

    shape: JobShape
    turns: list[Turn] = field(default_factory=list)  # a heap; jobs that wait no more leave it late
    waiting: int = 0
    fits: dict[Kind, bool] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class SimJob:
    """A job, from submission to its end."""

    id: str
    shape: JobShape
    duration: float
    priority: int
    submitted: float
    number: int
    nodes: tuple[str, ...] = ()  # hostnames that it runs on
    runs: int = 0  # times that it was started
    done: bool = False
    cancelled: str = ""
    started: float | None = None
    group: SimGroup | None = None
    company: list[SimJob] = field(default_factory=list)  # those that begin together, itself included; else none
    limit: float = math.inf  # seconds that it may run

    @property
    def waits(self) -> bool:
        """For nodes."""
        return not self.nodes and not self.done and not self.cancelled

    @property
    def ends_by(self) -> float:
        """When it has ended at the latest, of one that runs."""
        return (self.started or 0.0) + min(self.limit, LONGEST)

    @property
    def turn(self) -> Turn:
        """Jobs start in this order."""
        return -self.priority, self.number

    def listed(self, reason: str) -> Job:
        """As squeue shows it."""
        shape = self.group.shape if self.group is not None else self.shape  # one object for all of them
        return Job(self.id, shape, self.priority, reason, waits=wait_kind(reason))


class SimQueue:
    """What waits. The list is made anew only where it has changed."""

    def __init__(self) -> None:
        self.groups: dict[SimGroup, None] = {}  # of which some job waits
        self._known: dict[JobShape, SimGroup] = {}
        self._turns: list[Turn] = []
        self._jobs: dict[Turn, SimJob] = {}
        self._listed: dict[Turn, Job] = {}
        self._changed = False
        self._list = Queue()

    def add(self, job: SimJob) -> SimGroup:
        """It waits, for the first time or again, with the others of its group."""
        turn, group = job.turn, job.group
        if group is None:
            group = job.group = self._known.setdefault(job.shape, SimGroup(job.shape))
            if job.company:
                group = job.group = SimGroup(group.shape)
        if not group.waiting:
            self.groups[group] = None
        group.waiting += 1
        heapq.heappush(group.turns, turn)
        insort(self._turns, turn)
        self._jobs[turn] = job
        self._changed = True
        return group

    def remove(self, job: SimJob) -> None:
        """It waits no more."""
        turn, group = job.turn, job.group
        assert group is not None
        group.waiting -= 1
        if not group.waiting:
            group.turns.clear()
            del self.groups[group]
        del self._turns[bisect_left(self._turns, turn)], self._jobs[turn]
        self._listed.pop(turn, None)
        self._changed = True

    def first(self, group: SimGroup) -> SimJob | None:
        """Whose turn it is."""
        turns, jobs = group.turns, self._jobs
        while turns and turns[0] not in jobs:
            heapq.heappop(turns)
        return jobs[turns[0]] if turns else None

    def next_of(self, group: SimGroup, number: int) -> list[SimJob]:
        """The same, and those behind it."""
        turns = (turn for turn in group.turns if turn in self._jobs)
        return [self._jobs[turn] for turn in heapq.nsmallest(number, turns)]

    def __iter__(self) -> Iterator[SimJob]:
        """By turn."""
        return (self._jobs[turn] for turn in self._turns)

    def __bool__(self) -> bool:
        return bool(self._turns)

    def listed(self) -> Queue:
        """All of them, as squeue shows them."""
        if self._changed:
            self._changed = False
            self._list = self._list.following(tuple(map(self._show, self._turns)))
        return self._list

    def _show(self, turn: Turn) -> Job:
        shown = self._listed.get(turn)
        if shown is None:
            shown = self._listed[turn] = self._jobs[turn].listed("Resources")
        return shown
