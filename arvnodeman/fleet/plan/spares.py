"""Spares in the plan: how many nodes of a size are to stand ready beside all that jobs have, and which those are.

They come after all jobs and go before any: none is booted while a job waits for room, and an idle one makes room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from arvnodeman.fleet.plan.picture import BOOTING, IDLE, KINDS, Picture
from arvnodeman.fleet.plan.wishlist import Supply
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_spares import StaysAsSpare


class SpareWish(NamedTuple):
    """What one [Spare NAME] wants of its size now, of all of that size the one that wants most."""

    spare: str
    size: str
    nodes: int


class SpareShare(NamedTuple):
    """What the plan has for it."""

    wish: SpareWish
    idle: int = 0  # nodes that wait for work, and that no job has
    coming: int = 0  # that are booting for nobody
    begun: int = 0  # boots of this plan, and shutdowns that it takes back
    cause: Reason | None = None  # why there are no more of them


def wishes_of(picture: Picture) -> tuple[SpareWish, ...]:
    """What is wanted now, one for each size, in the order of the configuration. Nothing, once all money is spent of a
    budget that pays for nobody's nodes."""
    if not picture.policy.spares or picture.funds.spent_out(None) is not None:
        return ()
    found: dict[str, SpareWish] = {}
    for spare in picture.policy.spares:
        nodes = spare.wanted(picture.tally.busy.get(spare.size, 0), picture.now)
        best = found.get(spare.size)
        if nodes > (best.nodes if best is not None else 0):
            found[spare.size] = SpareWish(spare.name, spare.size, nodes)
    return tuple(found.values())


def left_of(supply: Supply, size: str, kinds: Iterable[int]) -> int:
    """Nodes of a size that no job has, as the plan has matched them."""
    return sum(supply.left(pool, kind) for pool in supply.pools.get(size, ()) for kind in kinds)


def coming_for_nobody(picture: Picture, supply: Supply, size: str) -> int:
    """Of those that are not up yet. Where the scheduler places jobs, some have one already."""
    coming = left_of(supply, size, [kind for kind in KINDS if kind != IDLE])
    return max(0, coming - picture.placed_on.get(size, 0))


def boots_for_spares(supply: Supply, wishes: Sequence[SpareWish]) -> Mapping[str, int]:
    """Boots that no job needs and a spare does, by pool."""
    found: dict[str, int] = {}
    for wish in wishes:
        lacking = wish.nodes - left_of(supply, wish.size, [kind for kind in KINDS if kind != BOOTING])
        for pool in supply.pools.get(wish.size, ()):
            found[pool] = max(0, min(lacking, supply.left(pool, BOOTING)))
            lacking -= found[pool]
    return found


class Unmatched(NamedTuple):
    """An idle node that no job has."""

    id: str
    size: str
    reason: Reason  # why it may go, or not


def stays(candidates: Sequence[Unmatched], wishes: Sequence[SpareWish]) -> dict[str, Reason]:
    """Which of them stay as spares. `candidates`: in the order in which they would go. Those that cannot go now are
    taken first, then those that would go last; one that an operator holds counts, and keeps his reason."""
    found: dict[str, Reason] = {}
    for wish in wishes:
        mine = [each for each in reversed(candidates) if each.size == wish.size]
        for each in sorted(mine, key=_rank)[: wish.nodes]:
            if not isinstance(each.reason, reasons.Held):
                found[each.id] = StaysAsSpare(spare=wish.spare)
    return found


def _rank(candidate: Unmatched) -> int:
    """One that has just fallen idle comes last: the next job of the same kind may be about to start on it."""
    if isinstance(candidate.reason, reasons.IdleWait):
        return 2
    return int(candidate.reason.goes)
