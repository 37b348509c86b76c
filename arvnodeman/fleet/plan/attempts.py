"""The ways to serve jobs that are tried, and the cheapest of them.

Some jobs share nodes. Where all jobs can be served their order does not matter, and they are served all at once: the
largest first. If nodes have to be booted so, other ways are tried, and the cheapest is taken. Where a limit is in the
way, or a size that rests or has not proved itself, they are served in turn: then no job has room that one before it
lacks. Where none shares a node, jobs are served in turn, too (`each_alone`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from arvnodeman.fleet.plan.booting import Booting
from arvnodeman.fleet.plan.packing import Seeker
from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.sharing import SharedBooting
from arvnodeman.fleet.plan.traits import KnownTraits
from arvnodeman.fleet.plan.wishlist import Group, Supply, match_any, match_exact

NO_COST = (0.0, 0)  # of a plan that boots nothing


def seekers_of(groups: Sequence[Group], picture: Picture, known: KnownTraits) -> list[Seeker] | None:
    """The groups as they look for room; None: none of them shares nodes."""
    if all(group.shape.takes is None for group in groups):
        return None
    return [Seeker(group, picture, known.of(group.shape)) for group in groups]


def serve(picture: Picture, seekers: Sequence[Seeker], known: KnownTraits) -> tuple[Booting, Supply]:
    """What the plan has for these, and what is left of what there is."""
    booting = _attempt(picture, seekers, known)
    booting.finish()
    return booting, booting.packing.supply


def _attempt(picture: Picture, seekers: Sequence[Seeker], known: KnownTraits) -> SharedBooting:
    """The cheapest of some ways to serve all at once, else that in turn."""
    attempt = SharedBooting(picture, seekers, known)
    if not attempt.must_stop():
        if attempt.all_at_once(largest_first):
            return _cheapest(attempt, picture, seekers, known)
        attempt = SharedBooting(picture, seekers, known)
    attempt.in_turn()
    return attempt


def _cheapest(attempt: SharedBooting, picture: Picture, seekers: Sequence[Seeker], known: KnownTraits) -> SharedBooting:
    """`attempt`, with the largest first, or that in another way."""
    best, least = FIRST, attempt.cost()
    if len(seekers) == 1:
        return attempt
    for way in OTHER_WAYS if not picture.coming_for else (*OTHER_WAYS, *AS_MEANT):
        if least == NO_COST:
            return attempt
        attempt = SharedBooting(picture, seekers, known)
        last = way
        if attempt.all_at_once(way.order, as_meant=way.as_meant) and attempt.cost() < least:
            best, least = way, attempt.cost()
    if best is not last:
        attempt = SharedBooting(picture, seekers, known)  # again: the groups have what the last one gave them
        attempt.all_at_once(best.order, as_meant=best.as_meant)
    return attempt


def largest_first(seekers: Sequence[Seeker]) -> list[Seeker]:
    """Small ones fit beside them."""
    return sorted(seekers, key=lambda seeker: seeker.bulk)


def whole_last(seekers: Sequence[Seeker]) -> list[Seeker]:
    """Who needs a node whole takes the cheapest that it may have: it may have been booted for many that share."""
    return sorted(seekers, key=lambda seeker: (seeker.needs_whole, seeker.bulk))


def smallest_first(seekers: Sequence[Seeker]) -> list[Seeker]:
    """A large one may take the last cores of the node with the memory that many small ones need."""
    return sorted(seekers, key=lambda seeker: seeker.bulk, reverse=True)


class Attempt(NamedTuple):
    """How all are served at once."""

    order: Callable[[Sequence[Seeker]], list[Seeker]]
    as_meant: bool = False  # nodes that come go first to those for whom they were booted


FIRST = Attempt(largest_first)
OTHER_WAYS = (Attempt(whole_last), Attempt(smallest_first))
AS_MEANT = tuple(Attempt(order, as_meant=True) for order in (largest_first, whole_last, smallest_first))


# ---- jobs none of which shares a node --------------------------------------------------------------------------------


def each_alone(picture: Picture, groups: Sequence[Group]) -> tuple[Booting, Supply]:
    """Jobs none of which shares a node: what there is, and what is booted. Where nodes are booted though others are
    left over, jobs that few sizes will do for are tried first: others may have taken what alone is for these."""
    booting, supply = _in_order(picture, groups)
    unused = any(map(any, supply.counts.values()))
    if len(groups) == 1 or not (booting.boots and unused) or booting.stopped is not None:
        return booting, supply
    served = [group.served for group in groups]
    other = _again(picture, groups, fewest_sizes_first=True)
    all_served = all(group.served >= before for group, before in zip(groups, served, strict=True))
    if all_served and other[0].stopped is None and other[0].cost() < booting.cost():
        return other
    return _again(picture, groups)


def _again(picture: Picture, groups: Sequence[Group], *, fewest_sizes_first: bool = False) -> tuple[Booting, Supply]:
    for group in groups:
        group.restart()
    return _in_order(picture, groups, fewest_sizes_first=fewest_sizes_first)


def _in_order(picture: Picture, groups: Sequence[Group], *, fewest_sizes_first: bool = False) -> tuple[Booting, Supply]:
    supply = Supply(picture.tally.supply)
    if fewest_sizes_first:
        for number in sorted({group.sizes for group in groups}):
            some = [group for group in groups if group.sizes == number]
            match_exact(some, supply)
            match_any(some, supply)
    else:
        match_exact(groups, supply)
        match_any(groups, supply)
    booting = Booting(picture, supply, groups)
    booting.walk()
    return booting, supply
