"""The wishlist: jobs grouped by shape, in the order of service, matched to the nodes that are up or coming.

50,000 jobs have a few dozen shapes. All passes walk the groups in order of priority and stop when the supply is at its
end, so they cost what there are nodes, not what there are jobs.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.plan.picture import IDLE, IN_GRACE, KINDS, NOTHING, size_of, zone_of
from arvnodeman.fleet.values.model import NO_LIMIT, JobShape, NodeSize
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.reasons import Reason

Turns = Generator["Group", bool | None, None]
FEW_NODES = 16  # for each group that wants some of a pool: then they are given away one by one


@dataclass(slots=True)
class Group:
    """The jobs of one shape, by their places in the order of service; and what the plan has for them."""

    shape: JobShape
    places: Sequence[int]
    choices: tuple[NodeSize, ...] = ()
    served: int = 0  # so many of the first jobs have all their nodes, there or coming
    partly: int = 0  # nodes that the next one has
    held: list[tuple[str, int, int]] = field(default_factory=list)  # those of them from the supply: pool, kind, nodes
    booting: int = 0  # jobs among the served for which boots begin now
    cause: Reason | None = None  # why the next one waits
    cursor: tuple[int, int] = (IDLE, 0)  # second pass: kind and choice that may still have something
    limit: int = NO_LIMIT  # so many of the first jobs may want nodes
    short_of: Reason | None = None  # why not more of them
    on_each: int = 1  # so many of its jobs have room on one node of the first of its sizes

    def restart(self) -> None:
        """Its jobs have nothing yet."""
        self.served = self.partly = self.booting = 0
        self.held.clear()
        self.cause, self.cursor = None, (IDLE, 0)

    @property
    def sizes(self) -> int:
        """So many sizes will do for its jobs."""
        return 1 if self.shape.size is not None else len(self.choices)

    @property
    def place(self) -> int:
        """Where the next job that is not served stands."""
        return self.places[self.served]

    @property
    def open(self) -> bool:
        """Is there a job that is not served, and may be?"""
        return self.served < len(self.places) and self.served < self.limit

    def book(self, nodes: int) -> None:
        """So many more nodes for the next job."""
        self.partly += nodes
        if self.partly == self.shape.nodes:
            self.served, self.partly = self.served + 1, 0
            self.held.clear()

    def take(self, supply: Supply, pool: str, kind: int) -> None:
        """Take nodes for the next job out of the supply."""
        taken = supply.take(pool, kind, self.lacking)
        if taken:
            self.held.append((pool, kind, taken))
            self.book(taken)

    def take_many(self, supply: Supply, pool: str, kind: int, nodes: int) -> None:
        """Take at once all nodes that the next jobs lack: so many, for one job or more."""
        supply.take(pool, kind, nodes)
        self.served += (self.partly + nodes) // self.shape.nodes
        self.partly = 0
        self.held.clear()

    def lacking_up_to(self, place: int) -> int:
        """Nodes that its jobs lack which stand no later than that, and may be served. One at least may."""
        jobs = bisect_right(self.places, place, self.served, min(len(self.places), self.limit)) - self.served
        return jobs * self.shape.nodes - self.partly if jobs else 0

    def lacking_of(self, nodes: int) -> int:
        """Nodes that its next jobs lack, as many jobs as these nodes are enough for."""
        jobs = (self.partly + nodes) // self.shape.nodes
        return jobs * self.shape.nodes - self.partly if jobs else 0

    def give_back(self, supply: Supply) -> None:
        """The next job gives back what it holds so far."""
        for pool, kind, nodes in self.held:
            supply.give(pool, kind, nodes)
            self.partly -= nodes
        self.held.clear()

    @property
    def lacking(self) -> int:
        """Nodes that the next job lacks."""
        return self.shape.nodes - self.partly

    @property
    def nodes_lacking(self) -> int:
        """Nodes that all jobs lack that are not served, and may be."""
        jobs = min(len(self.places), self.limit) - self.served
        return -(-jobs // self.on_each) * self.shape.nodes - self.partly


class Supply:
    """Nodes that are up or coming, by pool and kind: counts, taken from as jobs are matched."""

    def __init__(self, counts: Mapping[str, Sequence[int]]) -> None:
        self.counts = {pool: list(of_kinds) for pool, of_kinds in counts.items()}
        self.pools: dict[str, list[str]] = {}  # by size, in order
        self._sizes: list[set[str]] = [set() for _ in NOTHING]  # by kind, those of which any may be left
        for pool in sorted(counts):
            size = size_of(pool)
            self.pools.setdefault(size, []).append(pool)
            for kind, number in enumerate(counts[pool]):
                if number:
                    self._sizes[kind].add(size)

    def take(self, pool: str, kind: int, wanted: int) -> int:
        """Take up to so many nodes of one kind."""
        counts = self.counts[pool]
        taken = min(counts[kind], wanted)
        counts[kind] -= taken
        return taken

    def give(self, pool: str, kind: int, nodes: int) -> None:
        """Put nodes back."""
        self.counts[pool][kind] += nodes
        self._sizes[kind].add(size_of(pool))

    def of_kind(self, kind: int) -> Collection[str]:
        """The sizes of which nodes of one kind may be left: no other has any."""
        return self._sizes[kind]

    def left(self, pool: str, kind: int) -> int:
        """Nodes that are matched to nothing."""
        return self.counts.get(pool, NOTHING)[kind]

    def find(self, size: str, kind: int, place: Place) -> str | None:
        """A pool of this size, of which there are some, that has a node left which may be at that place."""
        gone = True
        for pool in self.pools[size]:
            if self.counts[pool][kind]:
                if place.has(zone_of(pool)):
                    return pool
                gone = False
        if gone:
            self._sizes[kind].discard(size)  # nobody has to look again
        return None


def in_turn(groups: Sequence[Group]) -> Turns:
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


def following(turns: Turns, drop: bool) -> Group | None:
    """The group whose turn it is, after the last one was served, or is to be dropped."""
    try:
        return turns.send(drop)
    except StopIteration:
        return None


def match_exact(groups: Sequence[Group], supply: Supply) -> None:
    """First pass: nodes of the very size that a job gets: idle, then unpaired, then booting."""
    by_size: dict[str, list[Group]] = {}
    for group in groups:
        by_size.setdefault(group.choices[0].id, []).append(group)
    for size, wishers in by_size.items():
        pools = sorted(supply.pools.get(size, ()), key=lambda pool: len(zone_of(pool)))  # those that suit few go first
        for kind, pool in [(kind, pool) for kind in KINDS for pool in pools if supply.left(pool, kind)]:
            zone = zone_of(pool)
            _share_out([each for each in wishers if each.open and each.shape.place.has(zone)], supply, pool, kind)


def _share_out(wishers: Sequence[Group], supply: Supply, pool: str, kind: int) -> None:
    """Give the nodes of a pool to jobs in the order of service: to all that stand no later than the last for which
    there are enough, and what is left to the one after it."""
    left = supply.left(pool, kind)
    if sum(wisher.nodes_lacking for wisher in wishers) <= left:
        shares = [wisher.nodes_lacking for wisher in wishers]
    elif len(wishers) == 1:
        shares = [wishers[0].lacking_of(left)]
    elif left <= FEW_NODES * len(wishers):
        shares = _first_served(wishers, left)
    else:
        behind, place = -1, max(wisher.places[-1] for wisher in wishers)
        while place - behind > 1:  # up to `behind` there are enough, up to `place` there are not
            middle = (behind + place) // 2
            if sum(wisher.lacking_up_to(middle) for wisher in wishers) <= left:
                behind = middle
            else:
                place = middle
        shares = [wisher.lacking_up_to(behind) for wisher in wishers]
    for wisher, nodes in zip(wishers, shares, strict=True):
        if nodes:
            wisher.take_many(supply, pool, kind, nodes)
    following = min((wisher for wisher in wishers if wisher.open), key=lambda wisher: wisher.place, default=None)
    if following is not None:
        following.take(supply, pool, kind)


def _first_served(wishers: Sequence[Group], left: int) -> list[int]:
    """For each group the nodes of its jobs before the first one for which there are not enough: job by job. Where
    there are few nodes that takes less time than to look for that job by halves."""
    shares = [0] * len(wishers)
    heap = [(wisher.place, index, wisher.lacking, wisher.served) for index, wisher in enumerate(wishers)]
    heapq.heapify(heap)
    while heap:
        _, index, lacks, job = heap[0]
        left -= lacks
        if left < 0:
            break
        shares[index] += lacks
        wisher, job = wishers[index], job + 1
        if job < len(wisher.places) and job < wisher.limit:
            heapq.heapreplace(heap, (wisher.places[job], index, wisher.shape.nodes, job))
        else:
            heapq.heappop(heap)
    return shares


def match_any(groups: Sequence[Group], supply: Supply) -> None:
    """Second pass: for jobs that named no size, any node up that meets their constraints."""
    seekers = [group for group in groups if group.shape.size is None and group.open]
    sources = [_Source(group, supply) for group in seekers]
    heap = [(group.place, index) for index, group in enumerate(seekers)]
    heapq.heapify(heap)
    while heap:
        index = heap[0][1]
        group, source = seekers[index], sources[index]
        if not source.counts[source.kind] and not source.find():
            heapq.heappop(heap)
            continue
        if group.shape.nodes == 1:  # nearly every job: one of thousands
            source.counts[source.kind] -= 1
            group.served += 1
        else:
            group.take(supply, source.pool, source.kind)
        if group.served < source.end:
            heapq.heapreplace(heap, (group.places[group.served], index))
        else:
            heapq.heappop(heap)


class _Source:
    """Where the nodes of one group come from now."""

    __slots__ = ("_group", "_supply", "counts", "end", "kind", "pool")

    def __init__(self, group: Group, supply: Supply) -> None:
        self._group, self._supply = group, supply
        self.counts: list[int] = list(NOTHING)
        self.kind, self.pool = IDLE, ""
        self.end = min(len(group.places), group.limit)  # so many of its jobs may have some

    def find(self) -> bool:
        """The next pool that has some; False where none has."""
        found = next_supply(self._group, self._supply)
        if found is None:
            return False
        self.kind, self.pool = found
        self.counts = self._supply.counts[self.pool]
        return True


def next_supply(group: Group, supply: Supply) -> tuple[int, str] | None:
    """Kind and pool of what a group can still take; supply only shrinks, so its cursor only goes on."""
    kind, index = group.cursor
    choices = group.choices
    while kind <= IN_GRACE:
        left = supply.of_kind(kind)
        while left and index < len(choices):
            size = choices[index].id
            if size in left and (pool := supply.find(size, kind, group.shape.place)) is not None:
                group.cursor = (kind, index)
                return kind, pool
            index += 1
        kind, index = kind + 1, 0
    return None
