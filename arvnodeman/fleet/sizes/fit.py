"""What fits where: whether a job may begin on a node that has so much left, how many like it, and what is left then.

One rule for nodes that are up, for names that are free and for sizes that may be booted. It is Slurm's
(select/cons_tres), and a test holds it against a real one. Partitions, constraints, licences and reservations are not
of it: they say on which nodes a job may be at all, however much these have.
"""

from __future__ import annotations

import math
from functools import lru_cache

from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.gres import Gres, meets
from arvnodeman.fleet.values.model import NO_LIMIT, JobShape, NodeSize


@lru_cache(maxsize=1024)
def capacity_of(size: NodeSize) -> Capacity:
    """What a node of this size has for jobs. A figure of 0 is unknown and meets any demand (row C22)."""
    return Capacity(size.cores or NO_LIMIT, size.ram or math.inf, size.gres, scratch=size.scratch or math.inf)


def how_many(shape: JobShape, free: Capacity, most: int) -> int:
    """So many jobs of this shape may begin on a node one after the other, `most` at most. Of a job of several nodes it
    is its part on one of them."""
    if most < 1 or not fits_in(shape, free):
        return 0
    takes = shape.takes
    if takes is None or takes.ram == math.inf:
        return 1
    cpus, ram = _cpus_taken(takes, free), _ram_taken(takes, free)
    jobs = min(most, 1 + int((free.cpus - max(shape.cores, cpus)) // cpus))
    if ram and free.ram < math.inf:
        jobs = min(jobs, 1 + int((free.ram - max(shape.ram, ram)) // ram))
    if shape.gres:
        gres, found = free.gres, 0
        while found < jobs and meets(gres, shape.gres):
            gres, found = _less_gres(gres, shape.gres), found + 1
        jobs = found
    return jobs


def fits_in(shape: JobShape, free: Capacity) -> bool:
    """May a job of this shape begin on a node on which so much is free?"""
    takes = shape.takes
    if not (free.cpus >= shape.cores and free.ram >= shape.ram and free.scratch >= shape.scratch):
        return False
    if takes is None or takes.ram == math.inf:
        if not free.whole:
            return False
    elif free.ram < _ram_taken(takes, free):
        return False
    if takes is not None and free.cpus < _cpus_taken(takes, free):
        return False
    return not shape.gres or meets(free.gres, shape.gres)


def cpus_taken(shape: JobShape, free: Capacity) -> int:
    """CPUs that a job takes of such a node: those of whole cores."""
    return free.cpus if shape.takes is None else _cpus_taken(shape.takes, free)


def less(free: Capacity, shape: JobShape, jobs: int = 1) -> Capacity:
    """What is left once so many jobs of this shape have begun on a node that they fit together."""
    takes = shape.takes
    if takes is None:
        return Capacity(0, 0, (), free.threads, free.jobs + jobs, whole=False, scratch=free.scratch)
    gres = free.gres
    for _ in range(jobs if shape.gres else 0):
        gres = _less_gres(gres, shape.gres)
    return Capacity(
        free.cpus - jobs * _cpus_taken(takes, free),
        0.0 if takes.ram == math.inf else free.ram - jobs * _ram_taken(takes, free),
        gres,
        free.threads,
        free.jobs + jobs,
        whole=False,
        scratch=free.scratch,
    )


def _cpus_taken(takes: Footprint, free: Capacity) -> int:
    if free.threads == 1:
        return takes.cpus
    return takes.apart * math.ceil(takes.cpus / takes.apart / free.threads) * free.threads


def _ram_taken(takes: Footprint, free: Capacity) -> float:
    return takes.ram / takes.cpus * _cpus_taken(takes, free) if takes.ram_by_cpu else takes.ram


def _less_gres(free: Gres, taken: Gres) -> Gres:
    left = dict(free)
    for name, wanted in taken:
        rest = wanted
        for each in sorted(left, key=lambda each: left[each]):  # the type of which least are left, as any will do
            if each == name or each.startswith(name + ":"):
                used = min(rest, left[each])
                left[each] -= used
                rest -= used
    return tuple(sorted((name, number) for name, number in left.items() if number))
