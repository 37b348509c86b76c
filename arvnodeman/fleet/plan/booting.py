"""The third pass of the plan: what no node is there or coming for is booted, in the order of service.

Supply comes before demand: only what is left after matching (see wishlist.py) is booted, as far as the limits allow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from arvnodeman.fleet.plan.ahead import AheadShare, AheadTaker, PartlyTaken
from arvnodeman.fleet.plan.picture import IDLE, ROOM, AheadWish, Picture, size_of, zone_of
from arvnodeman.fleet.plan.purses import Purses
from arvnodeman.fleet.plan.spares import SpareShare, SpareWish, coming_for_nobody, left_of, wishes_of
from arvnodeman.fleet.plan.traits import KnownTraits
from arvnodeman.fleet.plan.wishlist import Group, Supply, following, in_turn, next_supply
from arvnodeman.fleet.sizes.bounds import Room
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.features import SIZE_FEATURE
from arvnodeman.fleet.values.model import JobShape, NodeSize
from arvnodeman.fleet.values.places import ANYWHERE, Place
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_spares import JobsFirst


@dataclass(frozen=True, slots=True)
class NewNode:
    """One node that is to be booted. `shape`: the jobs that it is for; None: it is a spare of the name given, or fills
    up min_nodes. Where nodes are shared, `shape` is of the job that asked for it, and `jobs` tells how many of each
    shape are to be there at once."""

    size: NodeSize
    place: Place = ANYWHERE
    shape: JobShape | None = None
    jobs: tuple[tuple[JobShape, int], ...] = ()
    spare: str = ""
    ahead: str = ""  # the job that it is booted for before that may start


class Booting:
    """Boots, and shutdowns taken back in preference to them (row E15)."""

    def __init__(self, picture: Picture, supply: Supply, groups: Sequence[Group]) -> None:
        self.boots: list[NewNode] = []
        self.backs: dict[str, int] = {}  # shutdowns to take back, by pool
        self.stopped: Reason | None = None  # the limit that stops a job
        self.stopped_size: NodeSize | None = None
        self._stopped_nodes = self._stopped_lacks = 0  # that the stopped job wants, and those of them that it lacks
        self.room_wanted = 0  # nodes that jobs stopped by a limit wait for
        self.wishes: Sequence[SpareWish] = wishes_of(picture)
        self.spares: list[SpareShare] = []
        self.ahead: list[AheadShare] = []
        self.ahead_idle: Mapping[str, Sequence[Reason]] = {}  # by pool: why idle nodes stay for such jobs
        self._picture = picture
        self._supply = supply
        self._groups = groups
        self._over = int(picture.other_size_may_try)  # the refused size rests: this is for another
        self._room = Room(picture.bounds, picture.tally.nodes, picture.tally.price)
        self._purses = Purses(picture.funds, picture.t)
        self._at: dict[str, NodeSize] = {}  # sizes at the rung where a node is asked for now
        self._begun: dict[str, int] = {}  # boots of this plan, by size
        self._names = picture.names.copy() if picture.names is not None else None
        self._cancellable: dict[str, int] = {}
        for node in picture.leaving:
            self._cancellable[node.pool] = self._cancellable.get(node.pool, 0) + 1

    def walk(self) -> None:
        """Serve jobs until a limit stops one; nothing is booted for a job behind that, nor to fill up min_nodes."""
        turns = in_turn(self._groups)
        group = next(turns, None)
        while group is not None:
            has_to_wait = self._serve(group)
            if self.stopped is not None:
                break
            group = following(turns, has_to_wait)
        self._beside_jobs()

    def cost(self) -> tuple[float, int]:
        """$/hour of the nodes that are booted, and how many."""
        return round(math.fsum(self._now(new.size).price for new in self.boots), 9), len(self.boots)

    def _beside_jobs(self) -> None:
        """What is done once each job has its nodes, or waits: not while one waits for a place, for what goes for its
        sake would come back first, again and again."""
        if self.stopped is not None:
            self._stop_behind()
        else:
            self._count_room()
        self._serve_ahead()
        self._stand_ready()
        if not self._jobs_first:
            self._fill_minimum()

    @property
    def _jobs_first(self) -> bool:
        return self.stopped is not None or bool(self.room_wanted)

    def _serve(self, group: Group) -> bool:
        """Boot for one job. True when its group has to wait."""
        shape, place = group.shape, group.place
        if (dear := self._purses.stops(shape, place, group.partly)) is not None:  # of others' jobs it stops none
            group.cause = dear
            return True
        names_sizes = SIZE_FEATURE in shape.features  # several, and each will do, whatever it costs
        size, room, cause = self.choose(group.choices, shape.place, any_price=names_sizes)
        if size is None:
            group.cause = cause
            return True
        wanted = min(group.lacking, room)
        back = min(self._can_be_taken_back(size, shape.place), wanted)
        if self._lacks_names(size, shape.place, group.lacking - back):
            group.cause = self._picture.outlook.in_the_way(shape.place, self._picture.t, self._picture.now)
            return True
        stop = self._forbid(size, group.lacking - back, group.nodes_lacking)  # all of a job's nodes, or none
        if stop is None:
            self._take(NewNode(size, shape.place, shape), wanted, back)
            self._purses.take(shape, self._now(size), wanted, place)
            served = group.served
            group.book(wanted)
            group.booting += group.served - served
            return False
        if self._take_from_behind(group):
            return False
        group.cause = self.stopped = stop
        self.stopped_size, self._stopped_nodes, self._stopped_lacks = size, shape.nodes, group.lacking - back
        return True

    def would_have_room(self, prices: Sequence[float]) -> bool:
        """Is there a stopped job that no limit would stop without the nodes that cost so much each, and that cannot run
        on these alone?"""
        if self.stopped_size is None or len(prices) >= self._stopped_nodes:
            return False
        room = replace(self._room, nodes=self._room.nodes - len(prices), price=self._room.price - math.fsum(prices))
        return room.forbid(self._now(self.stopped_size), self._stopped_lacks, wanted=0, over=self._over) is None

    def _take_from_behind(self, group: Group) -> bool:
        """Jobs of several nodes behind a stopped one must not sit on a part of theirs.

        Two such jobs would wait for each other for ever. True when that gave the stopped job a node: one of these, or
        one that an earlier stopped job left of what was given back to it."""
        for other in self._groups:
            if other.open and other.place > group.place:
                other.give_back(self._supply)
        group.cursor = (IDLE, 0)
        found = next_supply(group, self._supply)
        if found is None:
            return False
        group.take(self._supply, found[1], found[0])
        return True

    def _lacks_names(self, size: NodeSize, place: Place, nodes: int) -> bool:
        """Are there too few names for these boots, for the reservations in the way? (Where there are none in the way,
        and no name is free, the one who keeps them says so.)"""
        if self._names is None or place is ANYWHERE:
            return False
        return self._names.left(place, size.partitions) < nodes

    def _can_be_taken_back(self, size: NodeSize, place: Place) -> int:
        """Shutdowns of nodes of this size, at this place."""
        return sum(self._cancellable[pool] for pool in self._pools(size, place))

    def _pools(self, size: NodeSize, place: Place) -> list[str]:
        return sorted(pool for pool in self._cancellable if size_of(pool) == size.id and place.has(zone_of(pool)))

    def choose(
        self, choices: Sequence[NodeSize], place: Place = ANYWHERE, *, any_price: bool = False
    ) -> tuple[NodeSize | None, int, Reason | None]:
        """The first size that does not rest, within max_price_factor; how many of it; else why none."""
        picture, tally = self._picture, self._picture.tally
        if picture.policy.cheapest_rung:
            choices = sorted(choices, key=lambda size: self._now(size).price)
        dearest = math.inf if any_price else choices[0].dearest * picture.policy.max_price_factor
        cause: Reason | None = None
        too_dear = ""
        for size in choices:
            if self._now(size).price > dearest and size is not choices[0]:
                too_dear = size.id
                break
            room, pending = self._room_of(size, place)
            if room > 0:
                return size, room, None
            health = picture.health[size.id]
            if health.backing_off is None:
                return None, 0, reasons.Unproven(size=size.id, pending=pending)
            cause = cause or _back_off_reason(size, health, picture.t, tally.nodes, pending)
        if isinstance(cause, reasons.BackingOff) and too_dear:
            cause = reasons.BackingOff(
                until=cause.until, size=cause.size, why=cause.why, detail=cause.detail, too_dear=too_dear
            )
        return None, 0, cause

    def _now(self, size: NodeSize) -> NodeSize:
        """A size at the rung where a node is asked for now, if it has rungs: what it costs follows from that."""
        if not size.ladder:
            return size
        found = self._at.get(size.id)
        if found is None:
            health = self._picture.health[size.id]
            found = self._at[size.id] = size.at(health.first_open(self._picture.t, self._picture.tally.nodes))
        return found

    def _room_of(self, size: NodeSize, place: Place) -> tuple[int, int]:
        """How many more nodes of a size may come, and how many are coming."""
        picture, tally = self._picture, self._picture.tally
        begun = self._begun.get(size.id, 0)
        pending = tally.pending.get(size.id, 0) + begun
        creating = tally.creating.get(size.id, 0) + begun
        room = picture.health[size.id].room(picture.t, tally.nodes, creating, pending)
        return max(room, self._can_be_taken_back(size, place)), pending

    def _forbid(self, size: NodeSize, nodes: int, wanted: int) -> Reason | None:
        """The limit that forbids so many more nodes, if one does. `wanted` is for the words."""
        return self._room.forbid(self._now(size), nodes, wanted=wanted, over=self._over)

    def _take(self, new: NewNode, nodes: int, back: int) -> None:
        """So many nodes come: boots, and shutdowns taken back in preference to them."""
        self._book(new.size, new.place, nodes, back)
        self.boots.extend([new] * (nodes - back))

    def _book(self, size: NodeSize, place: Place, nodes: int, back: int) -> None:
        """Count them."""
        boots = nodes - back
        for pool in self._pools(size, place):
            taken = min(back, self._cancellable[pool])
            self._cancellable[pool] -= taken
            self.backs[pool] = self.backs.get(pool, 0) + taken
            back -= taken
        if self._names is not None:
            self._names.take(place, boots, size.partitions)
        self._begun[size.id] = self._begun.get(size.id, 0) + boots
        self._room.take(self._now(size), boots)

    def _stop_behind(self) -> None:
        """A limit stops a job: those behind it wait for the same, except where their own size rests."""
        behind = reasons.Behind(limit=self.stopped)
        for group in self._groups:
            if not group.open:
                continue
            if group.cause is None:
                group.cause = behind
            if isinstance(group.cause, reasons.Behind) or group.cause is self.stopped:
                self.room_wanted += group.nodes_lacking

    def _count_room(self) -> None:
        """A job whose size was refused for quota waits for a place: a node that nobody wants can make it, where one
        stood at that refusal."""
        for group in self._groups:
            health = self._picture.health[group.choices[0].id]
            if group.open and health.backing_off is BackOff.QUOTA and health.quota_nodes:
                self.room_wanted += group.nodes_lacking

    def _stand_ready(self) -> None:
        """After all jobs: what spares lack."""
        for wish in self.wishes:
            idle = left_of(self._supply, wish.size, (IDLE,))
            coming = coming_for_nobody(self._picture, self._supply, wish.size)
            begun, cause = self._boot_spares(wish, wish.nodes - idle - coming)
            self.spares.append(SpareShare(wish, idle, coming, begun, cause))

    def _boot_spares(self, wish: SpareWish, lacking: int) -> tuple[int, Reason | None]:
        """How many of them begin, and why no more."""
        size = self._picture.table.by_id.get(wish.size)
        if lacking <= 0:
            return 0, None
        if self._jobs_first:
            return 0, JobsFirst()
        if size is None:
            return 0, reasons.Plain(text=f"size {wish.size} cannot be booted now: the provider does not offer it")
        for begun in range(lacking):
            booted, cause = self._boot_ready((size,), None, NewNode(size, spare=wish.spare), lacking - begun)
            if booted is None:
                return begun, cause
        return lacking, None

    def _boot_ready(
        self, choices: Sequence[NodeSize], payer: JobShape | None, new: NewNode, lacking: int
    ) -> tuple[NodeSize | None, Reason | None]:
        """One node that no waiting job wants: `new`, of the first size that may be, which is told. Why none, else."""
        size, _, cause = self.choose(choices, new.place)
        if size is None:
            return None, cause or JobsFirst()
        back = min(1, self._can_be_taken_back(size, new.place))
        cause = self._forbid(size, 1 - back, lacking) or self._purses.stops(payer)
        if cause is None and self._lacks_names(size, new.place, 1 - back):
            cause = self._picture.outlook.in_the_way(new.place, self._picture.t, self._picture.now)
        if cause is not None:
            return None, cause
        self._take(replace(new, size=size), 1, back)
        self._purses.take(payer, self._now(size), 1)
        return size, None

    def _serve_ahead(self) -> None:
        """After all jobs that wait: those that may start soon."""
        if self._jobs_first:
            self.ahead = [AheadShare(wish, cause=JobsFirst()) for wish in self._picture.ahead]
            return
        picture = self._picture
        if not picture.ahead:
            return
        shares = any(wish.shape.takes is not None for wish in picture.ahead)
        rooms = self._rooms_left() if shares else ()
        most, shut = picture.policy.max_jobs_per_node, picture.shut_rooms
        taker = AheadTaker(self._supply, KnownTraits(picture).room, rooms, picture.placed_on, most, shut)
        for wish in picture.ahead:
            choices = picture.table.choices(wish.shape)
            found = taker.take(wish, choices)
            begun, cause = self._boot_ahead(taker, wish, choices, wish.nodes - found.nodes)
            self.ahead.append(AheadShare(wish, found.idle, found.coming, begun, cause, found.rooms))
        self.ahead_idle = taker.idle

    def _boot_ahead(
        self, taker: AheadTaker, wish: AheadWish, choices: Sequence[NodeSize], lacking: int
    ) -> tuple[int, Reason | None]:
        if not choices or wish.keeps:
            return 0, None
        new = NewNode(choices[0], wish.shape.place, ahead=wish.job)
        for begun in range(lacking):
            size, cause = self._boot_ready(choices, wish.shape, new, lacking - begun)
            if size is None:
                return begun, cause
            taker.boots(wish, size)
        return max(0, lacking), None

    def _rooms_left(self) -> Iterable[PartlyTaken]:
        """What jobs leave of nodes that they have, or that come for them."""
        for pool, alike in self._picture.tally.rooms.items():
            yield from (PartlyTaken(pool, ROOM, free, count) for free, count in alike.items())
        yield from (PartlyTaken(pool, ROOM, free) for pool, free in self._picture.placed_rooms)

    def _fill_minimum(self) -> None:
        """Fewer nodes than min_nodes are filled up with the cheapest size that does not rest."""
        pending = self._picture.tally.up + len(self.boots) + sum(self.backs.values())
        lacking = self._picture.policy.min_nodes - pending
        while lacking > 0:
            for size in self._picture.table.cheapest_first:
                _, room, _ = self.choose((size,))
                if room > 0:
                    break
            else:
                return
            back = min(1, self._can_be_taken_back(size, ANYWHERE))
            if self._forbid(size, 1 - back, lacking) is not None or self._purses.stops(None) is not None:
                return
            self._take(NewNode(size), 1, back)
            self._purses.take(None, self._now(size), 1)
            lacking -= 1


def _back_off_reason(size: NodeSize, health: SizeHealth, t: float, standing: int, pending: int) -> Reason:
    why = health.backing_off
    if why is not None and health.is_backing_off(t, standing):
        return reasons.BackingOff(until=health.until, size=size.id, why=why.value, detail=health.detail)
    return reasons.Unproven(size=size.id, pending=pending, probe=True)
