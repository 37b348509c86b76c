"""Jobs of a simulated Slurm that places them on names which are off."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.slurm.job_marks import is_marked, is_once
from arvnodeman.slurm.job_reasons import wait_kind

BEGIN_WAIT = 121.0  # seconds that a job waits which Slurm has put back into the queue
RESOURCES, BEGIN_TIME = "Resources", "BeginTime"


@dataclass(slots=True, eq=False)
class PlacedSimJob:
    """A job, from submission to its end. Its shape's cores and memory are of each node."""

    id: str
    shape: JobShape
    duration: float
    priority: int
    submitted: float
    number: int
    batch: bool = True  # False: salloc or srun, whose user waits at a terminal
    requeue: bool = True
    alone: bool = False  # its nodes are shared with nobody
    names: tuple[str, ...] = ()  # that it is placed on
    placed: float = 0.0
    begun: bool = False
    runs: int = 0  # times that it was begun
    ended: float | None = None  # when a node of its was lost while it ran
    begin_at: float = 0.0  # it is not placed before
    comment: str = ""  # AdminComment
    done: bool = False
    cancelled: str = ""
    lost: str = ""  # it has ended by the end of its nodes, and why
    limit: float = math.inf  # seconds that it may run

    @property
    def waits(self) -> bool:
        """It is in the queue, and nowhere placed."""
        return not (self.names or self.over)

    @property
    def configures(self) -> bool:
        """It is placed, and has not begun."""
        return bool(self.names) and not self.begun

    @property
    def over(self) -> bool:
        """Nothing more comes of it."""
        return self.done or bool(self.cancelled or self.lost)

    @property
    def turn(self) -> tuple[int, int]:
        """Jobs are placed in this order."""
        return -self.priority, self.number

    def reason(self, now: float) -> str:
        """Why it waits."""
        return BEGIN_TIME if self.begin_at > now else RESOURCES

    @property
    def shared_shape(self) -> JobShape:
        """What it asks for, with what it takes of each of its nodes where it shares these."""
        takes = None if self.alone else Footprint(max(1, math.ceil(self.shape.cores)), self.shape.ram)
        return replace(self.shape, takes=takes)

    def listed(self, now: float) -> Job:
        """As squeue shows it, placed or waiting."""
        reason = "None" if self.names else self.reason(now)
        size = None if self.names else self.shape.size
        shape = JobShape(cores=self.shape.cores, ram=self.shape.ram, size=size, nodes=self.shape.nodes)
        return Job(self.id, shape, self.priority, reason, waits=wait_kind(reason), names=self.names)

    def given_back(self) -> PlacedJob | None:
        """As one that was given back and is not released; None: it was not."""
        return PlacedJob(self.id, self.batch, is_once(self.comment)) if is_marked(self.comment) else None
