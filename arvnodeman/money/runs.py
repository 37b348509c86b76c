"""Jobs on nodes, as the scheduler lists them: what a poller hears, and others read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from arvnodeman.money.payers import Payer


@dataclass(frozen=True, slots=True)
class JobRun:
    """One job on its nodes, now or of late. Moments are seconds since the epoch."""

    job: str  # its number, or its name where that is a container's uuid
    payer: Payer
    hosts: tuple[str, ...]  # the names of its nodes
    began: float
    ended: float | None = None  # None: it is there
    limit: float | None = None  # when its time limit ends, infinity for none; None: not known
    cpus: float = 0.0  # on each node; 0: not known
    ram: float = 0.0  # MB on each node; 0: not known, or not counted
    number: str = ""  # by which the scheduler's commands know it; '': they do not
    noted: bool = False  # somebody else has written on it


@dataclass(frozen=True, slots=True)
class JobCost:
    """What a job that has ended has cost."""

    number: str
    dollars: float
    hours: float  # of nodes, its parts


@dataclass(frozen=True, slots=True)
class RunsListed:
    """All jobs that are on nodes, and those that have left them of late."""

    at: float  # when the scheduler was asked
    runs: Sequence[JobRun] = ()


@dataclass(slots=True)
class JobsOnNodes:
    """`listed` is written by the poller of nodes and read by anybody: what is read is replaced whole.
    `costs` are put there by the one who knows them, where they are wanted, and taken by the one who writes them on
    jobs; the oldest go where nobody takes them."""

    listed: RunsListed | None = None  # the newest; None: nothing is known, or nobody asks
    costs: deque[JobCost] | None = None  # of jobs that have ended; None: nobody wants them
