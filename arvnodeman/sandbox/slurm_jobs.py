"""Slurm's jobs: the queue, who starts where, and why the others wait."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from arvnodeman.sandbox.hostlist import compress
from arvnodeman.sandbox.slurm_gres import has, left
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION, SlurmNode, Taken

ALL_DOWN = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"
THROWN_OFF = "thrown off before it began"  # why a job has ended that was placed on a name which was not up yet
FIRST_PRIORITY = 4_294_901_760  # of a job without nice; one less for each later job


class JobState(StrEnum):
    """The states of a job that the site has."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    NODE_FAIL = "NODE_FAIL"


SHORT = {"PENDING": "PD", "RUNNING": "R", "COMPLETED": "CD", "CANCELLED": "CA", "NODE_FAIL": "NF"}


@dataclass(frozen=True, slots=True)
class Need:
    """What a job asks of each of its nodes. MB; `features`: names of which a node must offer every one.

    `per_core`: `memory` is that of each core (sbatch --mem-per-cpu). `gpus`: on all its nodes together (sbatch --gpus).
    `partition`: several have commas between, any of them will do. `least`: CPUs that a node gives at least (sbatch
    --mincpus). `exclusive`: it has its nodes to itself, where others share them."""

    cores: int = 1
    memory: int = 0
    tmp: int = 0
    features: frozenset[str] = frozenset()
    nodes: int = 1
    gres: str = ""
    gpus: int = 0
    partition: str = DEFAULT_PARTITION
    per_core: bool = False
    least: int = 0
    exclusive: bool = False

    @property
    def cpus(self) -> int:
        """Of each of its nodes."""
        return max(self.cores, self.least)

    @property
    def memory_of_node(self) -> int:
        """MB on each of its nodes."""
        return self.memory * self.cores if self.per_core else self.memory

    def may_use(self, node: SlurmNode) -> bool:
        """Is the node in its partition?"""
        return any(name in node.partitions for name in self.partition.split(","))

    def met_by(self, node: SlurmNode) -> bool:
        """Could this node, as large as it registered, run the job?"""
        computer = node.computer
        return (
            computer is not None
            and computer.cores >= self.cpus
            and computer.memory >= self.memory_of_node
            and computer.tmp >= self.tmp
            and self.features <= set(node.active)
            and has(computer.gres, self.gres)
            and has(computer.gres, self.gpus_of_node)
            and self.may_use(node)
        )

    @property
    def gpus_of_node(self) -> str:
        """Of those that its nodes have together."""
        return f"gpu:{math.ceil(self.gpus / self.nodes)}" if self.gpus else ""

    def takes(self, node: SlurmNode, *, shared: bool) -> Taken | None:
        """What it would have of this node now; None: it cannot begin there. `shared`: other jobs may be beside it."""
        computer = node.computer
        if computer is None or not self.met_by(node):
            return None
        gres = ",".join(filter(None, (self.gres, self.gpus_of_node)))
        memory = self.memory_of_node or computer.memory  # who does not say gets all of it
        if self.exclusive or not shared:
            return None if node.jobs else Taken(computer.cores, memory, gres)
        taken = Taken(math.ceil(self.cpus / computer.threads) * computer.threads, memory, gres)
        fits = (
            node.cpus_taken + taken.cpus <= computer.cores
            and node.memory_taken + memory <= computer.memory
            and has(left(computer.gres, (each.gres for each in node.jobs.values())), gres)
        )
        return taken if fits else None


@dataclass(slots=True)
class SlurmJob:
    """One job in the queue. Times are simulated seconds."""

    id: int
    name: str
    need: Need
    feature_text: str
    priority: int
    submitted: float
    held: bool = False
    state: JobState = JobState.PENDING
    reason: str = "None"
    nodes: list[str] = field(default_factory=list)
    started: float | None = None
    admin_comment: str = ""
    shares: bool = False  # its nodes with others
    began_at: float | None = None  # wall time
    ended_at: float | None = None  # likewise


def in_turn(jobs: Iterable[SlurmJob]) -> list[SlurmJob]:
    """Pending jobs in the order in which Slurm serves them."""
    return sorted((job for job in jobs if job.state is JobState.PENDING), key=lambda job: (-job.priority, job.id))


def place(jobs: Iterable[SlurmJob], nodes: Iterable[SlurmNode]) -> list[tuple[SlurmJob, list[SlurmNode]]]:
    """One pass of the scheduler: which pending jobs start, and where. They are on their nodes then.

    Lighter nodes first, and as many jobs on one as fit, where they share. A job that needs more nodes than are free,
    but no more than are up, keeps those that it could use (state plnd) from the jobs behind it. Marks `planned` on the
    nodes.
    """
    everyone = list(nodes)
    free: list[SlurmNode] = []
    for node in everyone:
        node.planned = False
        if node.usable:
            free.append(node)
    free.sort(key=lambda node: (node.weight, len(node.name), node.name))
    starts: list[tuple[SlurmJob, list[SlurmNode]]] = []
    hopeless: set[Need] = set()
    for job in in_turn(jobs):
        if not free:
            break
        need = job.need
        if job.held or need in hopeless:
            continue
        fitting = [(node, taken) for node in free if (taken := need.takes(node, shared=job.shares)) is not None]
        chosen = _closest(fitting, everyone) if need.nodes == 1 else fitting[: need.nodes]
        if len(fitting) < need.nodes:
            hopeless.add(need)
            if sum(node.up and need.met_by(node) for node in everyone) < need.nodes:
                continue
            for node, _ in chosen:
                node.planned = not node.jobs
            kept = {node.name for node, _ in chosen}
            free = [node for node in free if node.name not in kept]
        else:
            for node, taken in chosen:
                node.jobs[job.id] = taken
            starts.append((job, [node for node, _ in chosen]))
    return starts


def _closest(fitting: list[tuple[SlurmNode, Taken]], everyone: list[SlurmNode]) -> list[tuple[SlurmNode, Taken]]:
    """The one node of those that fit that Slurm takes: of the lightest the first in the row of neighbours that has the
    fewest free CPUs."""
    rows: list[list[tuple[SlurmNode, Taken]]] = []
    places = {node.name: place for place, node in enumerate(everyone)}
    lightest = sorted(
        (pair for pair in fitting if pair[0].weight == fitting[0][0].weight), key=lambda p: places[p[0].name]
    )
    for pair in lightest:
        if rows and places[rows[-1][-1][0].name] == places[pair[0].name] - 1:
            rows[-1].append(pair)
        else:
            rows.append([pair])
    return min(rows, key=lambda row: sum(node.cpus_free for node, _ in row), default=[])[:1]


def explain(jobs: Iterable[SlurmJob], nodes: Mapping[str, SlurmNode]) -> None:
    """Write down why each pending job waits, as squeue %r shows it: one reason for each need, but the
    first in turn Resources and those behind it Priority."""
    reasons: dict[Need, str] = {}
    gone = compress(node.name for node in nodes.values() if not node.up)
    first = True
    for job in in_turn(jobs):
        if job.held:
            job.reason = "JobHeldUser"
            continue
        if job.need not in reasons:
            reasons[job.need] = _reason(job.need, nodes, gone)
        job.reason = reasons[job.need]
        if job.reason == "Resources":
            job.reason = "Resources" if first else "Priority"
            first = False


def _reason(need: Need, nodes: Mapping[str, SlurmNode], gone: str) -> str:
    """Resources when nodes that are up could do it, else what stands in the way. `gone`: nodes that are not up."""
    if not need.features:
        return "Resources" if sum(node.up and need.may_use(node) for node in nodes.values()) >= need.nodes else ALL_DOWN
    offering = [node for node in nodes.values() if need.features <= set(node.active) and need.may_use(node)]
    if not offering:
        return "BadConstraints"
    if sum(node.up for node in offering) >= need.nodes:
        return "Resources"
    return f"ReqNodeNotAvail, UnavailableNodes:{gone}" if gone else "ReqNodeNotAvail"


def comment_on(jobs: Mapping[int, SlurmJob], numbers: Iterable[str], comment: str) -> list[str]:
    """Write the AdminComment of these jobs; the numbers of those that are unknown, which cost the others nothing."""
    unknown = []
    for number in numbers:
        job = jobs.get(int(number)) if number.isdigit() else None
        if job is None:
            unknown.append(number)
        else:
            job.admin_comment = comment
    return unknown
