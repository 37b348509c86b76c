"""Nodes for jobs that cannot start yet: so that these do not wait for a boot when they may.

They come behind all jobs that wait and before spares; none is booted or kept while a job waits for room.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from arvnodeman.fleet.plan.picture import IDLE, KINDS, AheadWish, zone_of
from arvnodeman.fleet.plan.wishlist import Supply
from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_spares import StaysAhead


class AheadShare(NamedTuple):
    """What the plan has for one such job."""

    wish: AheadWish
    idle: int = 0  # nodes that wait for it
    coming: int = 0  # that are on their way, and for nobody else
    begun: int = 0  # boots of this plan, and shutdowns that it takes back
    cause: Reason | None = None  # why there are no more of them


class AheadTaker:
    """Takes what there is for such jobs, before anything is booted for them."""

    def __init__(self, supply: Supply) -> None:
        self.idle: dict[str, list[Reason]] = {}  # by pool: of each idle node that was taken why it stays
        self._supply = supply

    def take(self, wish: AheadWish, choices: Sequence[NodeSize]) -> tuple[int, int]:
        """How many idle nodes and how many that are coming there are for it."""
        idle = coming = 0
        why = StaysAhead(until=wish.at, job=wish.job, why=wish.why)
        for kind in KINDS:
            for pool in (pool for size in choices for pool in self._supply.pools.get(size.id, ())):
                if not wish.shape.place.has(zone_of(pool)):
                    continue
                taken = self._supply.take(pool, kind, wish.nodes - idle - coming)
                if kind == IDLE:
                    idle += taken
                    self.idle.setdefault(pool, []).extend([why] * taken)
                else:
                    coming += taken
        return idle, coming
