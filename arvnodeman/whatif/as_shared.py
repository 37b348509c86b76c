"""What the jobs of a trace take of their nodes at this site, as Slurm would count it there (select/cons_tres)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from arvnodeman.config import Settings
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.traces.job import TracedJob


@dataclass(frozen=True, slots=True)
class SharedJobs:
    """The jobs of a trace at one site. `remarks`: what was assumed, a line each."""

    jobs: tuple[TracedJob, ...]
    remarks: tuple[str, ...]


def as_shared(settings: Settings, jobs: Sequence[TracedJob]) -> SharedJobs:
    """The same jobs, with what they take. Where jobs do not share, each has its nodes to itself.

    A job that asked for cores, and not for nodes, and for more of them than any size has, is spread over as many nodes
    as it got, as Slurm did it.
    """
    largest = max((size.cores for size in settings.sizes), default=0)
    shares = settings.shares or settings.places
    counted = any(job.shape.ram for job in jobs)
    known: dict[tuple[JobShape, bool, int], JobShape] = {}
    found, spread = list[TracedJob](), 0
    for job in jobs:
        shape, nodes = job.shape, 1
        if shape.cores > largest and shape.nodes == 1 and job.got is not None:
            nodes = job.got.nodes or 1
            spread += nodes > 1
        alone = not shares or job.exclusive is True
        key = (shape, alone, nodes)
        if key not in known:
            known[key] = _taking(_spread(shape, nodes), alone=alone, counted=counted)
        found.append(job._replace(shape=known[key]))
    return SharedJobs(tuple(found), tuple(_remarks(found, spread, shares=shares, counted=counted)))


def _spread(shape: JobShape, nodes: int) -> JobShape:
    if nodes <= 1:
        return shape
    return replace(shape, nodes=nodes, cores=math.ceil(shape.cores / nodes), ram=shape.ram / nodes)


def _taking(shape: JobShape, *, alone: bool, counted: bool) -> JobShape:
    if alone:
        return replace(shape, takes=None)
    ram = (shape.ram or math.inf) if counted else 0.0
    return replace(shape, takes=Footprint(max(1, math.ceil(shape.cores)), ram))


def _remarks(jobs: Sequence[TracedJob], spread: int, *, shares: bool, counted: bool) -> Iterable[str]:
    if spread:
        yield f"jobs that asked for more cores than any size has, spread over the nodes that they got: {spread:,}"
    if not shares:
        yield "each job has its nodes to itself, as the configuration has it"
    elif not counted:
        yield "no job asks for memory: it is not counted where jobs share nodes"
    elif without := sum(job.shape.takes is not None and job.shape.takes.ram == math.inf for job in jobs):
        yield f"jobs that ask for no memory, and so have all that their node has: {without:,}"
