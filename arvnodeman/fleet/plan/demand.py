"""Wishlist against supply: which jobs a node is there or coming for, what to boot, and what nobody needs.

Supply comes before demand: only what is left after matching (see wishlist.py) is booted, in order of priority, as far
as the limits allow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Names, Outlook
from arvnodeman.fleet.plan import account_limits, licences
from arvnodeman.fleet.plan.vain import Memory
from arvnodeman.fleet.plan.wishlist import (
    IDLE,
    Group,
    Supply,
    following,
    in_turn,
    match_any,
    match_exact,
    next_supply,
    size_of,
    zone_of,
)
from arvnodeman.fleet.sizes.bounds import Bounds
from arvnodeman.fleet.sizes.limits import Rest, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import causes
from arvnodeman.fleet.values.causes import Cause
from arvnodeman.fleet.values.causes_of_use import ProbeFirst
from arvnodeman.fleet.values.features import SIZE_FEATURE
from arvnodeman.fleet.values.model import ANYWHERE, JobShape, NodeSize, Place, Policy, Zone
from arvnodeman.fleet.values.queue import Queue

TOO_MANY_NODES = "Job's min_nodes constraint is greater than the configured max_nodes ({max_nodes})"
TOO_DEAR = "Job's price ({price:g}) is above system's max_price limit ({cap:g})"


@dataclass(slots=True)
class Limits:
    """What bounds boots now, beside what stands (see Supply)."""

    policy: Policy
    t: float
    bounds: Bounds
    other_size_may_try: bool  # one above the quota
    health: dict[str, SizeHealth]
    cancellable: dict[str, int]  # shutdowns that can be taken back, by pool
    table: SizeTable
    now: float = 0.0  # the time at t, in seconds since the epoch
    outlook: Outlook = NOTHING_AHEAD
    names: Names | None = None  # that boots could have; None: that does not matter
    vain: Mapping[JobShape, Memory] = field(default_factory=dict)  # groups for which nodes came in vain


@dataclass(slots=True)
class Plan:
    """What follows from one look at supply and demand."""

    groups: dict[JobShape, Group]
    supply: Supply  # what is left of it: nodes matched to nothing
    boots: list[NodeSize] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)  # where each of them may be
    cancels: dict[str, int] = field(default_factory=dict)  # shutdowns to take back, by pool
    stopped: Cause | None = None  # the limit that stops a job
    stopped_size: NodeSize | None = None
    room_wanted: int = 0  # nodes that jobs stopped by a limit wait for
    wanted: dict[str, int] = field(default_factory=dict)  # wished nodes by size
    in_force: bool = False  # its boots have begun

    def seeks(self, size: str, zone: Zone) -> bool:
        """May a waiting job get a node of this size, in this zone? What Slurm plans may be the probe of a group."""
        return any(
            (group.limit > 0 or isinstance(group.cause, ProbeFirst))
            and not isinstance(group.cause, causes.Unsatisfiable)
            and group.shape.place.has(zone)
            and any(size == each.id for each in group.choices)
            for group in self.groups.values()
        )

    @property
    def up(self) -> int:
        """Booting, unpaired, idle, busy and reserved nodes."""
        return self.supply.up


def unsatisfiable(shape: JobShape, table: SizeTable, policy: Policy) -> str | None:
    """Why a job can never be served, in the words that its user reads; None when it can."""
    choices = table.choices(shape)
    if not choices:
        return table.why_none(shape)
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
    servable = [group for group in groups.values() if _is_servable(group, limits)]
    if limits.vain:
        servable = [group for group in servable if not _is_held_back(group, limits, supply)]
    if limits.outlook.licences:
        licences.share(servable, limits.outlook)
        servable = [group for group in servable if group.limit]
    if limits.outlook.accounting:
        account_limits.share(servable, limits.outlook.accounting)
        servable = [group for group in servable if group.limit]
    for group in servable:
        size = group.choices[0].id
        plan.wanted[size] = plan.wanted.get(size, 0) + group.nodes_lacking
    limits.table.forget_others(groups)
    match_exact(servable, supply)
    match_any(servable, supply)
    _Booting(plan, limits).walk(servable)
    for group in groups.values():
        if group.cause is None and group.short_of is not None:
            group.cause = group.short_of
    for shape, memory in limits.vain.items():
        if groups[shape].cause is None:
            groups[shape].cause = memory.probing()
    return plan


def _is_servable(group: Group, limits: Limits) -> bool:
    """May any job of a group have nodes? Else its cause says why not."""
    group.choices = limits.table.choices(group.shape)
    text = unsatisfiable(group.shape, limits.table, limits.policy)
    if text is None:
        return True
    if group.shape.size is not None and limits.table.is_missing(group.shape.size):
        group.cause = causes.Plain(text=f"size {group.shape.size} cannot be booted now: the provider lacks it")
    else:
        group.cause = causes.Unsatisfiable(text=text)
    return False


def _is_held_back(group: Group, limits: Limits, supply: Supply) -> bool:
    """How many jobs of a group that nodes did not help may want some, those that Slurm plans for it included. True when
    it is none."""
    memory = limits.vain.get(group.shape)
    if memory is None:
        return False
    group.cause = memory.cause(limits.t)
    planned = sum(supply.planned[size.id] for size in group.choices) // group.shape.nodes
    group.limit = 0 if group.cause is not None else max(0, memory.at_once - planned)
    if group.limit == 0:
        group.cause = group.cause or memory.probing()
    return group.limit == 0


class _Booting:
    """The third pass: what remains is booted, in order of priority, as far as the limits allow."""

    def __init__(self, plan: Plan, limits: Limits) -> None:
        self.plan = plan
        self.limits = limits
        self.groups: Sequence[Group] = ()
        self.above_quota = int(limits.other_size_may_try)  # the refused size rests: this is for another
        self.standing = plan.supply.nodes
        self.price = plan.supply.price
        self.begun: dict[str, int] = {}  # boots of this plan, by size
        self.cancellable = dict(limits.cancellable)
        self.names = limits.names

    def walk(self, groups: Sequence[Group]) -> None:
        """Serve jobs until a limit stops one; nothing is booted for a job behind that, nor to fill up min_nodes."""
        self.groups = groups
        turns = in_turn(groups)
        group = next(turns, None)
        while group is not None:
            blocked = self._serve(group)
            if self.plan.stopped is not None:
                self._stop_behind(groups)
                return
            group = following(turns, drop=blocked)
        self._count_room(groups)
        self._fill_minimum()

    def _serve(self, group: Group) -> bool:
        """Boot for one job. True when its group has to wait."""
        place = group.shape.place
        names_sizes = SIZE_FEATURE in group.shape.features  # several, and each will do, whatever it costs
        size, room, cause = self.choose(group.choices, place, any_price=names_sizes)
        if size is None:
            group.cause = cause
            return True
        wanted = min(group.lacking, room)
        back = min(self._can_be_taken_back(size, place), wanted)
        if self._lacks_names(size, place, group.lacking - back):
            group.cause = self.limits.outlook.in_the_way(place, self.limits.t, self.limits.now)
            return True
        stop = self.limit(size, group.lacking - back, group.nodes_lacking)  # all of a job's nodes, or none
        if stop is None:
            self._take(size, wanted, back, place)
            served = group.served
            group.book(wanted)
            group.booting += group.served - served
            return False
        if self._take_from_behind(group):
            return False
        group.cause = self.plan.stopped = stop
        self.plan.stopped_size = size
        return True

    def _take_from_behind(self, group: Group) -> bool:
        """Jobs of several nodes behind a stopped one must not sit on a part of theirs.

        Two such jobs would wait for each other for ever. True when that gave the stopped job a node: one of these, or
        one that an earlier stopped job left of what was given back to it."""
        for other in self.groups:
            if other.open and other.place > group.place:
                other.give_back(self.plan.supply)
        group.cursor = (IDLE, 0)
        found = next_supply(group, self.plan.supply)
        if found is None:
            return False
        group.take(self.plan.supply, found[1], found[0])
        return True

    def _lacks_names(self, size: NodeSize, place: Place, nodes: int) -> bool:
        """Are there too few names for these boots, for the reservations in the way? (Where there are none in the way,
        and no name is free, the one who keeps them says so.)"""
        if self.names is None or place is ANYWHERE or nodes <= 0:
            return False
        return self.names.left(place, size.partitions) < nodes

    def _can_be_taken_back(self, size: NodeSize, place: Place) -> int:
        """Shutdowns of nodes of this size, at this place."""
        return sum(self.cancellable.get(pool, 0) for pool in self._pools(size, place))

    def _pools(self, size: NodeSize, place: Place) -> list[str]:
        return [pool for pool in self.cancellable if size_of(pool) == size.id and place.has(zone_of(pool))]

    def choose(
        self, choices: Sequence[NodeSize], place: Place = ANYWHERE, *, any_price: bool = False
    ) -> tuple[NodeSize | None, int, Cause | None]:
        """The first size that does not rest, within max_price_factor; how many of it; else why none."""
        limits = self.limits
        dearest = math.inf if any_price else choices[0].price * limits.policy.max_price_factor
        cause: Cause | None = None
        too_dear = ""
        for size in choices:
            if size.price > dearest and size is not choices[0]:
                too_dear = size.id
                break
            health = limits.health[size.id]
            begun = self.begun.get(size.id, 0)
            coming = self.plan.supply.coming[size.id] + begun
            room = health.room(limits.t, self.plan.supply.nodes, self.plan.supply.creating[size.id] + begun, coming)
            room = max(room, self._can_be_taken_back(size, place))
            if room > 0:
                return size, room, None
            if health.resting is None:
                return None, 0, causes.Unproven(size=size.id, coming=coming)
            cause = cause or _rest_cause(size, health, limits.t, self.plan.supply.nodes, coming)
        if isinstance(cause, causes.Resting) and too_dear:
            cause = causes.Resting(
                until=cause.until, size=cause.size, why=cause.why, detail=cause.detail, too_dear=too_dear
            )
        return None, 0, cause

    def limit(self, size: NodeSize, nodes: int, wanted: int) -> Cause | None:
        """The limit that forbids so many more nodes, if one does. `wanted` is for the words."""
        bounds, over = self.limits.bounds, self.above_quota
        return bounds.forbid(size, nodes, self.standing, self.price, wanted=wanted, over=over)

    def _take(self, size: NodeSize, nodes: int, back: int, place: Place = ANYWHERE) -> None:
        """Book boots, and shutdowns taken back in preference to them (row E15)."""
        boots = nodes - back
        for pool in self._pools(size, place) if back else ():
            taken = min(back, self.cancellable[pool])
            self.cancellable[pool] -= taken
            self.plan.cancels[pool] = self.plan.cancels.get(pool, 0) + taken
            back -= taken
        if self.names is not None:
            self.names.take(place, boots, size.partitions)
        self.plan.boots.extend([size] * boots)
        self.plan.places.extend([place] * boots)
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

    def _count_room(self, groups: Sequence[Group]) -> None:
        """A job whose size was refused for quota waits for a place: a node that nobody wants can make it."""
        for group in groups:
            if group.open and group.choices and self.limits.health[group.choices[0].id].resting is Rest.QUOTA:
                self.plan.room_wanted += group.nodes_lacking

    def _fill_minimum(self) -> None:
        """After all wishes: fewer nodes than min_nodes are filled up with the cheapest size that does not rest."""
        lacking = self.limits.policy.min_nodes - self.plan.up - len(self.plan.boots) - sum(self.plan.cancels.values())
        while lacking > 0:
            for size in self.limits.table.cheapest_first:
                _, room, _ = self.choose((size,))
                if room > 0:
                    break
            else:
                return
            back = min(1, self._can_be_taken_back(size, ANYWHERE))
            if self.limit(size, 1 - back, lacking) is not None:
                return
            self._take(size, 1, back)
            lacking -= 1


def _rest_cause(size: NodeSize, health: SizeHealth, t: float, standing: int, coming: int) -> Cause:
    if health.is_resting(t, standing):
        why = str(health.resting.value) if health.resting is not None else ""
        return causes.Resting(until=health.until, size=size.id, why=why, detail=health.detail)
    return causes.Unproven(size=size.id, coming=coming, probe=True)
