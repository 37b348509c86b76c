"""What fits where: whether a job may begin on a node that has so much left, how many like it, and what is left then.

The rules are Slurm's (select/cons_tres), and a test holds them against a real one.
"""

from __future__ import annotations

import math
from dataclasses import replace

from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.gres import Gres, meets
from arvnodeman.fleet.values.model import JobShape


def how_many(shape: JobShape, free: Capacity, most: int) -> int:
    """So many jobs of this shape may begin on a node one after the other, `most` at most. Of a job of several nodes it
    is its part on one of them."""
    jobs = 0
    while jobs < most and fits_in(shape, free):
        free, jobs = less(free, shape), jobs + 1
    return jobs


def fits_in(shape: JobShape, free: Capacity) -> bool:
    """May a job of this shape begin on a node on which so much is free?"""
    takes = shape.takes
    if takes is None or takes.ram == math.inf:
        return free.whole and free.cpus >= shape.cores and free.ram >= shape.ram and meets(free.gres, shape.gres)
    need = max(math.ceil(shape.cores), cpus_taken(shape, free))
    return free.cpus >= need and free.ram >= shape.ram and meets(free.gres, shape.gres)


def cpus_taken(shape: JobShape, free: Capacity) -> int:
    """CPUs that a job takes of such a node: those of whole cores."""
    if shape.takes is None:
        return free.cpus
    cores = shape.takes.cpus if shape.takes.one_thread else math.ceil(shape.takes.cpus / free.threads)
    return cores * free.threads


def less(free: Capacity, shape: JobShape) -> Capacity:
    """What is left once a job of this shape has begun on a node that it fits."""
    takes = shape.takes
    if takes is None:
        return Capacity(0, 0, (), free.threads, free.jobs + 1, whole=False)
    ram = 0.0 if takes.ram == math.inf else free.ram - takes.ram
    cpus = free.cpus - cpus_taken(shape, free)
    return replace(free, cpus=cpus, ram=ram, gres=_less_gres(free.gres, shape.gres), jobs=free.jobs + 1, whole=False)


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
