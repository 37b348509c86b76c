"""What the cloud does by chance. Each chance is drawn by itself, from the seed and from what it is about: where an
option is another, what has nothing to do with it happens as before, and forecasts of two configurations differ by what
these do.
"""

from __future__ import annotations

import math
import random
from collections import Counter

from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.foresight.sim_site import Fate
from arvnodeman.whatif.scenario import Assumed

HOUR = 3600.0


def dice(seed: int, *about: object) -> random.Random:
    """Chance of its own for one thing."""
    return random.Random(" ".join(map(str, (seed, *about))))  # noqa: S311 - a simulation, not a secret


class Fates:
    """What becomes of the nodes: that of the nth of a size depends on nothing else."""

    def __init__(self, assumed: Assumed, seed: int) -> None:
        self._assumed = assumed
        self._seed = seed
        self._made: Counter[str] = Counter()

    def of(self, size: NodeSize) -> Fate:
        """That of the next node of this size."""
        assumed = self._assumed
        self._made[size.id] += 1
        rng = dice(self._seed, "node", size.id, self._made[size.id])
        fails, boots, dies, reclaimed = (rng.random() for _ in range(4))
        up: float | None = None
        if fails >= assumed.fails.get(size.id, assumed.boot_fails):
            up = self._boot(size.id, boots)
        gone = _after(dies, assumed.dies)
        if size.preemptible:
            gone = min(gone, _after(reclaimed, assumed.reclaims))
        return Fate(up, gone if gone < math.inf else None)

    def _boot(self, size: str, chance: float) -> float:
        """Seconds from create to up."""
        measured = self._assumed.boots.get(size) or self._assumed.all_boots
        if measured:
            return measured[int(chance * len(measured))]
        return self._assumed.boot * (0.8 + 0.4 * chance)


def _after(chance: float, an_hour: float) -> float:
    """Seconds until something happens that happens so often in an hour."""
    return -math.log1p(-chance) * HOUR / an_hour if an_hour > 0 else math.inf


class StockOuts:
    """When the cloud has none of a size."""

    def __init__(self, assumed: Assumed, seed: int, size: str) -> None:
        self._rng = dice(seed, "stock", size)
        self._share = min(max(assumed.out_of_stock, 0.0), 1.0)
        self._out = assumed.stock_out
        self.is_out = self._rng.random() < self._share

    def lasts(self) -> float:
        """Seconds until it is otherwise; infinity for never."""
        if self._share in (0.0, 1.0):
            return math.inf
        mean = self._out if self.is_out else self._out * (1 - self._share) / self._share
        return self._rng.expovariate(1 / mean) if mean > 0 else 0.0

    def turn(self) -> None:
        """Now it is otherwise."""
        self.is_out = not self.is_out
