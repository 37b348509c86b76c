"""How each [Spare NAME] stands."""

from __future__ import annotations

from typing import NamedTuple

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.plan.spares import SpareShare
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_spares import AnotherHolds
from arvnodeman.fleet.values.spares import Spare


class SpareStanding(NamedTuple):
    """One spare, as of the newest plan."""

    name: str
    size: str
    is_open: bool  # its hours are
    wanted: int = 0  # nodes that are to stand ready
    idle: int = 0  # of them: nodes that do
    coming: int = 0  # that are on their way
    cause: Reason | None = None  # why there are no more
    changes: float | None = None  # steady time at which its hours open or close; None: not within a week


def standings(state: State) -> tuple[SpareStanding, ...]:
    """In the order of the configuration."""
    if not state.policy.spares:
        return ()
    plan, picture = state.plan, state.picture
    shares = {share.wish.size: share for share in plan.spares} if plan is not None else {}
    spent = picture.funds.spent_out(None) if picture is not None else None
    return tuple(_standing(state, spare, shares.get(spare.size), spent) for spare in state.policy.spares)


def _standing(state: State, spare: Spare, share: SpareShare | None, spent: Reason | None) -> SpareStanding:
    now = state.clock.now
    changes = spare.hours.next_change(now)
    found = SpareStanding(
        spare.name,
        spare.size,
        spare.hours.is_open(now),
        changes=None if changes is None else state.t + changes - now,
    )
    if not found.is_open or share is None:
        return found._replace(cause=spent if found.is_open else None)
    if share.wish.spare != spare.name:
        return found._replace(cause=AnotherHolds(spare=share.wish.spare))
    wanted = share.wish.nodes
    idle = min(wanted, share.idle)
    coming = min(wanted - idle, share.coming + share.begun)
    return found._replace(wanted=wanted, idle=idle, coming=coming, cause=share.cause)
