"""How long one full cycle of the brain takes: three lists in, commands out, reasons included.

50 sizes; jobs five times the nodes, of 40 shapes; four of five nodes busy; every record and every word of Slurm made
anew for each cycle, as pollers do. Prints median and 99th percentile, and the ratio of 10,000 nodes to 1,000.
"""

from __future__ import annotations

import gc
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from statistics import quantiles

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import CloudListed, Event, ListSizes, QueueListed, RecordsListed, StepDone, Tick
from arvnodeman.fleet.model import CloudNode, Job, JobShape, NodeRecord, Policy, ProviderSize, SizeSection, SlurmNode

EPOCH = 1_700_000_000.0
SIZES = 50
CYCLES = 100


class Cluster:
    """Lists of a cluster that lives steadily."""

    def __init__(self, nodes: int) -> None:
        self.rng = random.Random(1)
        self.offers = tuple(
            ProviderSize(f"s{n}", f"s{n}", ram=2000 + 500 * n, disk=10 + n, price=0.05 + 0.01 * n, cores=1 + n % 16)
            for n in range(SIZES)
        )
        sections = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in self.offers)
        self.policy = Policy(sections=sections, shutdown_windows=(54, 5, 1), max_nodes=nodes + 100, slurm=True)
        self.nodes = [
            CloudNode(
                f"i-{n}",
                f"compute{n}.x",
                f"i-{n}",
                fqdn=f"compute{n}.x",
                size_tag=f"s{n % SIZES}",
                provider_size=f"s{n % SIZES}",
                start_time=EPOCH - 5000,
            )
            for n in range(1, nodes + 1)
        ]
        shapes = [
            JobShape(self.rng.randint(1, 16), self.rng.randrange(20000), 0, self.rng.choice([None, f"s{n}"]))
            for n in range(40)
        ]
        self.jobs = sorted(
            (Job(f"z-dz642-{n}", self.rng.choice(shapes), self.rng.randrange(1 << 31)) for n in range(5 * nodes)),
            key=lambda job: -job.priority,
        )

    def lists(self, now: float) -> tuple[Event, Event, Event]:
        """What the three polls bring."""
        weights = [int(offer.price * 1000) if offer.price is not None else 0 for offer in self.offers]
        records = [
            NodeRecord(
                f"zzzzz-7ekkf-{n:015d}",
                hostname=f"compute{n}",
                domain="x",
                slot=n,
                instance_id=f"i-{n}",
                created_at=EPOCH - 6000,
                modified_at=now - 60 * self.rng.random(),
                first_ping_at=EPOCH - 4900,
                last_ping_at=now - 60 * self.rng.random(),
            )
            for n in range(1, len(self.nodes) + 1)
        ]
        slurm = {
            f"compute{n}": SlurmNode(
                f"compute{n}",
                "alloc" if self.rng.random() < 0.8 else "idle",
                True,
                weights[n % SIZES],
                frozenset({f"instancetype=s{n % SIZES}"}),
            )
            for n in range(1, len(self.nodes) + 1)
        }
        nodes = [replace(node) for node in self.nodes]
        jobs = [replace(job) for job in self.jobs]  # in the order of service, as squeue gives them
        return CloudListed(nodes, now), RecordsListed(records, slurm, now), QueueListed(jobs, now)


def started(cluster: Cluster) -> Fleet:
    """A Fleet that knows its sizes."""
    fleet = Fleet(cluster.policy, EPOCH)
    for command in fleet.handle(Tick(), EPOCH):
        if isinstance(command, ListSizes):
            fleet.handle(StepDone(command, cluster.offers), EPOCH)
    return fleet


def cycles(nodes: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Median and 99th percentile of a cycle, in seconds."""
    cluster = Cluster(nodes)
    fleet = started(cluster)
    times = []
    for cycle in range(CYCLES + 3):
        now = EPOCH + 60 * (cycle + 1)
        lists = cluster.lists(now)
        gc.collect()  # the garbage of making the lists is not the brain's
        began = clock()
        for event in lists:
            fleet.handle(event, now)
        if cycle >= 3:  # the first cycles take everything in
            times.append(clock() - began)
    marks = quantiles(times, n=100)
    return marks[49], marks[98]


def memory(nodes: int) -> float:
    """MiB that a Fleet holds beside the lists."""
    cluster = Cluster(nodes)
    lists = cluster.lists(EPOCH)
    fleet = started(cluster)
    tracemalloc.start()
    for event in lists:
        fleet.handle(event, EPOCH)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / 2**20


def main() -> int:
    """Print the table."""
    print(f"{'nodes':>8}{'jobs':>8}{'median':>12}{'99 %':>12}")
    figures = {}
    for nodes in (1000, 10000):
        figures[nodes] = cycles(nodes, time.process_time)
        median, worst = figures[nodes]
        print(f"{nodes:>8}{5 * nodes:>8}{median * 1000:>9.1f} ms{worst * 1000:>9.1f} ms")
    ratios = [big / small for small, big in zip(*figures.values(), strict=True)]
    print(f"{'ratio':>16}{ratios[0]:>12.1f}{ratios[1]:>12.1f}")
    print(f"a Fleet of 10,000 nodes holds {memory(10000):.0f} MiB beside the lists")
    return 0


if __name__ == "__main__":
    sys.exit(main())
