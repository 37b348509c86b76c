"""How long one full cycle of the brain takes: three lists in, commands out, reasons included.

50 sizes; jobs five times the nodes, of 40 shapes; four of five nodes busy, others in each cycle; every record and every
word of Slurm made anew for each cycle, as pollers do. pyperf runs it in fresh processes, since one may be slower than
another for all its life. Prints median and 99th percentile of all cycles, and the ratio of 10,000 nodes to 1,000; the
time of the processor is taken, so that what else runs on the machine counts little. pyperf's own options are taken
too: `-o FILE` keeps the values for `pyperf compare_to`, `-p 2` makes it short.
"""

from __future__ import annotations

import gc
import random
import sys
import time
import tracemalloc
from dataclasses import replace
from statistics import quantiles

import pyperf

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import CloudListed, Event, ListSizes, QueueListed, RecordsListed, StepDone, Tick
from arvnodeman.fleet.values.model import CloudNode, Job, JobShape, NodeRecord, Policy, ProviderSize, SizeSection
from arvnodeman.slurm.words import node_work

EPOCH = 1_700_000_000.0
SIZES = 50
PROCESSES = 6
CYCLES = 50  # timed in each process: 300 in all, so that three are slower than the 99th percentile
WARMUPS = 3  # the first cycles take everything in


class Cluster:
    """Lists of a cluster that lives steadily."""

    def __init__(self, nodes: int) -> None:
        self.rng = random.Random(1)
        self.offers = tuple(
            ProviderSize(f"s{n}", f"s{n}", ram=2000 + 500 * n, disk=10 + n, price=0.05 + 0.01 * n, cores=1 + n % 16)
            for n in range(SIZES)
        )
        sections = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in self.offers)
        self.policy = Policy(
            sections=sections, shutdown_windows=(54, 5, 1), max_nodes=nodes + 100, slurm=True, use_within=1e9
        )
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
            f"compute{n}": node_work(
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


class Cycles:
    """The life of one Fleet, a cycle at each call."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._cluster: Cluster | None = None  # made in the process that times it

    def __call__(self, loops: int) -> float:
        """So many cycles; their time in seconds, without the making of the lists."""
        if self._cluster is None:
            self._cluster, self._now = Cluster(self._nodes), EPOCH
            self._fleet = started(self._cluster)
        return sum(self._cycle(self._cluster) for _ in range(loops))

    def _cycle(self, cluster: Cluster) -> float:
        self._now += 60
        lists = cluster.lists(self._now)
        gc.collect()  # the garbage of making the lists is not the brain's
        began = time.process_time()
        for event in lists:
            self._fleet.handle(event, self._now)
        return time.process_time() - began


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
    runner = pyperf.Runner(processes=PROCESSES, values=CYCLES, warmups=WARMUPS, loops=1)
    benches = {nodes: runner.bench_time_func(f"{nodes:,} nodes", Cycles(nodes)) for nodes in (1000, 10000)}
    if runner.args.worker:
        return 0
    print(f"{'nodes':>8}{'jobs':>8}{'cycles':>8}{'median':>12}{'99 %':>12}")
    figures = []
    for nodes, bench in benches.items():
        values = bench.get_values()
        marks = quantiles(values, n=100)
        figures.append((marks[49], marks[98]))
        print(f"{nodes:>8}{5 * nodes:>8}{len(values):>8}{marks[49] * 1000:>9.1f} ms{marks[98] * 1000:>9.1f} ms")
    ratios = [big / small for small, big in zip(*figures, strict=True)]
    print(f"{'ratio':>24}{ratios[0]:>12.1f}{ratios[1]:>12.1f}")
    print(f"a Fleet of 10,000 nodes holds {memory(10000):.0f} MiB beside the lists")
    return 0


if __name__ == "__main__":
    sys.exit(main())
