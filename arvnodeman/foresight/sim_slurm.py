"""Slurm of a simulated site: its names, which of them may have jobs, and which job starts where."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from arvnodeman.fleet.values.gres import Gres, meets
from arvnodeman.fleet.values.model import (
    ErrorKind,
    Job,
    JobShape,
    ProviderSize,
    RemoteError,
    RemoteFailure,
)
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.foresight.sim_jobs import Kind, SimGroup, SimJob, SimQueue
from arvnodeman.slurm.words import node_work

MAINTENANCE = "Reserved for maintenance"


@dataclass(slots=True, eq=False)
class SimName:
    """A name that Slurm knows."""

    name: str
    number: int
    node: SimNode | None = None  # whose slurmd answers, or did last
    down: bool = True
    drain: bool = False
    reason: str = ""
    features: frozenset[str] = frozenset()
    weight: int = 0
    job: SimJob | None = None
    kind: Kind | None = None  # under which it is free for a job
    address: str = ""  # where Slurm looks for its node; '': nodes find it
    slurmd_started: float | None = None
    reason_at: float | None = None
    version: int = 0  # counts what has changed of it

    @property
    def state(self) -> str:
        """As sinfo says it, without flags."""
        if self.job is not None:
            return "drng" if self.drain else "alloc"
        if self.drain:
            return "drain"
        return "down" if self.down else "idle"


@dataclass(slots=True)
class Rules:
    """How Slurm is set up. To be told before jobs come."""

    gres: Mapping[str, Gres] = field(default_factory=dict)  # by size: what its nodes have
    partitions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by size: its nodes'; else all
    never: Mapping[str, str] = field(default_factory=dict)  # by QOS: jobs that never start, and why; '': it is not said


class SimSlurm:
    """Names, jobs, and who has what. `start` is told of each job that begins."""

    def __init__(self, sizes: tuple[ProviderSize, ...], names: int, start: Callable[[SimJob], None]) -> None:
        self.sizes = {size.id: size for size in sizes}
        self.rules = Rules()
        self.names = {f"compute{number}": SimName(f"compute{number}", number) for number in range(1, names + 1)}
        self.queue = SimQueue()
        self._by_number = list(self.names.values())
        self._start = start
        self._free: dict[Kind, list[int]] = {}  # numbers of names, in order
        self._shown: dict[str, NodeWork] = {}
        self._changed: set[str] = set(self.names)

    # ---- what it says ------------------------------------------------------------------------------------------------

    def listed(self) -> dict[str, NodeWork]:
        """sinfo. Not to be changed: it is the same object until something has changed."""
        if self.rules.never:
            self._changed.update(name.name for name in self.names.values() if name.state == "idle")
        if self._changed:
            shown = {name: self.show(self.names[name]) for name in self._changed}
            self._changed.clear()
            if others := {name: node for name, node in shown.items() if self._shown.get(name) != node}:
                self._shown = {**self._shown, **others}
        return self._shown

    def show(self, name: SimName) -> NodeWork:
        """A line of sinfo."""
        answers, state = self.answers(name), name.state
        if state == "idle" and answers and self._is_planned(name):
            state = "plnd"
        return node_work(name.name, state, answers, name.weight, name.features, name.reason)

    def answers(self, name: SimName) -> bool:
        """Is a slurmd where Slurm looks for it?"""
        node = name.node
        return node is not None and node.up and name.address in ("", node.address)

    def _is_planned(self, name: SimName) -> bool:
        """Slurm keeps it for a job that has to wait for the end of a maintenance."""
        return bool(self.rules.never) and any(
            MAINTENANCE in self.rules.never.get(group.shape.owner.qos, "") and self._fits(group, self._kind(name))
            for group in self.queue.groups.values()
        )

    def listed_jobs(self) -> tuple[Sequence[Job], dict[JobShape, list[Job]]]:
        """squeue: the jobs that wait for nodes, and those that wait for something else, as is told once a node is
        up."""
        if not self.rules.never or not any(map(self._is_up, self._by_number)):
            return self.queue.listed(), {}
        jobs: list[Job] = []
        refused: dict[JobShape, list[Job]] = {}
        for job in self.queue:
            reason = self.rules.never.get(job.shape.owner.qos, "")
            if reason:
                refused.setdefault(job.shape, []).append(job.listed(reason))
            else:
                jobs.append(job.listed("Resources"))
        return tuple(jobs), refused

    @staticmethod
    def _is_up(name: SimName) -> bool:
        return name.state in ("idle", "alloc") and name.node is not None and not name.node.gone

    def name(self, hostname: str) -> SimName:
        """Raises RemoteFailure for a name that it does not know."""
        name = self.names.get(hostname)
        if name is None:
            raise RemoteFailure(RemoteError(ErrorKind.GONE, f"Invalid node name specified: {hostname}"))
        return name

    # ---- what it is told ---------------------------------------------------------------------------------------------

    def describe(self, hostname: str, features: frozenset[str], weight: int | None = None) -> None:
        """scontrol update Features, Weight."""
        name = self.name(hostname)
        name.features = features
        if weight is not None:
            name.weight = weight
        self.changed(name)

    def drain(self, hostname: str, reason: str, now: float) -> None:
        """scontrol update State=DRAIN."""
        name = self.name(hostname)
        name.drain, name.reason, name.reason_at = True, reason, now
        self.changed(name)

    def resume(self, hostname: str) -> None:
        """scontrol update State=RESUME."""
        name = self.name(hostname)
        name.drain, name.reason = False, ""
        name.down = name.node is None or not name.node.up
        self.changed(name)
        self.schedule()

    def set_down(self, hostname: str, reason: str, now: float) -> bool:
        """scontrol update State=DOWN: the job goes back to the queue; a live slurmd comes back by itself. Did it have
        one?"""
        name = self.name(hostname)
        name.reason, name.reason_at = reason, now
        job = name.job
        if job is not None:
            self.requeue(job)
        name.down = name.node is None or not name.node.up
        self.changed(name)
        return job is not None

    def restart(self) -> None:
        """slurmctld is restarted: features, weights and addresses are those of slurm.conf again (row F18)."""
        for name in self._by_number:
            name.features, name.weight = frozenset(), 0
            name.address = name.name if name.address else ""
            self.changed(name)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def submit(self, job: SimJob) -> None:
        """sbatch. No other job could start before, so none can now."""
        self._start_of((self.queue.add(job),))

    def cancel(self, job: SimJob, reason: str) -> None:
        """scancel of a job that waits."""
        if job.waits:
            self.queue.remove(job)
        job.cancelled = reason

    def finish(self, job: SimJob) -> None:
        """A job has ended well."""
        job.done = True
        self._release(job)
        self.schedule()

    def requeue(self, job: SimJob) -> None:
        """A job's node is lost."""
        self._release(job)
        if job.waits:
            self.queue.add(job)
        self.schedule()

    def _release(self, job: SimJob) -> None:
        hostnames, job.nodes = job.nodes, ()
        for hostname in hostnames:
            name = self.names[hostname]
            name.job = None
            self.changed(name)

    def schedule(self) -> None:
        """Start what can start, by turn; what has to wait keeps nobody else from it."""
        self._start_of(self.queue.groups.values())

    def _start_of(self, groups: Iterable[SimGroup]) -> None:
        if not self._free or not self.queue:
            return
        heads = []
        for group in groups:
            job = self.queue.first(group) if group.shape.owner.qos not in self.rules.never else None
            if job is not None:
                heads.append((job.turn, job, group))
        heapq.heapify(heads)
        while heads and self._free:
            _, job, group = heads[0]
            fitting = self._fitting(group)
            if len(fitting) < group.shape.nodes:
                heapq.heappop(heads)
                continue
            self._begin(job, fitting)
            following = self.queue.first(group)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (following.turn, following, group))

    def _begin(self, job: SimJob, names: list[SimName]) -> None:
        self.queue.remove(job)
        job.nodes = tuple(name.name for name in names)
        for name in names:
            name.job = job
            self.changed(name)
        self._start(job)

    def _fitting(self, group: SimGroup) -> list[SimName]:
        """As many free names as one job of it has, the first of them."""
        kinds = [numbers for kind, numbers in self._free.items() if self._fits(group, kind)]
        return [self._by_number[number - 1] for number in islice(heapq.merge(*kinds), group.shape.nodes)]

    def _fits(self, group: SimGroup, kind: Kind) -> bool:
        known = group.fits.get(kind)
        if known is None:
            known = group.fits[kind] = self._may_have(group.shape, kind)
        return known

    def _may_have(self, shape: JobShape, kind: Kind) -> bool:
        identity, features = kind
        bound = self.rules.partitions.get(identity, ())
        if bound and shape.partitions and not set(bound) & set(shape.partitions):
            return False
        if shape.size is not None:
            return f"instancetype={shape.size}" in features
        size = self.sizes[identity]
        return (
            size.cores >= shape.cores and size.ram >= shape.ram and meets(self.rules.gres.get(identity, ()), shape.gres)
        )

    @staticmethod
    def _kind(name: SimName) -> Kind:
        return name.node.size if name.node is not None else "", name.features

    def changed(self, name: SimName) -> None:
        """Something of a name or its node is another: it may be free for jobs now, or no more."""
        self._changed.add(name.name)
        name.version += 1
        kind = self._kind(name) if name.state == "idle" and self.answers(name) else None
        if kind == name.kind:
            return
        if name.kind is not None:
            numbers = self._free[name.kind]
            del numbers[bisect_left(numbers, name.number)]
            if not numbers:
                del self._free[name.kind]
        if kind is not None:
            insort(self._free.setdefault(kind, []), name.number)
        name.kind = kind
