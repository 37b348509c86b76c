"""The limits of number, quota, slots and price: asked when boots are planned, and again just before each create."""

from __future__ import annotations

from dataclasses import dataclass, replace

from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.fleet.values.quick import quick
from arvnodeman.fleet.values.reasons import Reason


@quick
@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds the nodes that exist or are booting. Times are steady seconds, prices $/hour."""

    max_nodes: int
    quota: int
    quota_until: float | None
    slots: int
    slots_until: float | None
    price_cap: float  # 0: none

    def with_max_nodes(self, number: int) -> Bounds:
        """With another max_nodes. A quota that was not learnt is as high; one that was stays, up to it."""
        quota = number if self.quota_until is None else min(self.quota, number)
        slots = number if self.slots_until is None else min(self.slots, number)
        return replace(self, max_nodes=number, quota=quota, slots=slots)

    def forbid(
        self, size: NodeSize, more: int, nodes: int, price: float, *, wanted: int, over: int = 0
    ) -> Reason | None:
        """The limit that forbids so many `more` nodes of a size beside `nodes` that cost `price`; None: none does.

        `over`: so many above the quota may be tried. `wanted` is for the words."""
        after = nodes + more
        if more == 0:
            return None
        if after > self.max_nodes:
            return reasons.AtMaxNodes(wanted=wanted, size=size.id, nodes=nodes, max_nodes=self.max_nodes)
        if after > self.quota + over:
            until = self.quota_until
            return reasons.AtQuota(until=until, wanted=wanted, size=size.id, nodes=nodes, quota=self.quota)
        if after > self.slots:
            until, of = self.slots_until, "slot quota (MaxComputeVMs)"
            return reasons.AtQuota(until=until, wanted=wanted, size=size.id, nodes=nodes, quota=self.slots, of=of)
        if self.price_cap > 0 and price + more * size.price > self.price_cap + 1e-9:
            return reasons.AtPriceCap(wanted=wanted, size=size.id, price=size.price, total=price, cap=self.price_cap)
        return None


@dataclass(slots=True)
class Room:
    """What stands, held against its bounds; each boot that is let through stands from then on."""

    bounds: Bounds
    nodes: int
    price: float  # $/hour

    def forbid(self, size: NodeSize, more: int, *, wanted: int, over: int = 0, beside: int = 0) -> Reason | None:
        """The limit that forbids so many more nodes of a size; None: none does. `beside`: so many that may be there."""
        return self.bounds.forbid(size, more, self.nodes + beside, self.price, wanted=wanted, over=over)

    def take(self, size: NodeSize, nodes: int) -> None:
        """So many begin."""
        self.nodes += nodes
        self.price += nodes * size.price
