"""For which jobs a node is booted: whose they are, and what they will have of it. For bills: it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.values.model import JobOwner, JobShape

MOST = 32  # jobs of one node that are told; the first of them


@dataclass(frozen=True, slots=True)
class MeantFor:
    """One of these jobs."""

    job: str  # its id
    owner: JobOwner
    partition: str = ""
    cpus: float = 1.0
    ram: float = 0.0  # MB


def meant_for(job: str, shape: JobShape) -> MeantFor:
    """A job that waits."""
    takes = shape.takes
    cpus, ram = (shape.cores, shape.ram) if takes is None else (float(takes.cpus), takes.ram)
    partition = shape.partitions[0] if shape.partitions else ""
    return MeantFor(job, shape.owner, partition, cpus, ram if ram < float("inf") else 0.0)
