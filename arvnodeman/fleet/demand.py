"""Wishlist against supply: which jobs a node is there or coming for, what to boot, and what nobody needs.

Jobs are grouped by shape first: 50,000 jobs have a few dozen shapes. All passes then walk the groups in order of
priority, and stop when supply or a limit is at its end, so they cost what there are nodes, not what there are jobs.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter

from arvnodeman.fleet import causes
from arvnodeman.fleet.causes import Cause
from arvnodeman.fleet.limits import SizeHealth
from arvnodeman.fleet.model import Job, JobShape, NodeSize, Policy
from arvnodeman.fleet.sizes import SizeTable

Turns = Generator["Group", bool | None, None]
IDLE, UNPAIRED, BOOTING = range(3)  # kinds of supply, in the order in which they are taken
NO_NODE_TYPE = "Constraints cannot be satisfied by any node type"
TOO_MANY_NODES = "Job's min_nodes constraint is greater than the configured max_nodes ({max_nodes})"
TOO_DEAR = "Job's price ({price:g}) is above system's max_price limit ({cap:g})"


@dataclass(slots=True)
class Group:
    """The jobs of one shape, by their places in the order of service; and what the plan has for them."""

    shape: JobShape
    places: list[int]
    choices: tuple[NodeSize, ...] = ()
    served: int = 0  # so many of the first jobs have all their nodes, there or coming
    partly: int = 0  # nodes that the next one has
    booting: int = 0  # jobs among the served for which boots begin now
    cause: Cause | None = None  # why the next one waits
    cursor: tuple[int, int] = (IDLE, 0)  # second pass: kind and choice that may still have something

    @property
    def place(self) -> int:
        """Where the next job that is not served stands."""
        return self.places[self.served]

    @property
    def open(self) -> bool:
        """Is there a job that is not served?"""
        return self.served < len(self.places)

    def take(self, nodes: int) -> int:
        """Give the next job up to so many nodes; how many it took."""
        taken = min(nodes, self.shape.nodes - self.partly)
        self.partly += taken
        if self.partly == self.shape.nodes:
            self.served, self.partly = self.served + 1, 0
        return taken

    @property
    def lacking(self) -> int:
        """Nodes that the next job lacks."""
        return self.shape.nodes - self.partly

    @property
    def nodes_lacking(self) -> int:
        """Nodes that all jobs not served lack."""
        return (len(self.places) - self.served) * self.shape.nodes - self.partly


class Queue:
    """The waiting jobs in the order of service: by priority, equals in the order of the queue."""

    def __init__(self, jobs: Sequence[Job] = ()) -> None:
        self.jobs = jobs
        for earlier, later in pairwise(jobs):
            if later.priority > earlier.priority:
                self.jobs = sorted(jobs, key=attrgetter("priority"), reverse=True)
                break
        by_identity: dict[int, list[int]] = {}  # the poller gives equal shapes as one object
        shapes: dict[JobShape, list[int]] = {}
        for place, job in enumerate(self.jobs):
            places = by_identity.get(id(job.shape))
            if places is None:
                places = by_identity[id(job.shape)] = shapes.setdefault(job.shape, [])
            places.append(place)
        self.places = shapes


@dataclass(slots=True)
class Supply:
    """Nodes that are up or coming, by size and kind: counts, taken from as jobs are matched."""

    counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, size: str, kind: int) -> None:
        """One more node."""
        counts = self.counts.get(size)
        if counts is None:
            counts = self.counts[size] = [0, 0, 0]
        counts[kind] += 1

    def take(self, size: str, kind: int, wanted: int) -> int:
        """Take up to so many nodes of one kind."""
        counts = self.counts.get(size)
        if counts is None:
            return 0
        taken = min(counts[kind], wanted)
        counts[kind] -= taken
        return taken

    def left(self, size: str, kind: int) -> int:
        """Nodes that are matched to nothing."""
        counts = self.counts.get(size)
        return counts[kind] if counts is not None else 0


@dataclass(slots=True)
class Limits:
    """What bounds boots now."""

    policy: Policy
    t: float
    standing: int  # nodes that exist or are booting
    price: float  # $/hour of them
    quota: int
    quota_until: float | None
    slots: int
    slots_until: float | None
    up: int  # booting, unpaired, idle, busy and reserved nodes, shutdowns not counted
    health: dict[str, SizeHealth]
    creating: dict[str, int]
    coming: dict[str, int]
    cancellable: dict[str, int]  # shutdowns of each size that can be taken back
    table: SizeTable


@dataclass(slots=True)
class Plan:
    """What follows from one look at supply and demand."""

    groups: dict[JobShape, Group]
    supply: Supply  # what is left of it: nodes matched to nothing
    boots: list[NodeSize] = field(default_factory=list)
    cancels: dict[str, int] = field(default_factory=dict)  # shutdowns to take back, by size
    stopped: Cause | None = None  # the limit that stops a job
    stopped_size: NodeSize | None = None
    room_wanted: int = 0  # nodes that jobs stopped by a limit wait for
    wanted: dict[str, int] = field(default_factory=dict)  # wished nodes by size


def unsatisfiable(shape: JobShape, choices: Sequence[NodeSize], policy: Policy) -> str | None:
    """Why a job can never be served, in the words that its user reads; None when it can."""
    if not choices:
        return NO_NODE_TYPE
    if shape.nodes > policy.max_nodes > 0:  # with max_nodes = 0 nothing is booted, and nobody's job is to blame
        return TOO_MANY_NODES.format(max_nodes=policy.max_nodes)
    price = choices[0].price * shape.nodes
    if 0 < policy.max_total_price < price:
        return TOO_DEAR.format(price=price, cap=policy.max_total_price)
    return None


def make_plan(queue: Queue, supply: Supply, limits: Limits) -> Plan:
    """Match supply to demand, then see what is to be booted."""
    groups = {shape: Group(shape, places) for shape, places in queue.places.items()}
    plan = Plan(groups, supply)
    servable: list[Group] = []
    for group in groups.values():
        group.choices = limits.table.choices(group.shape)
        text = unsatisfiable(group.shape, group.choices, limits.policy)
        if text is None:
            size = group.choices[0].id
            plan.wanted[size] = plan.wanted.get(size, 0) + group.nodes_lacking
            servable.append(group)
        elif group.shape.size is not None and limits.table.is_missing(group.shape.size):
            group.cause = causes.Plain(text=f"size {group.shape.size} cannot be booted now: the provider lacks it")
        else:
            group.cause = causes.Unsatisfiable(text=text)
    _match_exact(servable, supply)
    _match_any(servable, supply)
    _Booting(plan, limits).walk(servable)
    return plan


def _in_turn(groups: Sequence[Group]) -> Turns:
    """The groups, again and again, by the place of their next job. The caller serves it, or sends True to drop it."""
    heap = [(group.place, index) for index, group in enumerate(groups) if group.open]
    heapq.heapify(heap)
    while heap:
        _, index = heap[0]
        group = groups[index]
        dropped = yield group
        if dropped or not group.open:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (group.place, index))


def _match_exact(groups: Sequence[Group], supply: Supply) -> None:
    """First pass: nodes of the very size that a job gets: idle, then unpaired, then booting."""
    by_size: dict[str, list[Group]] = {}
    for group in groups:
        by_size.setdefault(group.choices[0].id, []).append(group)
    for size, wishers in by_size.items():
        for kind in (IDLE, UNPAIRED, BOOTING):
            left = supply.left(size, kind)
            turns = _in_turn(wishers)
            wisher = next(turns, None)
            while left and wisher is not None:
                left -= supply.take(size, kind, wisher.take(left))
                wisher = _following(turns)


def _match_any(groups: Sequence[Group], supply: Supply) -> None:
    """Second pass: for jobs that named no size, any node up that meets their constraints."""
    turns = _in_turn([group for group in groups if group.shape.size is None])
    group = next(turns, None)
    while group is not None:
        found = _next_supply(group, supply)
        if found is None:
            group = _following(turns, drop=True)
            continue
        kind, size = found
        supply.take(size, kind, group.take(supply.left(size, kind)))
        group = _following(turns)


def _following(turns: Turns, drop: bool = False) -> Group | None:
    """The group whose turn it is, after the last one was served, or is to be dropped."""
    try:
        return turns.send(drop)
    except StopIteration:
        return None


def _next_supply(group: Group, supply: Supply) -> tuple[int, str] | None:
    """Kind and size of what a group can still take; supply only shrinks, so its cursor only goes on."""
    kind, index = group.cursor
    while kind <= BOOTING:
        while index < len(group.choices):
            if supply.left(group.choices[index].id, kind):
                group.cursor = (kind, index)
                return kind, group.choices[index].id
            index += 1
        kind, index = kind + 1, 0
    group.cursor = (kind, 0)
    return None


class _Booting:
    """The third pass: what remains is booted, in order of priority, as far as the limits allow."""

    def __init__(self, plan: Plan, limits: Limits) -> None:
        self.plan = plan
        self.limits = limits
        self.standing = limits.standing
        self.price = limits.price
        self.begun: dict[str, int] = {}  # boots of this plan, by size
        self.cancellable = dict(limits.cancellable)

    def walk(self, groups: Sequence[Group]) -> None:
        """Serve jobs until a limit stops one; nothing is booted for a job behind that, nor to fill up min_nodes."""
        turns = _in_turn(groups)
        group = next(turns, None)
        while group is not None:
            blocked = self._serve(group)
            if self.plan.stopped is not None:
                self._stop_behind(groups)
                return
            group = _following(turns, drop=blocked)
        self._fill_minimum()

    def _serve(self, group: Group) -> bool:
        """Boot for one job. True when its group has to wait."""
        size, room, cause = self.choose(group.choices)
        if size is None:
            group.cause = cause
            return True
        wanted = min(group.lacking, room)
        back = min(self.cancellable.get(size.id, 0), wanted)
        stop = self.limit(size, group.lacking - back, group.nodes_lacking)  # all of a job's nodes, or none
        if stop is not None:
            group.cause = self.plan.stopped = stop
            self.plan.stopped_size = size
            return True
        self._take(size, wanted, back)
        served = group.served
        group.take(wanted)
        group.booting += group.served - served
        return False

    def choose(self, choices: Sequence[NodeSize]) -> tuple[NodeSize | None, int, Cause | None]:
        """The first size that does not rest, within max_price_factor; how many of it; else why none."""
        limits = self.limits
        dearest = choices[0].price * limits.policy.max_price_factor
        cause: Cause | None = None
        too_dear = ""
        for size in choices:
            if size.price > dearest and size is not choices[0]:
                too_dear = size.id
                break
            health = limits.health[size.id]
            begun = self.begun.get(size.id, 0)
            coming = limits.coming.get(size.id, 0) + begun
            room = health.room(limits.t, limits.standing, limits.creating.get(size.id, 0) + begun, coming)
            room = max(room, self.cancellable.get(size.id, 0))
            if room > 0:
                return size, room, None
            if health.resting is None:
                return None, 0, causes.Unproven(size=size.id, coming=coming)
            cause = cause or _rest_cause(size, health, limits, coming)
        if isinstance(cause, causes.Resting) and too_dear:
            cause = causes.Resting(
                until=cause.until, size=cause.size, why=cause.why, detail=cause.detail, too_dear=too_dear
            )
        return None, 0, cause

    def limit(self, size: NodeSize, nodes: int, wanted: int) -> Cause | None:
        """The limit that forbids so many more nodes, if one does. `wanted` is for the words."""
        policy, limits = self.limits.policy, self.limits
        after = self.standing + nodes
        if nodes == 0:
            return None
        if after > policy.max_nodes:
            return causes.AtMaxNodes(wanted=wanted, size=size.id, nodes=self.standing, max_nodes=policy.max_nodes)
        if after > limits.quota:
            return causes.AtQuota(
                until=limits.quota_until, wanted=wanted, size=size.id, nodes=self.standing, quota=limits.quota
            )
        if after > limits.slots:
            return causes.AtQuota(
                until=limits.slots_until,
                wanted=wanted,
                size=size.id,
                nodes=self.standing,
                quota=limits.slots,
                of="slot quota (MaxComputeVMs)",
            )
        cap = policy.max_total_price
        if cap > 0 and self.price + nodes * size.price > cap + 1e-9:
            return causes.AtPriceCap(wanted=wanted, size=size.id, price=size.price, total=self.price, cap=cap)
        return None

    def _take(self, size: NodeSize, nodes: int, back: int) -> None:
        """Book boots, and shutdowns taken back in preference to them (row E15)."""
        if back:
            self.cancellable[size.id] -= back
            self.plan.cancels[size.id] = self.plan.cancels.get(size.id, 0) + back
        boots = nodes - back
        self.plan.boots.extend([size] * boots)
        self.begun[size.id] = self.begun.get(size.id, 0) + boots
        self.standing += boots
        self.price += boots * size.price

    def _stop_behind(self, groups: Sequence[Group]) -> None:
        """A limit stops a job: those behind it wait for the same, except where their own size rests."""
        behind = causes.Behind(limit=self.plan.stopped)
        for group in groups:
            if not group.open:
                continue
            if group.cause is None:
                group.cause = behind
            if isinstance(group.cause, causes.Behind) or group.cause is self.plan.stopped:
                self.plan.room_wanted += group.nodes_lacking

    def _fill_minimum(self) -> None:
        """After all wishes: fewer nodes than min_nodes are filled up with the cheapest size that does not rest."""
        lacking = self.limits.policy.min_nodes - self.limits.up - len(self.plan.boots) - sum(self.plan.cancels.values())
        while lacking > 0:
            for size in self.limits.table.cheapest_first:
                _, room, _ = self.choose((size,))
                if room > 0:
                    break
            else:
                return
            back = min(1, self.cancellable.get(size.id, 0))
            if self.limit(size, 1 - back, lacking) is not None:
                return
            self._take(size, 1, back)
            lacking -= 1


def _rest_cause(size: NodeSize, health: SizeHealth, limits: Limits, coming: int) -> Cause:
    if health.is_resting(limits.t, limits.standing):
        why = str(health.resting.value) if health.resting is not None else ""
        return causes.Resting(until=health.until, size=size.id, why=why, detail=health.detail)
    return causes.Unproven(size=size.id, coming=coming, probe=True)
