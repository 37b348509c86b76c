"""Nodes for jobs that cannot start yet: so that these do not wait for a boot when they may.

They come behind all jobs that wait and before spares; none is booted or kept while a job waits for room. Where jobs
share nodes, several of them may have one, and one may have what is left of a node at work.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from arvnodeman.fleet.plan.picture import IDLE, KINDS, ROOM, AheadWish, size_of, zone_of
from arvnodeman.fleet.plan.wishlist import Supply
from arvnodeman.fleet.sizes.fit import fits_in, less
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.model import NO_LIMIT, JobShape, NodeSize
from arvnodeman.fleet.values.places import ANYWHERE, Place
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_spares import StaysAhead

NEW = -3  # a node that the plan boots for such a job


class AheadShare(NamedTuple):
    """What the plan has for one such job."""

    wish: AheadWish
    idle: int = 0  # nodes that wait for it
    coming: int = 0  # that are on their way, and for nobody else
    begun: int = 0  # boots of this plan, and shutdowns that it takes back
    cause: Reason | None = None  # why there are no more of them
    rooms: int = 0  # nodes that other jobs have, with room for it


class Found(NamedTuple):
    """What there is for one such job, in nodes."""

    rooms: int = 0
    idle: int = 0
    coming: int = 0  # those that this plan boots for others of them included

    @property
    def nodes(self) -> int:
        """All of it."""
        return self.rooms + self.idle + self.coming


@dataclass(slots=True)
class PartlyTaken:
    """Nodes that are alike, with so much left on each."""

    pool: str
    kind: int  # of supply; ROOM: others have the rest of it; NEW
    free: Capacity
    count: int = 1
    place: Place | None = None  # of NEW: that its name is to have

    def serves(self, shape: JobShape, ids: frozenset[str], most: int) -> bool:
        """May such a job begin there?"""
        if size_of(self.pool) not in ids or self.free.jobs >= most or not fits_in(shape, self.free):
            return False
        return shape.place in (self.place, ANYWHERE) if self.place is not None else shape.place.has(zone_of(self.pool))


class AheadTaker:
    """Takes what there is for such jobs, before anything is booted for them."""

    def __init__(
        self,
        supply: Supply,
        room_of: Callable[[NodeSize], Capacity | None],
        rooms: Iterable[PartlyTaken] = (),
        placed_on: Mapping[str, int] | None = None,
        most: int = 0,
        shut: Container[JobShape] = (),
    ) -> None:
        """`room_of`: what a node of a size has; `rooms`: what is left of nodes that others have; `placed_on`: of nodes
        that come, those that have a job already, by size; `most`: jobs on one node, 0: any; `shut`: jobs for which no
        room beside others counts."""
        self.idle: dict[str, list[Reason]] = {}  # by pool: of each idle node that was taken why it stays
        self._supply, self._room_of, self._most = supply, room_of, most or NO_LIMIT
        self._partly = sorted(rooms, key=lambda each: (each.pool, each.free.cpus, each.free.ram))
        self._placed_on, self._shut = placed_on or {}, shut

    def take(self, wish: AheadWish, choices: Sequence[NodeSize]) -> Found:
        """What there is for it: what is left of nodes, the fullest first, then whole ones."""
        found = Found()
        if wish.shape.takes is not None:
            found = self._share(wish, frozenset(size.id for size in choices))
        idle, coming = found.idle, found.coming
        why = StaysAhead(until=wish.at, job=wish.job, why=wish.why)
        for kind in KINDS:
            for size, pool in ((each, pool) for each in choices for pool in self._supply.pools.get(each.id, ())):
                lacking = wish.nodes - found.rooms - idle - coming
                if lacking <= 0 or not wish.shape.place.has(zone_of(pool)):
                    continue
                taken = self._supply.take(pool, kind, min(lacking, self._left_of(size.id, kind)))
                if kind == IDLE:
                    idle += taken
                    self.idle.setdefault(pool, []).extend([why] * taken)
                else:
                    coming += taken
                self._leave(wish.shape, size, pool, kind, taken)
        return Found(found.rooms, idle, coming)

    def boots(self, wish: AheadWish, size: NodeSize) -> None:
        """A node of this size comes for it."""
        self._leave(wish.shape, size, size.id, NEW, 1, wish.shape.place)

    def _left_of(self, size: str, kind: int) -> int:
        """Nodes of a size that may be taken of a kind: some of those that come may have a job already."""
        placed = self._placed_on.get(size, 0)
        if kind == IDLE or not placed:
            return NO_LIMIT
        kinds = [each for each in KINDS if each != IDLE]
        left = sum(self._supply.left(pool, each) for pool in self._supply.pools.get(size, ()) for each in kinds)
        return max(0, left - placed)

    def _share(self, wish: AheadWish, ids: frozenset[str]) -> Found:
        """Nodes that others have, with room for it: each for one part of it."""
        rooms = idle = coming = 0
        for each in [*self._partly]:
            lacking = wish.nodes - rooms - idle - coming
            if lacking <= 0:
                break
            shut = each.kind == ROOM and wish.shape in self._shut
            if shut or not each.serves(wish.shape, ids, self._most):
                continue
            taken = min(lacking, each.count)
            if taken < each.count:
                rest = PartlyTaken(each.pool, each.kind, each.free, each.count - taken, each.place)
                self._partly.insert(self._partly.index(each) + 1, rest)
            each.count, each.free = taken, less(each.free, wish.shape)
            rooms += taken * (each.kind == ROOM)
            idle += taken * (each.kind == IDLE)
            coming += taken * (each.kind not in (ROOM, IDLE))
        return Found(rooms, idle, coming)

    def _leave(
        self, shape: JobShape, size: NodeSize, pool: str, kind: int, count: int, place: Place | None = None
    ) -> None:
        """What such a job leaves of whole nodes is there for the next."""
        free = self._room_of(size) if count and shape.takes is not None else None
        if free is not None:
            self._partly.append(PartlyTaken(pool, kind, less(free, shape), count, place))
