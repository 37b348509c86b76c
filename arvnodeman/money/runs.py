"""Jobs on nodes, as the scheduler lists them: what a poller hears, and others read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class RunsListed:
    """All jobs that are on nodes, and those that have left them of late."""

    at: float  # when the scheduler was asked
    runs: Sequence[JobRun] = ()


@dataclass(slots=True)
class JobsOnNodes:
    """Written by the poller of nodes, read by anybody: what is read is replaced whole."""

    listed: RunsListed | None = None  # the newest; None: nothing is known, or nobody asks
    owners: Mapping[str, Payer] = field(default_factory=dict)  # of jobs whose owners somebody else knows, by job
