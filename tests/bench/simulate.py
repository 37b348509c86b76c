"""How fast jobs are played: `make bench ARGS=simulate`. CPU seconds of one process, and what memory it had at most.

A month of made-up jobs (made_up_jobs.py), on at most 200 nodes of nine sizes that jobs share. With `--jobs 100000
1000000` the second is held against the first: time for each job. What reading a trace costs is not in it.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from made_up_jobs import DAY, FAMILIES, Offer, day_of_jobs

from arvnodeman.config import Settings, load
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.traces.job import JobEnding, TracedJob
from arvnodeman.whatif.play import play
from arvnodeman.whatif.scenario import Scenario
from arvnodeman.whatif.sizes import sizes_of

START = 1_700_000_000.0
JOBS_A_DAY = 100_000 / 30
WIDEST = 16  # cores: half as wide as they are elsewhere, so that 200 nodes are enough but on the busiest days
MENU = tuple(
    Offer(f"{name}{cores}", cores, cores * ram, cores * price)
    for name, ram, price in FAMILIES
    for cores in (16, 32, 64)
)
SECONDS, MEGABYTES = {100_000: 60.0, 1_000_000: 720.0}, 600  # at most
SLOWER = 1.3  # time for each job, of ten times as many

TEXT = """
[Daemon]
dispatcher = slurm
max_nodes = 200
node_mem_scaling = 1
[Cloud]
provider = gce
shutdown_windows = 0, 60
"""


def configured(folder: Path) -> Settings:
    """At most 200 nodes."""
    sizes = "".join(
        f"[Size {size.name}]\ncores = {size.cores}\nram = {size.ram}\nprice = {size.price:.4f}\n" for size in MENU
    )
    path = folder / "bench-simulate.cfg"
    path.write_text(TEXT + sizes, encoding="utf-8")
    return load(str(path), offline=True)


def made_up(count: int, seed: int) -> Iterator[TracedJob]:
    """Jobs of as many days as they take."""
    days = max(1, round(count / JOBS_A_DAY))
    shapes: dict[JobShape, JobShape] = {}
    for day in range(days):
        of_day = count * (day + 1) // days - count * day // days
        for number, job in enumerate(day_of_jobs(of_day, seed * 1000 + day, most_cores=WIDEST)):
            shape = JobShape(
                job.cores,
                job.ram,
                nodes=job.nodes,
                owner=JobOwner(f"user{job.user}", f"lab{job.user % 12}"),
                takes=Footprint(job.cores, job.ram),
            )
            shape = shapes.setdefault(shape, shape)
            submit = START + day * DAY + job.at
            yield TracedJob(f"{day}-{number}", shape, submit, JobEnding.COMPLETED, eligible=submit, seconds=job.seconds)


def measure(count: int, seed: int, folder: Path) -> dict[str, float]:
    """In this process."""
    settings = configured(folder)
    scenario = Scenario(settings, sizes_of(settings), tuple(made_up(count, seed)), seed=seed)
    gc.collect()
    before = time.process_time()
    forecast = play(scenario).forecast
    took = time.process_time() - before
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "jobs": count,
        "done": forecast.jobs.done,
        "seconds": took,
        "ms": took / count * 1000,
        "MB": most,
        "days": (forecast.ended - forecast.began) / DAY,
        "nodes": forecast.most_nodes,
        "wait": forecast.waits.mean,
        "cost": forecast.cost,
    }


def main() -> int:
    """Each number of jobs in a process of its own. 1 where one missed its goal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[100_000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(measure(options.one, options.seed, options.folder)) + "\n")
        return 0
    missed, first = False, None
    for count in options.jobs:
        command = [sys.executable, __file__, "--one", str(count), "--seed", str(options.seed)]
        command += ["--folder", str(options.folder)]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        got = json.loads(run.stdout)
        first = first or got["ms"]
        sys.stdout.write(
            f"{count:,} jobs of {got['days']:.1f} days, at most {got['nodes']} nodes: {got['seconds']:.1f} s CPU, "
            f"{got['ms']:.2f} ms a job ({got['ms'] / first:.2f} x), {got['MB']:.0f} MB; "
            f"mean wait {got['wait']:.0f} s, ${got['cost']:,.0f}\n"
        )
        missed |= got["seconds"] > SECONDS.get(count, float("inf")) or got["ms"] > SLOWER * first
        missed |= count == 100_000 and got["MB"] > MEGABYTES
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
