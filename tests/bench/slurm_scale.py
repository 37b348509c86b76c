"""Slurm at scale: 1,000 nodes and 5,000 waiting jobs in a real slurmctld of its own.

Prints what a node poll and a queue poll take beside bare sinfo and squeue, and what it takes to give every node its
feature back, as after a restart of slurmctld. Exit code 1 when the polls take more than twice as long as the bare
commands. Nobody else should work on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from arvnodeman.records.marks import read_mark
from arvnodeman.records.names import is_free, record_of
from arvnodeman.sandbox.real_slurm import PrivateSlurm, SlurmFailed
from arvnodeman.sandbox.real_slurm_conf import Shape, SlurmMissing
from arvnodeman.slurm.commands import Slurm
from arvnodeman.slurm.fields import SQUEUE_FORMAT
from arvnodeman.slurm.keeping import NamesInSlurm
from arvnodeman.slurm.sinfo import SINFO_FORMAT

LIMIT = 2.0  # times what the bare commands take
SIZES = [f"size{number}" for number in range(10)]
SUBMITTERS = 4  # threads
OPERATORS = 16  # as [Daemon] max_concurrent_cloud_ops
ALONE = 160  # nodes that are described one by one, for comparison
BATCH = 500


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args(arguments)
    try:
        shape = Shape(nodes=given.nodes, features=tuple(f"instancetype={size}" for size in SIZES))
        with PrivateSlurm(shape) as slurm:
            os.environ.update(slurm.environment())
            begun = time.perf_counter()
            with ThreadPoolExecutor(SUBMITTERS) as pool:
                list(pool.map(lambda number: submit(slurm, number), range(given.jobs)))
            print(f"{given.jobs} jobs submitted in {time.perf_counter() - begun:.0f} s")
            settle(slurm, given.jobs)
            ratio = polls(given.rounds, given.nodes, given.jobs)
            describing(given.nodes)
    except (SlurmMissing, SlurmFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if ratio <= LIMIT else 1


def submit(slurm: PrivateSlurm, number: int) -> None:
    """sbatch one job: half of them name a size, the others a few dozen shapes."""
    name = f"--job-name=zzzzz-dz642-{number:015d}"
    argv = ["sbatch", "--output=/dev/null", "--no-requeue", "--nice=10000", name]
    if number % 2:
        argv.append(f"--constraint=instancetype={SIZES[number % len(SIZES)]}")
    else:
        argv += [
            f"--cpus-per-task={1 + number % 8}",
            f"--mem={500 + 500 * (number % 7)}",
            f"--tmp={100 * (number % 3)}",
        ]
    slurm.say(*argv, text="#!/bin/sh\nexec sleep 600\n")


def settle(slurm: PrivateSlurm, jobs: int) -> None:
    """Wait until the scheduler has given every job its reason."""
    end = time.monotonic() + 120
    while len(Slurm().queue().jobs) < jobs:
        if time.monotonic() > end:
            raise SlurmFailed("not every job was given its reason within two minutes")
        time.sleep(1)


def polls(rounds: int, nodes: int, jobs: int) -> float:
    """How much longer a node poll and a queue poll take than the commands alone."""
    ours = Slurm()
    assert len(ours.queue().jobs) == jobs
    assert len(ours.nodes()) == nodes + 1
    times: dict[str, list[float]] = {}
    for _ in range(rounds):  # in turns, so that a busy moment of slurmctld hits both alike
        for name, run in {
            "squeue": lambda: bare("squeue", "--state=PENDING", "--noheader", f"--format={SQUEUE_FORMAT}"),
            "queue poll": ours.queue,
            "sinfo": lambda: bare("sinfo", "--noheader", f"--format={SINFO_FORMAT}"),
            "node poll": ours.nodes,
            "scontrol": lambda: bare("scontrol", "--all", "show", "nodes"),
            "names poll": names_poll,
        }.items():
            times.setdefault(name, []).append(timed(run))
    found = {name: statistics.median(values) for name, values in times.items()}
    alone, with_parsing = found["squeue"] + found["sinfo"], found["queue poll"] + found["node poll"]
    print(f"{nodes} nodes, {jobs} waiting jobs; medians of {rounds} rounds:")
    for name, seconds in found.items():
        print(f"  {name:<11} {seconds * 1000:7.1f} ms")
    ratio = with_parsing / alone
    print(f"  the keeper of names takes {found['names poll'] / found['scontrol']:.2f} times what bare scontrol takes")
    print(f"  both polls take {ratio:.2f} times what the bare commands take (limit {LIMIT:g})")
    return ratio


def names_poll() -> None:
    """What the keeper of names does in a poll, where Slurm is alone."""
    now = time.time()
    for node in NamesInSlurm().shown().values():
        mark = read_mark(node.comment)
        record_of(node, mark, None, free=is_free(node, mark, 60.0, now))


def bare(*argv: str) -> None:
    """Run a command and read its output, as a shell would."""
    subprocess.run(argv, capture_output=True, check=True, timeout=60)


def timed(run: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def describing(nodes: int) -> None:
    """Give all nodes feature and weight: one by one as by all operators at once, and together."""
    ours = Slurm(timeout=120)
    names = [f"compute{number}" for number in range(1, nodes + 1)]

    def one_by_one() -> None:
        with ThreadPoolExecutor(OPERATORS) as pool:
            list(pool.map(lambda name: ours.describe(name, SIZES[0], 50), names[:ALONE]))

    def together() -> None:
        for start in range(0, nodes, BATCH):
            failures = ours.describe_all(names[start : start + BATCH], SIZES[1], 60)
            assert not failures, failures

    alone = timed(one_by_one) / min(ALONE, nodes) * nodes
    all_at_once = timed(together)
    described = [node for node in ours.nodes().values() if node.features == {f"instancetype={SIZES[1]}"}]
    assert len(described) == nodes
    assert {node.weight for node in described} == {60}
    print(f"features and weights of {nodes} nodes:")
    print(f"  one by one, {OPERATORS} operators: {alone:6.2f} s ({2 * nodes} commands; from {ALONE} nodes)")
    print(f"  together:                {all_at_once:6.2f} s ({2 * -(-nodes // BATCH)} commands)")
    print(f"  gain: {alone / all_at_once:.0f} times")


if __name__ == "__main__":
    raise SystemExit(main())
