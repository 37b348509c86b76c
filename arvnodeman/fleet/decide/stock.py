"""The nodes as the plan counts them: kept up to date row by row, so that a picture costs what has changed.

Nodes that count alike are one `Lot`, and only their number is kept. A row is *plain* when nothing but a change of it
can change what it counts for: it works, or it is idle, and nobody has a hand on it. So it is with one that is *going*,
since a shutdown of it is under way. All others are *odd*: looked at each time, for time alone may change what they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from arvnodeman.fleet.nodes.node import (
    BUSY,
    HOLD,
    IDLE,
    NOT_UP,
    RESERVED,
    Basis,
    Node,
    drained_by_us,
)
from arvnodeman.fleet.plan import picture
from arvnodeman.fleet.plan.picture import NO_SUPPLY, NOTHING, IdleBin, NodeTally, pool_of
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.model import Directive, NodeState
from arvnodeman.fleet.values.places import Zone
from arvnodeman.fleet.values.work import WorkKind

GOING = frozenset({Directive.DRAIN, Directive.KILL})
BEGINS_JOBS = frozenset({WorkKind.WORKING, WorkKind.FINISHING})  # beside those that are there
SUPPLY_KIND = {
    NodeState.IDLE: picture.IDLE,
    NodeState.UNPAIRED: picture.UNPAIRED,
    NodeState.BOOTING: picture.BOOTING,
}
ZoneOf = Callable[[str | None], Zone]
_ID = attrgetter("id")


class Lot(NamedTuple):
    """What nodes have in common that count alike."""

    size: str  # '': not recognisable
    state: NodeState
    price: float
    pool: str = ""  # of its supply
    kind: int = NO_SUPPLY
    up: bool = True
    pending: bool = False  # booted by this run, and not up yet
    planned: bool = False  # without a job, and kept for one by Slurm
    has: Capacity | None = None  # of the supply: what it has, as Slurm says


def is_plainly_busy(node: Node) -> bool:
    """It works, and there is nothing to it."""
    slurm, cloud = node.slurm, node.cloud
    return (
        node.state is BUSY
        and node.been_up
        and node.size is not None
        and cloud.directive is None
        and (slurm is None or not slurm.state.drained)
        and node.grace_until is None
        and node.use.kept_since is None
        and node.boot is None
        and node.shutdown is None
        and node.destroyed_at is None
    )


def is_plainly_idle(node: Node) -> bool:
    """It waits for work, and there is nothing to it."""
    slurm, directive = node.slurm, node.directive
    return (
        node.state is IDLE
        and node.been_up
        and node.size is not None
        and (directive is None or directive is HOLD)
        and (slurm is None or not slurm.state.drained)
        and node.grace_until is None
        and node.shutdown is None
        and node.destroyed_at is None
        and node.boot is None
        and node.chore is None
        and not node.destroy_wait
        and not node.has_failed
    )


@lru_cache(maxsize=1024)
def busy_lot(size: str, price: float) -> Lot:
    """What a node counts for that plainly works: one object for all that are alike."""
    return Lot(size, BUSY, price)


def room_of(node: Node) -> Capacity | None:
    """What Slurm could give to more jobs now, on a node that works; None: nothing, or none share nodes."""
    slurm = node.slurm
    if slurm is None or slurm.free is None or slurm.free.cpus <= 0 or slurm.free.ram <= 0:
        return None
    usable = (
        node.state is BUSY
        and slurm.state.kind in BEGINS_JOBS
        and slurm.responding
        and node.size is not None
        and node.directive not in GOING
        and node.shutdown is None
        and node.destroyed_at is None
        and node.grace_until is None
        and drained_by_us(node) is None
    )
    return slurm.free if usable else None


def supply_kind(node: Node, basis: Basis) -> int:
    """What a node is to a waiting job."""
    if node.size is None or node.destroyed_at is not None or node.directive in GOING:
        return NO_SUPPLY
    if node.shutdown is not None:
        runs_dry = node.shutdown.runs_dry and node.slurm_busy
        return picture.IDLE if node.shutdown.cancelling and not runs_dry else NO_SUPPLY
    if drained_by_us(node) is not None:
        return NO_SUPPLY
    if node.grace_until is not None:  # many turned down at once: nothing is booted in its place for a while
        return picture.IN_GRACE if node.supply_until > basis.t else NO_SUPPLY
    if node.state is RESERVED:
        return picture.UNPAIRED if not node.been_up and not node.boot_exceeded(basis) else NO_SUPPLY
    return SUPPLY_KIND.get(node.state, NO_SUPPLY)


def lot_of(node: Node, basis: Basis, zone: Zone) -> Lot:
    """What a node counts for, of the row alone."""
    size = node.size.id if node.size is not None else ""
    if node.shutdown is not None:
        up, pending = node.shutdown.cancelling, False
    elif node.destroyed_at is not None:
        up = pending = False
    else:
        up = node.state not in NOT_UP
        pending = node.booted and not node.been_up and node.size is not None and not node.boot_exceeded(basis)
    if node.state is BUSY and node.supply_until <= basis.t:
        planned = node.use.kept_since is not None and node.size is not None
        return Lot(size, node.state, node.price, up=up, pending=pending, planned=planned)
    kind = supply_kind(node, basis)
    if kind == NO_SUPPLY:
        return Lot(size, node.state, node.price, up=up, pending=pending)
    has = node.slurm.has if node.slurm is not None else None
    return Lot(size, node.state, node.price, pool_of(size, zone), kind, up, pending, has=has)


def bin_of(node: Node) -> IdleBin:
    """An idle node as one that may go, of the row alone."""
    size = node.size.id if node.size is not None else ""
    return IdleBin(node.id, node.turn, size, node.price, node.directive is HOLD, node.idle_since)


class Stock:
    """Changed by the Fleet alone."""

    def __init__(self) -> None:
        self.odd: dict[str, Node] = {}  # rows that are looked at each time, by id
        self.going: dict[str, Node] = {}  # rows with a shutdown under way, by id
        self.idle: dict[str, dict[str, IdleBin]] = {}  # plainly idle nodes, by pool and id
        self.newly_busy: dict[str, Node] = {}  # plainly busy rows that changed since somebody has looked at them
        self.newly_idle: dict[str, Node] = {}  # plainly idle ones, likewise
        self._tables = (self.odd, self.going, self.newly_busy, self.newly_idle)
        self._lots: dict[str, Lot] = {}  # by id
        self._counts: dict[Lot, int] = {}
        self._free: dict[str, Capacity] = {}  # what is left of nodes that work, by id
        self._free_in: dict[str, str] = {}  # their pools, by id
        self._rooms: dict[str, dict[Capacity, int]] = {}  # how many alike, by pool
        self._tally: NodeTally | None = None  # of these counts
        self.counted: tuple[NodeTally, object, NodeTally] | None = None  # that, what no list shows, and both together
        self._census: Mapping[tuple[str, NodeState], int] | None = None  # likewise
        self._touched: dict[str, None] = {}  # ids in their order: most often that of the rows, which is soon read
        self._zoned = False
        self._event = -1  # in which it was brought up to date last
        self._moved: dict[str, None] | None = None  # ids of rows touched since budgets asked; None: they never did

    def touch(self, identity: str) -> None:
        """A row has changed, has come or has gone."""
        self._touched[identity] = None
        if self._moved is not None:
            self._moved[identity] = None

    def touch_rows(self, nodes: Iterable[Node]) -> None:
        """These rows may have changed."""
        touched = dict.fromkeys(map(_ID, nodes))
        self._touched.update(touched)
        if self._moved is not None:
            self._moved.update(touched)

    def moved(self) -> Mapping[str, None] | None:
        """Ids of the rows that were touched since this was asked last; None: it never was."""
        found, self._moved = self._moved, {}
        return found

    def ask_no_more(self) -> None:
        """Nobody wants to know which rows are touched: none is kept for him."""
        self._moved = None

    def refresh(
        self, nodes: Mapping[str, Node], now: Callable[[], Basis], zone: ZoneOf, *, zoned: bool, event: int
    ) -> None:
        """Read what may count otherwise than before. `now`: what nodes are judged by; `zoned`: nodes of one size may be
        in several pools; `event`: the number of the present one, within which no time goes by."""
        if zoned or self._zoned:
            identities: Collection[str] = {**self._lots, **nodes}
        elif event == self._event:
            identities = list(self._touched)
        else:
            identities = [*self._touched, *(each for each in self.odd if each not in self._touched)]
        self._zoned, self._event = zoned, event
        if not identities:
            return
        basis = now()
        for identity in identities:
            node = nodes.get(identity)
            free = room_of(node) if node is not None else None
            if free is not None or identity in self._free:
                self._put_room(identity, node, free, zone if zoned else None)
            if node is None:
                self._forget(identity)
            elif is_plainly_busy(node):
                assert node.size is not None
                lot = busy_lot(node.size.id, node.price)
                if self._lots.get(identity) is not lot:
                    self._put(identity, lot)
                if identity in self.odd or identity in self.going or identity in self.newly_idle:
                    self._strike_out(identity)
                self.newly_busy[identity] = node
            else:
                lot = lot_of(node, basis, zone(node.hostname) if zoned else ())
                self._put(identity, lot)
                self._strike_out(identity)
                if is_plainly_idle(node):
                    self.idle.setdefault(lot.pool, {})[identity] = bin_of(node)
                    self.newly_idle[identity] = node
                elif node.shutdown is not None:
                    self.going[identity] = node
                else:
                    self.odd[identity] = node
        self._touched.clear()

    def _strike_out(self, identity: str) -> None:
        for table in self._tables:
            table.pop(identity, None)

    def _put(self, identity: str, lot: Lot) -> None:
        before = self._lots.get(identity)
        if before is lot:
            return
        if before is not None:
            if before.kind == picture.IDLE:
                self._idle_no_more(identity, before)
            if before == lot:
                return
            self._counts[before] -= 1
        self._tally = self._census = None
        self._lots[identity] = lot
        self._counts[lot] = self._counts.get(lot, 0) + 1

    def _put_room(self, identity: str, node: Node | None, free: Capacity | None, zone: ZoneOf | None) -> None:
        """Note what is left of a node that works. It is counted apart, for of few it is the same."""
        before, pool_before = self._free.get(identity), self._free_in.get(identity, "")
        pool = ""
        if node is not None and node.size is not None and free is not None:
            pool = pool_of(node.size.id, zone(node.hostname) if zone is not None else ())
        if (free, pool) == (before, pool_before):
            return
        if before is not None:
            alike = self._rooms[pool_before]
            del self._free[identity], self._free_in[identity]
            alike[before] -= 1
            if not alike[before]:
                del alike[before]
        if free is not None and pool:
            alike = self._rooms.setdefault(pool, {})
            alike[free] = alike.get(free, 0) + 1
            self._free[identity], self._free_in[identity] = free, pool
        self._tally = None

    def _idle_no_more(self, identity: str, lot: Lot) -> None:
        pool = self.idle.get(lot.pool)
        if pool is not None and pool.pop(identity, None) is not None and not pool:
            del self.idle[lot.pool]

    def _forget(self, identity: str) -> None:
        self._strike_out(identity)
        lot = self._lots.pop(identity, None)
        if lot is not None:
            self._idle_no_more(identity, lot)
            self._counts[lot] -= 1
            self._tally = self._census = None

    def rooms(self) -> Iterator[tuple[str, str, Capacity]]:
        """Of each node that works and of which something is left: its id, its pool, and what that is."""
        return ((identity, self._free_in[identity], free) for identity, free in self._free.items())

    def census(self) -> Mapping[tuple[str, NodeState], int]:
        """All nodes by size and state."""
        if self._census is None:
            found: dict[tuple[str, NodeState], int] = {}
            for lot, count in self._counts.items():
                found[lot.size, lot.state] = found.get((lot.size, lot.state), 0) + count
            self._census = found
        return self._census

    @property
    def price(self) -> float:
        """Of all nodes, in $/hour."""
        return math.fsum(lot.price * count for lot, count in self._counts.items())

    def odd_in_turn(self) -> list[Node]:
        """The odd rows, in the order in which they came."""
        return sorted(self.odd.values(), key=lambda node: node.turn)

    def tally(self) -> NodeTally:
        """All nodes that there are, counted. The same object for as long as the counts are."""
        if self._tally is None:
            self._tally = self._count()
        return self._tally

    def _count(self) -> NodeTally:
        self._counts = {lot: count for lot, count in self._counts.items() if count}
        supply: dict[str, list[int]] = {}
        pending: dict[str, int] = {}
        busy: dict[str, int] = {}
        planned: dict[str, int] = {}
        whole: dict[tuple[str, int], dict[Capacity, int]] = {}
        up = 0
        for lot, count in self._counts.items():
            up += count * lot.up
            if lot.kind != NO_SUPPLY:
                supply.setdefault(lot.pool, list(NOTHING))[lot.kind] += count
                if lot.has is not None:
                    alike = whole.setdefault((lot.pool, lot.kind), {})
                    alike[lot.has] = alike.get(lot.has, 0) + count
            if lot.pending:
                pending[lot.size] = pending.get(lot.size, 0) + count
            if lot.state is BUSY and not lot.planned:
                busy[lot.size] = busy.get(lot.size, 0) + count
            if lot.planned:
                planned[lot.size] = planned.get(lot.size, 0) + count
        return NodeTally(
            supply=supply,
            nodes=sum(self._counts.values()),
            price=self.price,
            up=up,
            pending=pending,
            busy=busy,
            planned=planned,
            unused=bool(supply),
            rooms={pool: dict(alike) for pool, alike in self._rooms.items() if alike},
            whole=whole,
        )

    @property
    def plainly_busy(self) -> int:
        """How many nodes plainly work."""
        return len(self._lots) - len(self.odd) - len(self.going) - sum(map(len, self.idle.values()))
