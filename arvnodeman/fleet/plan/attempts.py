"""How jobs are served some of which share nodes.

Where all jobs can be served their order does not matter, and they are served all at once: those first that need a node
whole, or last where that is cheaper. Where a limit is in the way, or a size that rests or has not proved itself,
they are served in turn: then no job has room that one before it lacks.
"""

from __future__ import annotations

from collections.abc import Sequence

from arvnodeman.fleet.plan.booting import Booting
from arvnodeman.fleet.plan.packing import Seeker
from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.sharing import SharedBooting
from arvnodeman.fleet.plan.traits import KnownTraits
from arvnodeman.fleet.plan.wishlist import Group, Supply

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
    """The cheaper of two ways to serve all at once, else that in turn."""
    attempt = SharedBooting(picture, seekers, known)
    if not attempt.must_stop() and attempt.all_at_once():
        if len({seeker.needs_whole for seeker in seekers}) == 1 or attempt.cost() == NO_COST:
            return attempt
        other = SharedBooting(picture, seekers, known)
        if other.all_at_once(whole_last=True) and other.cost() < attempt.cost():
            return other
        attempt = SharedBooting(picture, seekers, known)  # again: the groups have what the other gave them
        attempt.all_at_once()
        return attempt
    attempt = SharedBooting(picture, seekers, known)
    attempt.in_turn()
    return attempt
