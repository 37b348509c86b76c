"""Bins that jobs share: what is left of the nodes that are up or coming, and jobs put there, the first bin that fits.

Bins that are alike are one `Bins` with a count, and jobs that are alike one `Seeker`. The bins of a pool are a chain:
where a job is put on some of those that are alike, the rest stands behind them. Bins only become smaller. So a seeker
looks at each of them once, and never turns round, whoever else has put something there. The rules of what fits are
those of sizes/fit.py, in figures that can be compared fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from arvnodeman.fleet.plan.picture import BOOTING, KINDS, NO_SUPPLY, ROOM, UNPAIRED, Picture, size_of, zone_of
from arvnodeman.fleet.plan.traits import KnownTraits, ShapeTraits
from arvnodeman.fleet.plan.wishlist import Group, Supply
from arvnodeman.fleet.sizes.fit import how_many, less
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import NO_LIMIT, JobShape, Load
from arvnodeman.fleet.values.places import ANYWHERE, Place

NOBODY: Mapping[Seeker, int] = MappingProxyType({})
COMING = (UNPAIRED, BOOTING)
SPARE_PARTS = 8  # bins more than a job of several nodes needs, from which these are chosen


class Bins:
    """Nodes that are alike: so many, with so much left on each."""

    __slots__ = (
        "count",
        "cpus",
        "following",
        "gres",
        "holds",
        "jobs",
        "kind",
        "opaque",
        "parts",
        "place",
        "pool",
        "ram",
        "threads",
        "whole",
    )

    def __init__(self, pool: str, kind: int, free: Capacity | None, count: int, place: Place | None = None) -> None:
        self.pool, self.kind, self.count = pool, kind, count
        self.place = place  # that its name is to have, of a node that the plan boots
        self.opaque = free is None  # whoever gets one has it whole
        given = Capacity(NO_LIMIT) if free is None else free
        self.cpus, self.ram, self.gres, self.threads = given.cpus, given.ram, given.gres, given.threads
        self.jobs, self.whole = given.jobs, given.whole
        self.following: Bins | None = None
        self.holds = NOBODY  # jobs on each of them, of nodes that the plan boots
        self.parts = NOBODY  # which of its jobs has its newest part on each of them

    @property
    def free(self) -> Capacity:
        """What is left on each."""
        return Capacity(self.cpus, self.ram, self.gres, self.threads, self.jobs, self.whole)

    def chain(self) -> Iterator[Bins]:
        """These, and all that stand behind them."""
        bins: Bins | None = self
        while bins is not None:
            yield bins
            bins = bins.following

    def some(self, count: int) -> Bins:
        """So many like these."""
        alike = Bins(self.pool, self.kind, None if self.opaque else self.free, count, self.place)
        alike.holds, alike.parts = self.holds, self.parts
        return alike

    def part(self, count: int) -> None:
        """These are so many from now on; the others stand behind them."""
        if count == self.count:
            return
        rest = self.some(self.count - count)
        rest.following, self.following, self.count = self.following, rest, count

    def hold(self, seeker: Seeker, jobs: int) -> None:
        """So many more jobs on each."""
        self.holds = {**self.holds, seeker: self.holds.get(seeker, 0) + jobs}


class Seeker:
    """Jobs of one group, and where they have got to in their search."""

    in_rooms: int  # nodes that its jobs have where others work
    in_new: int  # nodes that its jobs have, or share, among those that come by the plan
    closed: bool  # there is nothing more for it
    _chains: list[Bins]  # the first ones of those that it may have
    _next: int  # of these
    _at: Bins

    def __init__(self, group: Group, picture: Picture, traits: ShapeTraits) -> None:
        self.group, self.shape = group, group.shape
        self.end = min(len(group.places), group.limit)  # so many of its jobs may have nodes
        self.fills, self.needs_whole, self.trusts = traits.fills, traits.needs_whole, traits.trusts
        self.nodes = self.shape.nodes
        self._most = picture.policy.max_jobs_per_node or NO_LIMIT
        self._has_room = self.shape not in picture.shut_rooms
        group.choices, group.on_each = traits.choices, traits.on_each
        self.alone = traits.alone
        self.ids, self._least, self._ram = traits.ids, traits.least, traits.ram
        self._gres: Gres = self.shape.gres
        self.bulk = traits.bulk, group.places[0]
        self.figures = traits.figures

    @property
    def left(self) -> int:
        """Jobs that have no node, and may have one."""
        return self.end - self.group.served

    def restart(self, packing: Packing) -> None:
        """Its jobs have nothing yet, and look at all bins that they may have."""
        group = self.group
        group.served = group.partly = group.booting = 0
        group.cause = None
        self.in_rooms = self.in_new = 0
        self.closed = False
        self._chains = [first for first in packing.chains if self.may_have(first)]
        self._chains.append(packing.coming)
        self._at, self._next = self._chains[0], 1

    def may_have(self, bins: Bins) -> bool:
        """May it be such a node, whatever is left on it?"""
        if bins.place is not None:
            return bins.pool in self.ids and self.shape.place in (bins.place, ANYWHERE)
        if bins.kind == ROOM and (self.fills or not self._has_room):
            return False
        return size_of(bins.pool) in self.ids and self.shape.place.has(zone_of(bins.pool))

    def fit(self, bins: Bins, most: int = NO_LIMIT) -> int:
        """So many jobs, `most` at most, of it may begin on each of these bins, of those that it may have."""
        if bins.jobs >= self._most or (bins.place is not None and not self.may_have(bins)):
            return 0
        if self.trusts or bins.opaque:
            return int(bins.whole)
        asks = self.figures(bins.threads)
        if bins.cpus < asks.cpus or bins.ram < asks.ram or (self.needs_whole and not bins.whole):
            return 0
        if self._gres:
            return how_many(self.shape, bins.free, min(most, self._most - bins.jobs))
        if self.needs_whole:
            return 1
        fitting = min((bins.cpus - asks.cpus) // asks.taken + 1, self._most - bins.jobs, most)
        if asks.ram_taken and bins.ram < math.inf:
            fitting = min(fitting, int((bins.ram - asks.ram) / asks.ram_taken) + 1)
        return fitting

    def take(self, bins: Bins, jobs: int) -> None:
        """So many jobs begin on each of these bins, which they fit."""
        bins.jobs += jobs
        bins.whole = False
        if bins.opaque or self.trusts:
            bins.cpus, bins.ram, bins.gres, bins.opaque = 0, 0, (), False
            return
        if self._gres:
            free = bins.free
            for _ in range(jobs):
                free = less(free, self.shape)
            bins.gres = free.gres
        asks = self.figures(bins.threads)
        bins.cpus -= jobs * asks.taken
        bins.ram = 0.0 if self.needs_whole else bins.ram - jobs * asks.ram_taken

    def find(self) -> Bins | None:
        """The first bins that a job fits."""
        bins: Bins | None = self._at
        least, ram = self._least, self._ram
        while True:
            while bins is not None:
                if bins.cpus >= least and bins.ram >= ram and bins.count and self.fit(bins, 1):
                    self._at = bins
                    return bins
                self._at, bins = bins, bins.following  # where it is the last, more may come behind it
            if self._next == len(self._chains):
                return None
            bins, self._next = self._chains[self._next], self._next + 1

    def find_parts(self, nodes: int) -> list[tuple[Bins, int]]:
        """Bins for parts of one job, each for another: so many, or as many as there are. Of the first that it fits it
        takes those that hold parts of jobs like it, then those that could hold most: so the fewest nodes are begun."""
        found: list[tuple[int, Bins]] = []
        seen = 0
        for bins in self._onward():
            has_one = self.group.partly and bins.parts.get(self) == self.group.served
            fitting = self.fit(bins) if bins.count and not has_one else 0
            if fitting:
                found.append((fitting, bins))
                seen += bins.count
                if seen >= nodes + SPARE_PARTS:
                    break
        parts: list[tuple[Bins, int]] = []
        for _, bins in sorted(found, key=lambda row: (self not in row[1].parts, -row[0])):
            parts.append((bins, min(nodes, bins.count)))
            nodes -= parts[-1][1]
            if not nodes:
                break
        return parts

    def _onward(self) -> Iterator[Bins]:
        """All that it has not passed for good."""
        if self.find() is not None:
            for first in (self._at, *self._chains[self._next :]):
                yield from first.chain()


class Packing:
    """All bins of one picture; whole nodes that are taken are taken from the supply, too."""

    def __init__(self, picture: Picture, known: KnownTraits) -> None:
        self.supply = Supply(picture.tally.supply)
        self.chains = _chains(picture, known)  # the first of each pool and kind, in the order in which they are taken
        self.coming = self._last = Bins("", NO_SUPPLY, Capacity(0, 0), 0)  # behind it those that come by the plan
        self.cpus = sum(bins.cpus * bins.count for first in self.chains for bins in first.chain())
        self.capacity = known.room

    def add(self, bins: Bins) -> None:
        """Some come, behind all others."""
        *_, last = self._last.chain()  # it may have been parted since
        last.following = self._last = bins

    def put(self, seeker: Seeker, bins: Bins, jobs: int, count: int) -> None:
        """So many jobs, or parts of as many, begin on each of so many of these bins."""
        bins.part(count)
        if bins.whole and bins.kind >= 0:
            self.supply.take(bins.pool, bins.kind, count)
        if bins.kind == ROOM:
            seeker.in_rooms += jobs * count
        elif bins.kind == NO_SUPPLY:
            bins.hold(seeker, jobs)
            seeker.in_new += jobs * count
        seeker.take(bins, jobs)

    def put_as_meant(self, seekers: Mapping[JobShape, Seeker], coming_for: Mapping[str, Mapping[Load, int]]) -> None:
        """Nodes that come hold the jobs that they were booted for, of those that still wait. Not jobs of several
        nodes: their parts go where there is room."""
        for first in self.chains:
            if first.kind in COMING:
                for load, nodes in coming_for.get(first.pool, {}).items():
                    self._put_load(seekers, first, load, nodes)

    def _put_load(self, seekers: Mapping[JobShape, Seeker], first: Bins, load: Load, nodes: int) -> None:
        bins = next((each for each in first.chain() if each.whole and each.count), None)
        for shape, most in load:
            seeker = seekers.get(shape)
            if bins is None or seeker is None or seeker.nodes > 1 or not seeker.may_have(bins):
                continue
            jobs = min(most, seeker.fit(bins, most))
            count = min(nodes, bins.count, seeker.left // jobs) if jobs else 0
            if count:
                self.put(seeker, bins, jobs, count)
                seeker.group.served += jobs * count

    def put_parts(self, seeker: Seeker, parts: Sequence[tuple[Bins, int]]) -> None:
        """Parts of the next job, each on another bin."""
        for bins, count in parts:
            self.put(seeker, bins, 1, count)
            bins.parts = {**bins.parts, seeker: seeker.group.served}
        seeker.group.book(sum(count for _, count in parts))

    def put_many(self, seeker: Seeker) -> None:
        """As many of its jobs as there is room for, all at once. Of one of several nodes also a part."""
        group, nodes = seeker.group, seeker.nodes
        if group.partly:
            self.put_parts(seeker, seeker.find_parts(group.lacking))
        while seeker.left and not group.partly and (bins := seeker.find()) is not None:
            each = seeker.fit(bins, seeker.left)
            full = min(bins.count // nodes, seeker.left // each)
            if full:
                self.put(seeker, bins, each, full * nodes)
                group.served += full * each
            else:
                self.put_parts(seeker, seeker.find_parts(nodes))


def _chains(picture: Picture, known: KnownTraits) -> list[Bins]:
    """What there is, in the order in which it is taken: nodes at work, then whole nodes by kind, as all plans take
    them; of each the cheapest sizes first, and of one size the fullest."""
    tally, table = picture.tally, picture.table
    turns = {size.id: turn for turn, size in enumerate(table.cheapest_first)}
    pools = [pool for pool in {**tally.rooms, **tally.supply} if size_of(pool) in turns]
    pools.sort(key=lambda pool: (turns[size_of(pool)], len(zone_of(pool)), pool))
    rooms = [(pool, tally.rooms[pool]) for pool in pools if pool in tally.rooms]
    found = [[Bins(pool, ROOM, free, count) for free, count in alike.items()] for pool, alike in rooms]
    for kind in KINDS:
        for pool in (pool for pool in pools if pool in tally.supply):
            found.append(_whole(picture, pool, kind, known.room(table.by_id[size_of(pool)])))
    return [_chained(bins) for bins in found if bins]


def _chained(bins: list[Bins]) -> Bins:
    """Behind one another; the first of them."""
    bins.sort(key=lambda each: (each.cpus, each.ram))
    for each, following in pairwise(bins):
        each.following = following
    return bins[0]


def _whole(picture: Picture, pool: str, kind: int, usual: Capacity | None) -> list[Bins]:
    """Whole nodes of one pool and kind: those that the scheduler has declared otherwise, and the others."""
    others = picture.tally.supply[pool][kind]
    found = []
    for free, count in picture.tally.whole.get((pool, kind), {}).items():
        found.append(Bins(pool, kind, free, count))
        others -= count
    return found + ([Bins(pool, kind, usual, others)] if others > 0 else [])
