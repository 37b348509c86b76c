"""Write made-up jobs of some days as a trace in the Standard Workload Format: the same bytes from the same seed.

make bench ARGS="trace --jobs 2000 --days 7 --out trace.swf"
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator
from pathlib import Path

from made_up_jobs import DAY, MadeUpJob, day_of_jobs

START = 1_736_121_600  # a Monday, 2025-01-06
WEEKEND = 0.4  # as many jobs as on another day
NODE_CORES = 16  # of the largest node: a job of more asks for several
LIMITS = (15, 30, 60, 120, 240, 480, 720, 1440)  # minutes
USED = (0.2, 0.95)  # share of its memory that a user's jobs use, on average


def main() -> None:
    parser = argparse.ArgumentParser(description="Write made-up jobs as a trace in the Standard Workload Format.")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=NODE_CORES, help="of the largest node")
    parser.add_argument("--out", type=Path, default=Path("trace.swf"))
    options = parser.parse_args()
    with options.out.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines(options.jobs, options.days, options.seed, options.cores))


def lines(jobs: int, days: int, seed: int, cores: int) -> Iterator[str]:
    """Of the file."""
    yield "; Version: 2.2"
    yield f"; Computer: made up, {jobs} jobs in {days} days, seed {seed}"
    yield f"; UnixStartTime: {START}"
    yield "; TimeZoneString: UTC"
    dice = random.Random(seed)
    share = {user: dice.uniform(*USED) for user in range(1000)}
    number = 0
    for day, count in enumerate(shared_out(jobs, days)):
        for job in sorted(day_of_jobs(count, seed * 1000 + day, most_cores=cores)) if count else ():
            number += 1
            yield row(number, day, job, share[job.user % 1000] * dice.uniform(0.8, 1.0))


def shared_out(jobs: int, days: int) -> list[int]:
    """How many come on each day."""
    weights = [WEEKEND if day % 7 in (5, 6) else 1.0 for day in range(days)]
    ends = [round(jobs * sum(weights[: day + 1]) / sum(weights)) for day in range(days)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def row(number: int, day: int, job: MadeUpJob, used: float) -> str:
    """One job, with its 18 fields. `used`: share of its memory."""
    processors = job.cores * job.nodes
    kilobytes = job.ram * 1024 // job.cores
    limit = next((minutes for minutes in LIMITS if 60 * minutes >= job.seconds), LIMITS[-1])
    queue = 1 if job.seconds <= 3600 else 2
    fields = (
        number,
        round(day * DAY + job.at),
        -1,
        max(1, math.ceil(job.seconds)),
        *(processors, -1, round(kilobytes * used), processors, 60 * limit, kilobytes),
        *(1, job.user + 1, job.user % 8 + 1, -1, queue, -1, -1, -1),
    )
    return " ".join(map(str, fields))


if __name__ == "__main__":
    main()
