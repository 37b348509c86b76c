"""What the jobs cannot cost less than, whatever the configuration of the daemon."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from arvnodeman.fleet.values.model import JobShape, NodeSize
from arvnodeman.whatif.forecast import LowestCost

HOUR = 3600.0
_ALMOST = 1e-9


class LowestCosts:
    """Adds up what the jobs that were done used of cores and memory, and what each would have cost alone."""

    def __init__(self, sizes: Sequence[NodeSize]) -> None:
        self._sizes = sizes
        self._alone = self._cores = self._ram = self._seconds = 0.0

    def add(self, shape: JobShape, seconds: float, cheapest: float) -> None:
        """A job was done. `cheapest`: $ an hour of a node of the cheapest size that fits it."""
        used = seconds * shape.nodes
        self._alone += used * cheapest
        takes = shape.takes
        self._cores += used * (shape.cores if takes is None else min(shape.cores, takes.cpus))
        self._ram += used * (shape.ram if takes is None else min(shape.ram, takes.ram))
        self._seconds += seconds

    def found(self) -> LowestCost:
        """In $ and hours."""
        fluid = max((self._cores * core + self._ram * ram for core, ram in _worth(self._sizes)), default=0.0)
        return LowestCost(alone=self._alone / HOUR, fluid=fluid / HOUR, job_hours=self._seconds / HOUR)


def _worth(sizes: Sequence[NodeSize]) -> Iterator[tuple[float, float]]:
    """What a core and a MB may be worth, in $ an hour, that no size is worth more than it costs: the corners of that.
    Whatever of these is taken, what the jobs use is worth no more than the nodes cost on which they run. A size that
    does not say what memory it has may have any amount: then memory is worth nothing."""
    lines = [(float(size.cores), float(size.ram), size.price) for size in sizes]
    if not lines:
        return
    by_core = min(price / cores for cores, _, price in lines)
    corners = [(by_core, 0.0)]
    if all(ram > 0 for _, ram, _ in lines):
        corners.append((0.0, min(price / ram for _, ram, price in lines)))
        for (a, b, p), (c, d, q) in itertools.combinations(lines, 2):
            if abs(a * d - b * c) > _ALMOST * a * d:
                corners.append(((p * d - b * q) / (a * d - b * c), (a * q - c * p) / (a * d - b * c)))
    for core, ram in corners:
        if core >= 0 and ram >= 0 and all(core * a + ram * b <= p * (1 + _ALMOST) for a, b, p in lines):
            yield core, ram
