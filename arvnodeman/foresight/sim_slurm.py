"""Slurm of a simulated site: its names, which of them may have jobs, and which job starts where."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from arvnodeman.fleet.sizes.fit import fits_in
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.features import meets
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.gres import meets as has_gres
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
from arvnodeman.foresight.sim_kept import KeptNames
from arvnodeman.foresight.sim_room import SharedNames, SimName, SimRoom, WholeNames
from arvnodeman.foresight.sim_run_times import SimRunTimes
from arvnodeman.slurm.words import node_work, state_of

TESTED = 20  # jobs of a group, whether they are short enough to be let past one that waits for several nodes
MAINTENANCE = "Reserved for maintenance"


@dataclass(slots=True)
class Rules:
    """How Slurm is set up. To be told before jobs come."""

    gres: Mapping[str, Gres] = field(default_factory=dict)  # by size: what its nodes have
    partitions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by size: its nodes'; else all
    never: Mapping[str, str] = field(default_factory=dict)  # by QOS: jobs that never start, and why; '': it is not said
    threads: Mapping[str, int] = field(default_factory=dict)  # by size: CPUs of a core, of which jobs get whole ones
    lines: Mapping[str, ProviderSize] = field(default_factory=dict)  # by size: as what slurm.conf has its names
    heard: float = 0.0  # seconds after a resume until a node that answers has been asked and may have jobs


class SimSlurm:
    """Names, jobs, and who has what. `start` is told of each job that begins."""

    def __init__(
        self, sizes: tuple[ProviderSize, ...], names: int, start: Callable[[SimJob], None], *, share: bool = False
    ) -> None:
        """`share`: several jobs may be on a name, unless one has it to itself."""
        self.sizes = {size.id: size for size in sizes}
        self.rules = Rules()
        self.names = {f"compute{number}": SimName(f"compute{number}", number) for number in range(1, names + 1)}
        self.queue = SimQueue()
        self._by_number = list(self.names.values())
        self._start = start
        self._share = share
        self._room: SimRoom = (SharedNames if share else WholeNames)(self._by_number, self._fits)
        self.kept = KeptNames(self._by_number, self._takes_jobs, self._fits)
        self._shown: dict[str, NodeWork] = {}
        self._changed: set[str] = set(self.names)
        self.renewed: set[SimName] = set(self._by_number)  # have changed since their keeper looked at them
        self._ran = SimRunTimes()
        self.watch: Callable[[SimName], None] | None = None  # is told of each name that has changed
        self.later: Callable[[float, Callable[[], None]], None] | None = None  # does something so many seconds later
        self.now: Callable[[], float] = float  # the site's clock

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
        answers, state = self.answers(name) and not name.silent, name.state
        if state == "idle" and answers and (name in self.kept or self._is_planned(name)):
            state = "plnd"
        if name.has is None or not answers:  # the next node under the name may be of another size
            return node_work(name.name, state, answers, name.weight, name.features, name.reason)
        work = state_of(state)
        return NodeWork(
            name.name, work, answers, name.weight, name.features, name.reason, has=name.has, free=name.free
        )  # fmt: skip

    def answers(self, name: SimName) -> bool:
        """Is a slurmd where Slurm looks for it?"""
        node = name.node
        return node is not None and node.up and name.address in ("", node.address)

    def _is_planned(self, name: SimName) -> bool:
        """Slurm keeps it for a job that has to wait for the end of a maintenance."""
        return bool(self.rules.never) and any(
            MAINTENANCE in self.rules.never.get(group.shape.owner.qos, "") and self._fits(group, self._kind(name))
            for group in self.queue.groups
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

    def run_times(self) -> Mapping[JobShape, float]:
        """How long jobs that wait are likely to run, in seconds: of use where nodes are shared."""
        return self._ran.of(group.shape for group in self.queue.groups)

    @staticmethod
    def _is_up(name: SimName) -> bool:
        return name.state in ("idle", "mix", "alloc") and name.node is not None and not name.node.gone

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
        if self.rules.heard and self.later is not None and self.answers(name) and not name.silent:
            name.silent = True
            self.later(self.rules.heard, partial(self._heard, name))
        self.changed(name)
        self.schedule()

    def _heard(self, name: SimName) -> None:
        name.silent = False
        self.changed(name)
        self.schedule()

    def set_down(self, hostname: str, reason: str, now: float) -> int:
        """scontrol update State=DOWN: the jobs go back to the queue; a live slurmd comes back by itself. How many jobs
        had it?"""
        name = self.name(hostname)
        name.reason, name.reason_at = reason, now
        number = self.requeue_all(name)
        name.down = name.node is None or not name.node.up
        self.changed(name)
        return number

    def registered(self, name: SimName, node: SimNode) -> int:
        """A node's slurmd answers under a name: what jobs may have of it is the node's. How many jobs of an earlier
        node's wait again?"""
        name.node = node
        if self._share:
            size = self.sizes[node.size]
            gres, threads = self.rules.gres.get(node.size, ()), self.rules.threads.get(node.size, 1)
            name.has = Capacity(int(size.cores), size.ram, gres, threads)
            name.free = name.has if not name.jobs else None  # until those have left
        return self.requeue_all(name)

    def restart(self) -> None:
        """slurmctld is restarted: features, weights and addresses are those of slurm.conf again (row F18)."""
        for name in self._by_number:
            name.features, name.weight = frozenset(), 0
            name.address = name.name if name.address else ""
            self.changed(name)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def submit(self, job: SimJob) -> None:
        """sbatch. No other job could start before, so none can now."""
        self._start_of(self._room.for_one(self.queue.add(job)))

    def cancel(self, job: SimJob, reason: str) -> None:
        """scancel of a job that waits."""
        if job.waits:
            self.queue.remove(job)
        job.cancelled = reason
        if self.kept:
            self.schedule()

    def finish(self, job: SimJob) -> None:
        """A job has ended well."""
        job.done = True
        if self._share:
            self._ran.add(job.shape, job.duration)
        self._release(job)
        self.schedule()

    def requeue_all(self, name: SimName) -> int:
        """The node of a name is lost: its jobs wait again. How many are they?"""
        jobs = tuple(name.jobs)
        groups: dict[SimGroup, None] = {}
        for job in jobs:
            self._release(job)
            if job.waits:
                groups[self.queue.add(job)] = None
        if jobs:
            self.schedule()
            self._start_of(groups)  # also where there was room before
        return len(jobs)

    def _release(self, job: SimJob) -> None:
        hostnames, job.nodes = job.nodes, ()
        for hostname in hostnames:
            name = self.names[hostname]
            name.give_back(job)
            self.changed(name)

    def schedule(self) -> None:
        """Start what can start, by turn. What has to wait keeps nobody else from it, but for jobs of several nodes."""
        for name in self.kept.release():
            self.changed(name)
        self._start_of(self._room.new_to(self.queue.groups))
        self._room.settled()

    def _start_of(self, groups: Iterable[SimGroup]) -> None:
        if not (self._room or self.kept) or not self.queue:
            return
        heads = []
        for group in groups:
            job = self.queue.first(group) if group.shape.owner.qos not in self.rules.never else None
            if job is not None:
                heads.append((job.turn, job, group))
        heapq.heapify(heads)
        while heads and (self._room or self.kept):
            _, job, group = heads[0]
            if not job.waits or not self._begins(job, group):  # it may have begun together with another
                heapq.heappop(heads)
                continue
            following = self.queue.first(group)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (following.turn, following, group))

    def _begins(self, job: SimJob, group: SimGroup) -> bool:
        """Let a job begin, with those that begin together with it, where there is room."""
        together = [part for part in job.company if part.waits]
        if len(together) > 1:
            return self._begin_together(together)
        fitting = self._room.find(group)
        if len(fitting) < group.shape.nodes:
            if group.shape.nodes > 1:
                self._keep(group, fitting)
            elif self.kept:
                self._begin_on_kept(group)
            return False
        self._take(job, fitting)
        self._start(job)
        return True

    def _keep(self, group: SimGroup, free: Sequence[SimName]) -> None:
        """Nobody behind it has these names, unless it is over before the first of it can begin."""
        for name in self.kept.keep(group, free) if free else ():
            self._note(name)
            self._room.taken(name, None)

    def _begin_on_kept(self, group: SimGroup) -> None:
        """Those of the next few that are over in time."""
        for job in self.queue.next_of(group, TESTED):
            for name in self.kept.end_before(job, self.now()):
                if self._may_use(group, name) and (name.free is None or fits_in(group.shape, name.free)):
                    self._take(job, [name])
                    self._start(job)
                    break

    def _begin_together(self, parts: Sequence[SimJob]) -> bool:
        """All of them, or none."""
        taken: list[SimJob] = []
        for part in parts:
            group = part.group
            fitting = self._room.find(group, anywhere=True) if group is not None else []
            if group is None or len(fitting) < group.shape.nodes:
                for other in taken:
                    self._release(other)
                    self.queue.add(other)
                return False
            self._take(part, fitting)
            taken.append(part)
        for part in parts:
            self._start(part)
        return True

    def _take(self, job: SimJob, names: list[SimName]) -> None:
        self.queue.remove(job)
        job.nodes = tuple(name.name for name in names)
        for name in names:
            name.take(job)
            self.kept.give(name)
            self._note(name)
            self._room.taken(name, self._takes_jobs(name))

    def _fits(self, group: SimGroup, kind: Kind) -> bool:
        known = group.fits.get(kind)
        if known is None:
            known = group.fits[kind] = self._may_have(group.shape, kind)
        return known

    def _may_use(self, group: SimGroup, name: SimName) -> bool:
        kind = self._takes_jobs(name)
        return kind is not None and self._fits(group, kind)

    def _may_have(self, shape: JobShape, kind: Kind) -> bool:
        identity, features = kind
        bound = self.rules.partitions.get(identity, ())
        if bound and shape.partitions and not set(bound) & set(shape.partitions):
            return False
        if shape.features and not meets(shape.features, features, shape.nodes):
            return False
        if shape.size is not None:
            return f"instancetype={shape.size}" in features
        size = self.rules.lines.get(identity) or self.sizes[identity]
        has = self.rules.gres.get(identity, ())
        return size.cores >= shape.cores and size.ram >= shape.ram and has_gres(has, shape.gres)

    @staticmethod
    def _kind(name: SimName) -> Kind:
        return name.node.size if name.node is not None else "", name.features

    def changed(self, name: SimName) -> None:
        """Something of a name or its node is another: it may have room for jobs now, or none any more."""
        self._note(name)
        self._room.changed(name, self._takes_jobs(name))

    def _note(self, name: SimName) -> None:
        self._changed.add(name.name)
        self.renewed.add(name)
        self.kept.changed(name)
        if self.watch is not None:
            self.watch(name)

    def _takes_jobs(self, name: SimName) -> Kind | None:
        """As which a name takes jobs, if it has room for them; None: it takes none."""
        closed = name.down or name.drain or name.silent or not self.answers(name)
        return None if closed else self._kind(name)
