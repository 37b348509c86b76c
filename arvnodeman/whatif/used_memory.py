"""Memory that was asked for and not used, where the trace tells what was (MaxRSS)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import Struct

from arvnodeman.traces.job import TracedJob

SHOWN = 10  # users
SPARE = 1.2  # times what a job used it should ask for
STEP = 256.0  # MB: what people ask for is a multiple of that


class OverAsked(Struct, frozen=True, kw_only=True):
    """Memory that one user's jobs had and did not use."""

    user: str
    jobs: int  # of which it is known what they used
    asked: float  # MB, on average of these jobs, weighted by how long they ran
    used: float  # MB, likewise: of the largest task
    idle_gb_hours: float  # asked for and not used


@dataclass(slots=True)
class _Sum:
    jobs: int = 0
    hours: float = 0.0
    asked: float = 0.0  # MB × hours
    used: float = 0.0


def over_asked(jobs: Sequence[TracedJob]) -> list[OverAsked]:
    """By user, the most first. Empty where the trace does not tell what was used."""
    sums: dict[str, _Sum] = defaultdict(_Sum)
    for job in jobs:
        if job.max_rss is None or not job.shape.ram or not job.seconds:
            continue
        hours = job.seconds / 3600 * job.shape.nodes
        each = sums[job.shape.owner.user]
        each.jobs += 1
        each.hours += hours
        each.asked += job.shape.ram * hours
        each.used += min(job.max_rss, job.shape.ram) * hours
    found = [
        OverAsked(
            user=user,
            jobs=each.jobs,
            asked=each.asked / each.hours,
            used=each.used / each.hours,
            idle_gb_hours=(each.asked - each.used) / 1024,
        )
        for user, each in sums.items()
    ]
    return sorted(found, key=lambda each: (-each.idle_gb_hours, each.user))[:SHOWN]


def as_used(jobs: Sequence[TracedJob], times: float) -> tuple[TracedJob, ...]:
    """The jobs, had each asked for so many times what its largest task used, where that is known and less."""
    return tuple(_as_used(job, times) for job in jobs)


def _as_used(job: TracedJob, times: float) -> TracedJob:
    if job.max_rss is None or not job.shape.ram:
        return job
    enough = max(STEP, math.ceil(job.max_rss * times / STEP) * STEP)
    return job if enough >= job.shape.ram else job._replace(shape=replace(job.shape, ram=enough))
