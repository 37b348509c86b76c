"""What the lists tell of boots in vain: looked at with each queue poll, before the plan and after it.

It costs what there are groups of jobs, and one look at each node where jobs are refused or groups remembered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, tee
from operator import attrgetter

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stock import GOING
from arvnodeman.fleet.messages import WARNING, Decided
from arvnodeman.fleet.nodes.node import BUSY, IDLE, RESERVED, Node
from arvnodeman.fleet.plan.plan import Plan, Share
from arvnodeman.fleet.plan.vain import (
    SAMPLE,
    USED_SOON,
    IdleNode,
    Mark,
    Memory,
    Verdict,
    Watch,
    follow,
    group_name,
    not_first,
    words_of,
)
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import Job, JobShape, NodeSize
from arvnodeman.fleet.values.places import ANYWHERE
from arvnodeman.fleet.values.reasons import span
from arvnodeman.fleet.values.reasons_of_use import InVain
from arvnodeman.fleet.values.work import FREE, WaitKind, WorkKind

DEARER = 2  # times what a job takes that is looked at in its turn, one takes of a group
AFTER_BOOTS = 2  # times boot_fail_after, in which a boot may yet bring a node
_ID = attrgetter("id")


@dataclass(slots=True)
class Standing:
    """The nodes that Slurm could use, by size; `up`: the sizes of which any node is up."""

    ready: dict[str, list[Node]] = field(default_factory=dict)  # also those that are reserved since they came
    planned: dict[str, list[Node]] = field(default_factory=dict)  # kept for a job
    silent: dict[str, list[Node]] = field(default_factory=dict)  # idle, but not answering, or going since none wants it
    up: set[str] = field(default_factory=set)
    _left_idle: dict[tuple[int, str], list[Node]] = field(default_factory=dict)

    def fitting(self, sizes: Sequence[NodeSize], *, planned: bool) -> list[Node]:
        """Nodes of these sizes, as far as they could take work; with `planned`, also those kept for some."""
        return [node for table in self._tables(planned) for size in sizes for node in table.get(size.id, ())]

    def _tables(self, planned: bool) -> Sequence[dict[str, list[Node]]]:
        return (self.ready, self.planned) if planned else (self.ready,)

    def has(self, number: int, sizes: Sequence[NodeSize], *, planned: bool) -> bool:
        """Are so many fitting?"""
        for table in self._tables(planned):
            for size in sizes:
                number -= len(table.get(size.id, ()))
                if number <= 0:
                    return True
        return False

    def left_idle(self, sizes: Sequence[NodeSize], t: float, within: float, *, planned: bool) -> list[Node]:
        """Those of the fitting that Slurm could have used for so long, and has not. However many groups a node fits, it
        is looked at once."""
        found: list[Node] = []
        for place, table in enumerate(self._tables(planned)):
            for size in sizes:
                idle = self._left_idle.get((place, size.id))
                if idle is None:
                    idle = [node for node in table.get(size.id, ()) if is_left_idle(node, t, within)]
                    self._left_idle[place, size.id] = idle
                found += idle
        return found

    def unused(self, sizes: Sequence[NodeSize]) -> list[Node]:
        """All nodes of these sizes on which there is no work."""
        silent = [node for size in sizes for node in self.silent.get(size.id, ())]
        return self.fitting(sizes, planned=True) + silent


def is_left_idle(node: Node, t: float, within: float) -> bool:
    """Could Slurm have used it for so long, and has not?"""
    return node.use.unused(t, within) or node.use.kept(t, within)


def observe(state: State) -> Standing:
    """One pass over the nodes that are awake; of the others it is known that they work, could, or are going."""
    standing = Standing(ready=state.roster.quiet_idle(), up=set(state.roster.quiet_sizes()))
    for shutdown in state.shutdowns.values():
        if shutdown.kind is not ShutdownKind.UNWANTED or shutdown.runs_dry:
            continue
        if (node := shutdown.node).quiet is not None and node.size:
            standing.silent.setdefault(node.size.id, []).append(node)
    for node in state.roster.awake():
        slurm, size = node.slurm, node.size
        if slurm is None or size is None or node.destroyed_at is not None or node.directive in GOING:
            continue
        if node.shutdown is not None or not slurm.responding:
            ending = node.shutdown
            going = ending is not None and ending.kind is ShutdownKind.UNWANTED and not ending.runs_dry
            if going or (node.shutdown is None and slurm.state.kind is FREE):
                standing.silent.setdefault(size.id, []).append(node)
            continue
        resumed = node.state is IDLE and slurm.state.kind is FREE  # since the last node poll
        if node.use.ready_since is not None or resumed or (node.use.kept_since is not None and _came_reserved(node)):
            standing.ready.setdefault(size.id, []).append(node)
        elif slurm.state.kind is WorkKind.PLANNED:
            standing.planned.setdefault(size.id, []).append(node)
        elif not slurm.state.busy:
            continue
        standing.up.add(size.id)
    return standing


def _came_reserved(node: Node) -> bool:
    """It counts as supply, since it has never been anything else than reserved."""
    return node.state is RESERVED and not node.been_up and node.record is not None


def heed(state: State, refused: Mapping[JobShape, Sequence[Job]]) -> None:
    """A queue poll has come: what it says of groups that are remembered, and which groups Slurm refuses now."""
    vain, t = state.vain, state.t
    last, vain.looked_at = vain.looked_at, t
    state.refused = refused
    waiting = state.queue.places.keys() | refused.keys()
    if vain.groups or vain.asked:
        vain.forget_old(waiting, t, AFTER_BOOTS * state.policy.boot_fail_after)
    if state.table is None or not (refused or vain.groups):
        return
    standing = observe(state)
    busy = _BusySince(state)
    for shape, memory in list(vain.groups.items()):
        _follow(state, shape, memory, last, busy)
    _confirm(state, standing)
    for shape, jobs in refused.items():
        idle = _longest(_that_it_may_have(state, shape, standing.unused(state.table.choices(shape))))
        if jobs[0].waits is not WaitKind.NOT_SAID and (idle is not None or _is_up(state, shape, standing)):
            vain.refuse(shape, jobs[0].reason, t)
            if idle is not None and shape in vain.asked:
                vain.marks[shape] = Mark(idle, t, tuple(job.id for job in jobs[:SAMPLE]))
    for shape in vain.limits(state.queue.places.keys()):
        if shape not in refused and _is_up(state, shape, standing):
            job = state.queue.jobs[state.queue.places[shape][0]]
            if vain.welcome(shape, t, useless=job.waits is WaitKind.CONSTRAINTS):
                _ended(state, shape, f"Slurm's reason for its jobs is {job.reason or 'none'} now")


def _confirm(state: State, standing: Standing) -> None:
    """Groups that were refused while a node was idle, at an earlier poll: do jobs of theirs wait still?"""
    vain, t = state.vain, state.t
    for shape, mark in list(vain.marks.items()):
        refused = state.refused.get(shape, ())
        waits = bool(refused) and refused[0].waits is not WaitKind.NOT_SAID
        waits = waits or (shape in state.queue.places and not _is_up(state, shape, standing))
        if waits and not frozenset(mark.sample).isdisjoint(_ids(state, shape)):
            _decide(state, vain.in_vain(shape, vain.said(shape), mark.idle, t))
        elif shape in state.queue.places or t - mark.at > USED_SOON:
            del vain.marks[shape]


def _is_up(state: State, shape: JobShape, standing: Standing) -> bool:
    """Is there a node up that fits? Only then Slurm's reason tells of its rules."""
    assert state.table is not None
    return any(size.id in standing.up for size in state.table.choices(shape))


def _that_it_may_have(state: State, shape: JobShape, nodes: list[Node]) -> list[Node]:
    """Not those in reservations of others, nor, of a job that names some, any other."""
    if shape.place is ANYWHERE:
        return nodes
    zones = [state.zone(node.hostname) for node in nodes]
    good = {zone: shape.place.has(zone) for zone in set(zones)}  # few zones, and many nodes
    return [node for node, zone in zip(nodes, zones, strict=True) if good[zone]]


def _longest(nodes: Iterable[Node]) -> IdleNode | None:
    """The node that has stood there for longest without being used; of such that are alike, the first that came."""
    best = min(nodes, key=_unused_since, default=None)
    return None if best is None else IdleNode(best.hostname or best.cloud.name, _unused_since(best)[0])


def _unused_since(node: Node) -> tuple[float, int]:
    since = next((at for at in (node.use.ready_since, node.use.kept_since) if at is not None), node.since)
    return since, node.turn


def _ids(state: State, shape: JobShape) -> Iterator[str]:
    """The ids of a group's jobs, those that wait for nodes first."""
    return map(_ID, _jobs(state, shape))


def _jobs(state: State, shape: JobShape) -> Iterator[Job]:
    places = state.queue.places.get(shape, ())
    return chain(map(state.queue.jobs.__getitem__, places), state.refused.get(shape, ()))


def _first(state: State, shape: JobShape) -> tuple[str, ...]:
    """The ids of its first jobs."""
    jobs = [state.queue.jobs[place] for place in state.queue.places.get(shape, ())[:SAMPLE]]
    return tuple(job.id for job in (*jobs, *state.refused.get(shape, ())[: SAMPLE - len(jobs)]))


class _BusySince:
    """Since when the node of a size works that began last. However many groups ask, each node is looked at once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._newest: dict[str, float] | None = None

    def of(self, size: NodeSize) -> float:
        """Steady time; before all times, where none works."""
        if self._newest is None:
            self._newest = {}
            for node in self._state.roster.nodes.values():
                if node.size is not None and node.state is BUSY and node.use.kept_since is None:
                    self._newest[node.size.id] = max(node.since, self._newest.get(node.size.id, node.since))
        return self._newest.get(size.id, -math.inf)


def _follow(state: State, shape: JobShape, memory: Memory, last: float, busy: _BusySince) -> None:
    """Has Slurm started a job of a group? It left the queue, and a node that fits became busy since."""
    vain, t = state.vain, state.t
    follow(memory, _first(state, shape), lambda: _ids(state, shape), last, t)
    if memory.left_after is None:
        return
    if t - memory.left_at > USED_SOON:
        memory.left_after = None
        return
    assert state.table is not None
    if any(busy.of(size) >= memory.left_after for size in state.table.choices(shape)):
        waited = memory.until > t
        vain.started(shape, t)
        if waited:
            _ended(state, shape, "Slurm has started a job of it")


class _Fitting:
    """The nodes that a group could have, counted as far as it is asked."""

    def __init__(
        self, state: State, shape: JobShape, standing: Standing, sizes: Sequence[NodeSize], *, planned: bool
    ) -> None:
        self._state, self._standing, self._sizes, self._planned = state, standing, sizes, planned
        self._nodes: list[Node] | None = None  # None: those of all names alike
        if shape.place is not ANYWHERE:
            self._nodes = _that_it_may_have(state, shape, standing.fitting(sizes, planned=planned))

    def has(self, number: int) -> bool:
        """Are there so many?"""
        if self._nodes is not None:
            return len(self._nodes) >= number
        return self._standing.has(number, self._sizes, planned=self._planned)

    def left_idle(self) -> list[Node]:
        """Those that Slurm could have used for long enough, and has not."""
        t, within = self._state.t, self._state.policy.use_within
        if self._nodes is not None:
            return [node for node in self._nodes if is_left_idle(node, t, within)]
        return self._standing.left_idle(self._sizes, t, within, planned=self._planned)


def judge(state: State, plan: Plan) -> bool:
    """The plan has been made. Are there nodes that Slurm could have used for waiting jobs, for long enough, and has
    not? True when a group was found that nodes do not help: then the plan is another."""
    vain, t = state.vain, state.t
    if not plan.shares or (not plan.tally.unused and not (plan.tally.planned and (state.refused or vain.groups))):
        vain.watches.clear()
        return False
    standing = observe(state)
    reserved = _sizes_of_reserved(state)
    stood_for: list[tuple[Share, _Fitting]] = []
    for shape, group in plan.shares.items():
        if not group.choices or isinstance(group.cause, InVain) or not state.queue.jobs[group.places[0]].in_slurm:
            continue
        # what Slurm plans counts as the probe of a group that is remembered: then it is evidence, too
        kept = shape in vain.groups or not reserved.isdisjoint(size.id for size in group.choices)
        fits = _Fitting(state, shape, standing, group.choices, planned=kept)
        if fits.has(shape.nodes):
            stood_for.append((group, fits))
    watched: dict[JobShape, Watch] = {}
    verdicts: list[Verdict] = []
    moved = moved_on(state, [group.shape for group, _ in stood_for])
    for group, fits in stood_for:
        shape = group.shape
        watch = vain.watches.get(shape)
        if watch is None or shape in moved:
            watch = Watch(t, tuple(state.queue.jobs[place].id for place in group.places[:SAMPLE]))
        watched[shape] = watch
        if t - watch.since < state.policy.use_within:
            continue
        unused = fits.left_idle()
        idle = _longest(unused)
        if idle is not None and len(unused) >= shape.nodes:
            job = state.queue.jobs[group.places[0]]
            useless = job.waits is WaitKind.CONSTRAINTS
            verdicts.append(vain.in_vain(shape, job.reason, idle, t, useless=useless))
    vain.watches = {shape: watch for shape, watch in watched.items() if shape not in {v.shape for v in verdicts}}
    for verdict in verdicts:
        _decide(state, verdict)
    return bool(verdicts)


def moved_on(state: State, shapes: Iterable[JobShape]) -> set[JobShape]:
    """The groups of which a watched job has left. Nearly always the first jobs tell; else all jobs of such groups are
    looked at where these are few, or those of the queue once, in order, which takes less time for each."""
    sought: dict[str, list[JobShape]] = {}
    for shape in shapes:
        watch = state.vain.watches.get(shape)
        if watch is not None:
            for identity in not_first(watch, _ids(state, shape)):
                sought.setdefault(identity, []).append(shape)
    if sought:
        unsure = dict.fromkeys(chain.from_iterable(sought.values()))
        waiting: Iterable[Job] = chain(state.queue.jobs, *state.refused.values())
        theirs = sum(len(state.queue.places.get(shape, ())) for shape in unsure)
        if DEARER * theirs < len(state.queue.jobs):
            waiting = chain.from_iterable(_jobs(state, shape) for shape in unsure)
        jobs, asked = tee(waiting)
        for job in compress(jobs, map(sought.__contains__, map(_ID, asked))):
            if job.shape in sought[job.id]:
                sought[job.id].remove(job.shape)
    return set(chain.from_iterable(sought.values()))


def _sizes_of_reserved(state: State) -> set[str]:
    """The sizes of jobs that wait for the end of a reservation: Slurm keeps nodes for such a job, in vain."""
    assert state.table is not None
    return {
        size.id
        for shape, jobs in state.refused.items()
        if jobs[0].waits is WaitKind.RESERVATION
        for size in state.table.choices(shape)
    }


def _decide(state: State, verdict: Verdict) -> None:
    """Once for each group and back-off."""
    memory, name = verdict.memory, group_name(verdict.shape)
    state.context.counters["boots_in_vain"] += 1
    state.poll_again(memory.until)
    text = "Node %s stood idle for %s for jobs of the group %s (%s), and Slurm did not use it: it says %s."
    state.context.decide(
        Decided.IN_VAIN,
        name,
        text + " None is booted for them for %s, then one as a probe",
        memory.node,
        span(memory.idle),
        name,
        words_of(verdict.shape),
        memory.reason or "nothing",
        span(memory.wait),
        level=WARNING,
    )


def _ended(state: State, shape: JobShape, why: str) -> None:
    name = group_name(shape)
    state.context.decide(Decided.TRIED_AGAIN, name, "Nodes are tried again for the group %s: %s", name, why)


def note_boots(state: State, plan: Plan) -> None:
    """Boots begin: which groups they are for."""
    for shape, group in plan.shares.items():
        if group.booting or group.partly:
            state.vain.asked[shape] = state.t


def retry(state: State, target: str, reason: str) -> None:
    """An operator wants it tried again: a group by its name, a job by its id, or a size."""
    shapes = [shape for shape in state.vain.groups if _is_meant(state, shape, target)]
    text = "Operator retry of %s: %s"
    state.context.decide(Decided.WORD, target, text, target, reason)
    for shape in shapes:
        if state.vain.end(state.vain.groups[shape], state.t):
            _ended(state, shape, "operator retry")
    for shape in [shape for shape in state.rooms.shut if _is_meant(state, shape, target)]:
        state.rooms.end(shape, state.t)
    health = state.health.get(target)
    if health is not None:
        health.retry(state.t)
    state.vain.watches.clear()


def _is_meant(state: State, shape: JobShape, target: str) -> bool:
    if target == group_name(shape):
        return True
    if state.table is not None and any(size.id == target for size in state.table.choices(shape)):
        return True
    return target in _ids(state, shape)
