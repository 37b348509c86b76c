"""The output of squeue about jobs that Slurm has placed on names, and about those that were given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.model import Job, JobOwner, JobShape
from arvnodeman.fleet.values.placed import PlacedJob
from arvnodeman.slurm.arrays import JOB_NUMBER
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.gres import NONE
from arvnodeman.slurm.job_marks import is_marked, is_once
from arvnodeman.slurm.job_shape import count, time_limit

_FIELDS: tuple[str, ...] = ("JobArrayID", "State", "NodeList", "Requeue", "BatchFlag", "NumCPUs", "PriorityLong")
_FIELDS += ("TimeLimit", "Reason", "Partition", "UserName", "Account", "QOS", "admin_comment")  # last: anything
PLACED_FORMAT = ",".join(f"{name}:0{BEHIND if name != _FIELDS[-1] else ''}" for name in _FIELDS)
CONFIGURING, PENDING = "CONFIGURING", "PENDING"
BEGUN = frozenset({"RUNNING", "SUSPENDED", "STOPPED"})  # on nodes that are up, and not about to leave them
LEAVING = frozenset({"COMPLETING", "REQUEUED", "SIGNALING", "STAGE_OUT"})  # a job that goes back passes through one
_NO_TEXT = "(null)"


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job, as squeue lists it."""

    id: str
    state: str
    names: tuple[str, ...]
    requeue: bool
    batch: bool
    cpus: str
    priority: int
    limit: str
    reason: str
    partition: str
    owner: JobOwner
    comment: str  # AdminComment

    @property
    def placed(self) -> PlacedJob:
        """As it is given back and released."""
        return PlacedJob(self.id, self.batch, is_once(self.comment) or not self.requeue)

    @property
    def marked(self) -> bool:
        """It was given back, and is not released."""
        return is_marked(self.comment)

    @property
    def job(self) -> Job:
        """As one that waits for the nodes of its names. Raises ValueError."""
        nodes = max(1, len(self.names))
        partitions = tuple(self.partition.split(",")) if self.partition not in NONE else ()
        shape = JobShape(cores=count(self.cpus) / nodes, nodes=nodes, partitions=partitions, owner=self.owner)
        limit = time_limit(self.limit)
        return Job(self.id, shape, self.priority, self.reason, time_limit=limit, names=self.names)


def read_placed(text: str) -> tuple[list[JobLine], list[str]]:
    """The jobs of an output with PLACED_FORMAT, and the lines that cannot be read. What follows a job and is none is
    the second line of its AdminComment."""
    found: list[JobLine] = []
    malformed: list[str] = []
    for line in filter(str.strip, text.split("\n")):
        fields = line.split(BEHIND, len(_FIELDS) - 1)
        if len(fields) < len(_FIELDS) and found:
            continue
        try:
            found.append(_line(fields))
        except (ValueError, IndexError):
            malformed.append(line)
    return found, malformed


def _line(fields: Sequence[str]) -> JobLine:
    number, state, nodes, requeue, batch, cpus, priority, limit, reason, partition, user, account, qos, comment = fields
    if JOB_NUMBER.fullmatch(number) is None and "[" not in number:
        raise ValueError(f"not the number of a job: {number[:80]!r}")
    owner = JobOwner(*("" if text in NONE else text for text in (user, account, qos)))
    names = tuple(hostlist(nodes)) if nodes not in NONE else ()
    said = "" if comment == _NO_TEXT else comment
    return JobLine(
        number, state, names, requeue != "0", batch != "0", cpus, int(priority), limit, reason, partition, owner, said
    )


def by_name(jobs: Sequence[JobLine], names: Sequence[str]) -> Mapping[str, list[JobLine]]:
    """The jobs on each of these names; one of several nodes is on each of its own."""
    found: dict[str, list[JobLine]] = {name: [] for name in names}
    for job in jobs:
        for name in job.names:
            if name in found:
                found[name].append(job)
    return found
