"""Spares: nodes of one size that stand ready while nobody uses them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from arvnodeman.fleet.values.local_time import ALWAYS, OpenHours


@dataclass(frozen=True, slots=True)
class Spare:
    """One [Spare NAME]."""

    name: str
    size: str  # the NAME of a size
    nodes: int = 0  # beside all that jobs have
    of_load: float = 0.0  # or so many percent of the nodes of its size that work, where that is more
    at_most: int = 0  # 0: no limit
    hours: OpenHours = ALWAYS

    def wanted(self, busy: int, now: float) -> int:
        """How many are to stand ready, where so many nodes of its size work; `now`: seconds since the epoch."""
        if not self.hours.is_open(now):
            return 0
        nodes = max(self.nodes, math.ceil(busy * self.of_load / 100 - 1e-9))
        return min(nodes, self.at_most) if self.at_most else nodes
