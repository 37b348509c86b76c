"""How long a full cycle of the brain takes where jobs share nodes, against one where none does.

`make bench ARGS=sharing`.

Both are cycles of fleet_cycle.py, with 10,000 nodes and 50,000 jobs of 40 shapes, every row made anew each time, in
turns in one process. In the one jobs share, and of four of five nodes something is left, of no two the same. Prints
medians in CPU time, and their ratio. Exit code 1 when that is above 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from fleet_cycle import EPOCH, Cluster, Cycles, started

from arvnodeman.fleet.messages import CloudListed, Event, QueueListed, RecordsListed
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.work import NodeWork

MOST = 2.0  # times the cycle without
WARMUPS = 2


class SharingCluster(Cluster):
    """The same cluster, where jobs share nodes."""

    def __init__(self, nodes: int) -> None:
        super().__init__(nodes)
        sharing: dict[JobShape, JobShape] = {}
        for job in self.jobs:
            if job.shape not in sharing:
                cores = self.rng.randint(1, 8)
                ram = self.rng.randrange(8000)
                sharing[job.shape] = replace(job.shape, cores=cores, ram=ram, takes=Footprint(cores, ram))
        self.jobs = [replace(job, shape=sharing[job.shape]) for job in self.jobs]

    def lists(self, now: float) -> tuple[Event, Event, Event]:
        """What the three polls bring."""
        clouds, records, queue = super().lists(now)
        assert isinstance(records, RecordsListed)
        assert isinstance(clouds, CloudListed)
        assert isinstance(queue, QueueListed)
        assert records.slurm is not None
        rooms = {name: self._with_room(node, number) for number, (name, node) in enumerate(records.slurm.items(), 1)}
        return clouds, replace(records, slurm=rooms), queue

    def _with_room(self, node: NodeWork, number: int) -> NodeWork:
        offer = self.offers[number % len(self.offers)]
        has = Capacity(int(offer.cores), offer.ram)
        if not node.state.busy:
            return replace(node, has=has, free=has)
        cpus, ram = self.rng.randint(0, has.cpus), float(self.rng.randrange(int(has.ram)))
        return replace(node, has=has, free=Capacity(cpus, ram, jobs=1, whole=False))


class SharingCycles(Cycles):
    """The life of one Fleet whose jobs share nodes."""

    def begin(self) -> None:
        """Take everything in."""
        self._cluster, self._now = SharingCluster(self._nodes), EPOCH
        self._fleet = started(self._cluster)

    @property
    def served(self) -> int:
        """Jobs that have a node, in the last cycle."""
        return self._fleet.view.served


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--cycles", type=int, default=15)
    given = parser.parse_args(arguments)
    alone, sharing = Cycles(given.nodes), SharingCycles(given.nodes)
    sharing.begin()
    for cycles in (alone, sharing):
        cycles(WARMUPS)
    pairs = [(alone(1), sharing(1)) for _ in range(given.cycles)]
    before, now = (median(times) for times in zip(*pairs, strict=True))
    print(f"{given.nodes:,} nodes, {5 * given.nodes:,} jobs, {given.cycles} cycles each, medians in CPU time")
    print(f"    no job shares a node   {before * 1000:>8.1f} ms")
    print(f"    all jobs share nodes   {now * 1000:>8.1f} ms, {sharing.served:,} jobs have room")
    met = now <= MOST * before
    print(f"    ratio                  {now / before:>8.2f}     goal {MOST:.2f}  {'met' if met else 'MISSED'}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
