"""A name declared State=CLOUD, as slurmctld keeps it: what its power is at, and the jobs placed on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.slurm.reasons import counted
from arvnodeman.slurm.show import ShownNode

UP, OFF, STARTING, GOING = "", "POWERED_DOWN", "POWERING_UP", "POWERING_DOWN"
NEVER = float("inf")


@dataclass(slots=True)
class Habits:
    """How it is set up: seconds."""

    place: float = 1.0  # until jobs that have come are placed
    look: tuple[float, float] = (0.3, 2.5)  # until it looks at a name's power, at least and at most
    tick: float = 30.0  # between looks for jobs whose nodes have all come
    resume_timeout: float = 1800.0
    suspend_timeout: float = 120.0
    slurmd_timeout: float = 300.0
    ping: float = 60.0  # until it notices that a slurmd is gone, or answers though its name is down


@dataclass(slots=True, eq=False)
class PowerName:
    """One name. Times are the site's, in seconds."""

    name: str
    number: int
    size: str
    cores: int
    memory: float  # MB
    weight: int
    power: str = OFF
    since: float = 0.0  # when that began; of STARTING also: when slurmctld began to wait for it
    asked_down: bool = False  # POWER_DOWN
    asked_up: bool = False  # POWER_UP
    down: bool = False
    down_at: float = 0.0  # when somebody said so
    drain: bool = False
    completing: bool = False
    silent_at: float | None = None  # when its slurmd answered last, where that is gone
    silent: bool = False  # slurmctld has noticed
    stirred: float | None = None  # when slurmctld looks at its power next
    reason: str = ""
    reason_at: float | None = None
    resume_at: float | None = None  # ResumeAfter
    comment: str = ""
    jobs: list[PlacedSimJob] = field(default_factory=list)
    node: SimNode | None = None  # whose slurmd has registered last
    slurmd_started: float | None = None
    powered_up: float = 0.0  # when it began to be powered up last: slurmds of machines that booted before are not heard
    wanted: float = NEVER  # since when a machine is to come, or has come, for the present time that it is powered up

    @property
    def features(self) -> frozenset[str]:
        """Those of slurm.conf."""
        return frozenset({f"instancetype={self.size}"})

    @property
    def is_wanted(self) -> bool:
        """It is off, and a job is placed on it, or it was asked for."""
        return self.power == OFF and (bool(self.jobs) or (self.asked_up and not (self.down or self.drain)))

    @property
    def takes_jobs(self) -> bool:
        """slurmctld may place jobs there. A mere POWER_DOWN does not close it."""
        return not (self.drain or self.down or self.completing or self.silent or self.power == GOING)

    @property
    def cores_left(self) -> float:
        """What its jobs have not taken."""
        if any(job.alone for job in self.jobs):
            return 0
        return self.cores - sum(job.shape.cores for job in self.jobs)

    @property
    def memory_left(self) -> float:
        """MB."""
        return self.memory - sum(job.shape.ram for job in self.jobs)

    @property
    def has(self) -> Capacity:
        """What jobs may have of it."""
        return Capacity(self.cores, self.memory)

    @property
    def free(self) -> Capacity:
        """What is left for more of them."""
        left, jobs = max(0, math.floor(self.cores_left)), len(self.jobs)
        return Capacity(left, self.memory_left, jobs=jobs, whole=not jobs)

    @property
    def answers(self) -> bool:
        """Its slurmd lives."""
        return self.node is not None and self.node.up and not (self.node.gone or self.node.dead)

    @property
    def base(self) -> str:
        """The first word of its State=."""
        if self.down:
            return "DOWN"
        if not self.jobs or self.completing:
            return "IDLE"
        return "ALLOCATED" if self.cores_left < 1 else "MIXED"

    @property
    def flags(self) -> frozenset[str]:
        """The other words of its State=."""
        found = {
            "POWER_DOWN": self.asked_down,
            "POWER_UP": self.asked_up,
            "DRAIN": self.drain,
            "COMPLETING": self.completing,
            "NOT_RESPONDING": self.silent or self.power == STARTING,
        }
        return frozenset({"CLOUD", *filter(None, [self.power]), *(flag for flag, is_set in found.items() if is_set)})

    @property
    def word(self) -> str:
        """Its State=, the flags in order."""
        return "+".join([self.base, *sorted(self.flags)])

    def fits(self, job: PlacedSimJob) -> bool:
        """Is there room for it, and may jobs be placed here?"""
        shape = job.shape
        if not self.takes_jobs or (shape.size is not None and shape.size != self.size) or (job.alone and self.jobs):
            return False
        return self.cores_left >= shape.cores and self.memory_left >= shape.ram

    def due(self, habits: Habits) -> float:
        """When a time of its own is over."""
        if self.power == STARTING:
            return self.since + habits.resume_timeout
        if self.power == GOING:
            return self.since + habits.suspend_timeout
        if self.power == UP and self.down and self.answers:
            return self.down_at + habits.ping
        if self.power == UP and self.silent_at is not None and not self.down:
            return self.silent_at + (habits.slurmd_timeout if self.silent else habits.ping)
        return NEVER

    def count_wanted(self, now: float) -> None:
        """Remember since when a machine is to come."""
        if self.power == OFF and not self.is_wanted:
            self.wanted = NEVER
        elif self.power in (OFF, STARTING):
            self.wanted = min(self.wanted, now)

    def shown(self) -> ShownNode:
        """As `scontrol show nodes` shows it."""
        base, flags, reason, at = self.base, self.flags, self.reason, self.reason_at
        if "DRAIN" in flags or base == "DOWN":
            reason = counted(reason, closed="DRAIN" in flags)
        else:
            reason, at = "", None
        up = self.power == UP and self.node is not None
        return ShownNode(
            self.name,
            base,
            flags,
            (self.node.address or self.name) if up and self.node is not None else self.name,
            partitions=("cloud",),
            slurmd_started=self.slurmd_started,
            reason=reason,
            reason_at=at,
            comment=self.comment,
            said=self.reason,
            features=self.features,
            weight=self.weight,
            cpus=f"{self.cores}",
            memory=f"{self.memory:.0f}",
        )
