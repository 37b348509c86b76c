"""Slurm's nodes as slurmctld keeps them: states, flags, drains, and what `scontrol update` makes of them.

Held against slurm 22.05.8 with ReturnToService=2 and nodes declared State=UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

DUMMY = "compute0"  # never started: it offers every instancetype= feature, so that sbatch takes each constraint

DEFAULT_PARTITION = "compute"
NOBODYS_ADDRESS = "192.0.2.1"  # RFC 5737


class Base(StrEnum):
    """A node's base state; whether it is allocated shows in its jobs."""

    UNKNOWN = "unk"  # no slurmd yet since slurmctld started
    DOWN = "down"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Computer:
    """What a slurmd reports of its machine. Memory and tmp in MB, `started` in wall time."""

    id: str
    cores: int
    memory: int
    tmp: int
    address: str
    started: float
    gres: str = ""
    threads: int = 1  # CPUs of a core: `cores` are CPUs


@dataclass(frozen=True, slots=True)
class Taken:
    """What a job has of a node: CPUs, MB, GRES."""

    cpus: int
    memory: int
    gres: str = ""


class SlurmError(Exception):
    """slurmctld refuses a request; the text is Slurm's own."""


INVALID_STATE = "Invalid node state specified"
INVALID_NODE = "Invalid node name specified"
NOT_SUBSET = "Active features not subset of available features"


@dataclass(slots=True)
class SlurmNode:
    """One node. Used under the site's lock.

    `responding` False is the flag `*`. `computer` is the machine whose slurmd is registered; `lost` says that it has
    gone without slurmctld having noticed yet.
    """

    name: str
    base: Base = Base.UNKNOWN
    responding: bool = True
    drain: bool = False
    fail: bool = False
    completing: bool = False
    planned: bool = False
    reserved: str = ""  # '', 'resv' or 'maint'
    computer: Computer | None = None
    lost: bool = False
    weight: int = 1
    available: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    reason: str = ""
    reason_at: float = 0.0
    comment: str = ""
    address: str = ""  # NodeAddr, when it was set
    host: str = ""  # NodeHostName, when it was set
    jobs: dict[int, Taken] = field(default_factory=dict)
    last_busy: float | None = None
    partitions: tuple[str, ...] = (DEFAULT_PARTITION,)
    changes: int = field(default=0, repr=False)  # a timer set before a change is void after it

    @property
    def mark(self) -> str:
        """The Comment, or the address that was set and is neither nobody's nor the name."""
        return self.comment or (self.address if self.address not in (self.name, NOBODYS_ADDRESS) else "")

    def touch(self) -> int:
        """Make older timers void; the new number of changes."""
        self.changes += 1
        return self.changes

    @property
    def working(self) -> bool:
        """Does it hold a job, or is one being cleaned up?"""
        return bool(self.jobs) or self.completing

    @property
    def cpus_taken(self) -> int:
        """By its jobs."""
        return sum(taken.cpus for taken in self.jobs.values())

    @property
    def cpus_free(self) -> int:
        """Of its CPUs."""
        return (self.computer.cores if self.computer is not None else 0) - self.cpus_taken

    @property
    def memory_taken(self) -> int:
        """MB, by its jobs."""
        return sum(taken.memory for taken in self.jobs.values())

    @property
    def partly(self) -> bool:
        """Its jobs leave CPUs free: mix."""
        return bool(self.jobs) and self.computer is not None and self.cpus_taken < self.computer.cores

    @property
    def usable(self) -> bool:
        """May slurmctld start a job here, if there is room?"""
        plain = not (self.drain or self.fail or self.reserved or self.completing)
        return plain and self.base is Base.IDLE and self.responding and self.computer is not None

    @property
    def up(self) -> bool:
        """Does it count as up for the pending reason of a job: not down, not drained?"""
        return self.base is Base.IDLE and not (self.drain or self.fail)

    def short(self) -> str:
        """The state as sinfo %t prints it."""
        return self._word() + ("" if self.responding else "*")

    def _word(self) -> str:
        if self.drain:
            return "drng" if self.working else "drain"
        if self.fail:
            return "failg" if self.working and not self.partly else "fail"
        if self.completing:
            return "comp"
        if self.jobs:
            return "mix" if self.partly else "alloc"
        if self.base is Base.IDLE:
            return self.reserved or ("plnd" if self.planned else "idle")
        return str(self.base)

    def long(self) -> str:
        """The state as `scontrol show node` prints it."""
        if self.jobs:
            words = ["MIXED" if self.partly else "ALLOCATED"]
        else:
            words = [{"unk": "UNKNOWN", "down": "DOWN", "idle": "IDLE"}[self.base]]
        flags = {
            "COMPLETING": self.completing,
            "DRAIN": self.drain,
            "FAIL": self.fail,
            "PLANNED": self.planned and not self.working,
            "RESERVED": self.reserved == "resv",
            "MAINTENANCE": self.reserved == "maint",
            "NOT_RESPONDING": not self.responding,
        }
        return "+".join(words + [word for word, is_set in flags.items() if is_set])

    def set_features(self, available: tuple[str, ...] | None, active: tuple[str, ...] | None) -> None:
        """AvailableFeatures= (or Features=, the same), ActiveFeatures=. Raises SlurmError; then nothing is changed."""
        new = self.available if available is None else available
        now = active if active is not None else (self.active or new)
        if not set(now) <= set(new):
            raise SlurmError(NOT_SUBSET)
        self.available, self.active = new, now

    def may_resume(self) -> bool:
        """Slurm resumes only what is down, drained or failed."""
        return self.drain or self.fail or self.base is Base.DOWN
