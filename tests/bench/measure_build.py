"""Measures one thing of the build that can be imported, and prints it as JSON: compare_builds.py runs it.

    measure_build.py cycle NODES CHANGED CYCLES     [[seconds of the pollers, seconds of the brain], ...]
    measure_build.py memory NODES CYCLES            {"rss": MiB, "traced": MiB}
    measure_build.py hours HOURS JOBS               {"seconds": CPU seconds, "events": events}

Seconds are the processor's.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from builds import Names
from cluster_texts import EPOCH, SIZES, Cluster, price_of

WARMUPS = 3  # the first cycles take everything in


class Daemon:
    """The pollers' fetching and the brain of one daemon, in one thread."""

    def __init__(self, names: Names, cluster: Cluster) -> None:
        self._names, self._cluster = names, cluster
        offers = tuple(
            names.ProviderSize(f"s{n}", f"s{n}", 2000 + 500 * n, 10 + n, 0, price_of(n), 1 + n % 16)
            for n in range(SIZES)
        )
        policy = names.policy(
            sections=tuple(names.SizeSection(offer.id, int(offer.cores), offer.id) for offer in offers),
            shutdown_windows=(1e6, 5, 1),
            max_nodes=cluster.nodes + 100,  # boots that never end: nothing has to make room
            slurm=True,
            use_within=1e9,
        )
        names.answer_slurm(self._printed)
        self._printing = 0.0  # seconds in which Slurm's commands would have worked
        clock = SimpleNamespace(now=lambda: cluster.now, monotonic=lambda: cluster.now)
        self._rows: dict[str, list[Any]] = {}
        keeper = SimpleNamespace(list_records=lambda: tuple(self._rows["record"]), clock_offset=0.0)
        driver = SimpleNamespace(list_nodes=lambda: tuple(self._rows["cloud_node"]), clock_offset=0.0)
        self.fetches = (
            names.CloudFetch(lambda: driver, clock),
            names.RecordsFetch(lambda: keeper, names.Slurm(), clock),
            names.QueueFetch(names.Slurm(), None, clock),
        )
        self.fleet = names.Fleet(policy, EPOCH)
        for command in self.fleet.handle(names.Tick(), EPOCH):
            if isinstance(command, names.ListSizes):
                self.fleet.handle(names.StepDone(command, offers), EPOCH)

    def cycle(self) -> tuple[float, float]:
        """Seconds of the pollers and of the brain in one cycle."""
        self._make_rows("cloud_node", self._names.CloudNode, self._cluster.cloud_node)
        self._make_rows("record", self._names.NodeRecord, self._cluster.record)
        self._printing = 0.0
        gc.collect()  # the garbage of making the lists is not the daemon's
        began = time.process_time()
        events = [fetch() for fetch in self.fetches]
        polled = time.process_time() - began - self._printing
        gc.collect()
        began = time.process_time()
        for event in events:
            self.fleet.handle(event, self._cluster.now)
            _ = self.fleet.view  # the daemon actor shows it after each event
        return polled, time.process_time() - began

    def _printed(self, argv: list[str]) -> str:
        began = time.process_time()
        text = self._cluster.answer(argv)
        self._printing += time.process_time() - began
        return text

    def _make_rows(self, name: str, kind: Any, fields_of: Any) -> None:
        """Made anew, all of them or those that have changed, as this build's hands do it."""
        before = self._rows.get(name)
        count = self._cluster.nodes
        if before is None or not self._names.keeps_rows:
            self._rows[name] = [kind(**fields_of(node)) for node in range(count)]
            return
        self._rows[name] = rows = list(before)
        for node in self._cluster.fresh:
            rows[node] = kind(**fields_of(node))


def cycles(nodes: int, changed: float, count: int) -> list[tuple[float, float]]:
    """The pollers' and the brain's seconds in each cycle."""
    cluster = Cluster(nodes, changed)
    daemon = Daemon(Names(), cluster)
    took = []
    for _ in range(WARMUPS + count):
        took.append(daemon.cycle())
        cluster.step()
    return took[WARMUPS:]


def memory(nodes: int, count: int) -> dict[str, float]:
    """MiB of the process, and what pollers, brain and the newest lists hold of it."""
    cluster = Cluster(nodes, 0.01)
    names = Names()
    Daemon(names, Cluster(10, 0.01)).cycle()  # all modules are there
    gc.collect()
    tracemalloc.start()
    daemon = Daemon(names, cluster)
    for _ in range(count):
        daemon.cycle()
        cluster.step()
    gc.collect()
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"traced": traced / 2**20}


def resident(nodes: int, count: int) -> dict[str, float]:
    """MiB of the whole process, the cluster's own values among them."""
    cluster = Cluster(nodes, 0.01)
    daemon = Daemon(Names(), cluster)
    for _ in range(count):
        daemon.cycle()
        cluster.step()
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return {"rss": int(kilobytes) / 1024}


def hours(length: float, jobs: int) -> dict[str, float]:
    """A simulated site: jobs of 5 to 30 minutes come at even intervals."""
    names = Names()
    offers = (
        names.ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
        names.ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
    )
    policy = names.policy(
        sections=tuple(names.SizeSection(offer.id, int(offer.cores), offer.id) for offer in offers),
        shutdown_windows=(0.0, 60.0),
        max_nodes=40,
        slurm=True,
    )
    rng = random.Random(1)
    seconds = 3600 * length
    run = names.Simulation(policy, offers, 1)
    at = run.agenda.at if hasattr(run, "agenda") else run.at
    for number in range(jobs):
        shape = names.JobShape(cores=rng.choice([1, 2, 8]))
        submit = partial(run.site.submit, shape, 60 * rng.uniform(5, 30))
        at(EPOCH + seconds * number / jobs, submit)
    began = time.process_time()
    run.advance(seconds)
    took = time.process_time() - began
    done = sum(job.done for job in run.site.jobs.values())
    return {"seconds": took, "events": run.events, "done": done}


def main(arguments: Sequence[str]) -> int:
    """Measure it."""
    what, *rest = arguments
    if what == "cycle":
        found: Any = cycles(int(rest[0]), float(rest[1]), int(rest[2]))
    elif what == "memory":
        found = memory(int(rest[0]), int(rest[1]))
    elif what == "resident":
        found = resident(int(rest[0]), int(rest[1]))
    else:
        found = hours(float(rest[0]), int(rest[1]))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
