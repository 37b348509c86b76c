"""Whether jobs have room on nodes all at once, found by trying all ways: knows nothing of how the plan packs.

For a handful of jobs and nodes. The rules, in small: a job gets whole cores, its memory and its GPUs; one that shares
with nobody, or that takes all memory of its node, wants one on which nobody is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple


@dataclass(frozen=True)
class Asks:
    """A job."""

    cpus: int = 1
    ram: float = 0  # infinity: all that its node has
    gpus: int = 0
    nodes: int = 1
    alone: bool = False
    sizes: frozenset[str] = frozenset()  # that it may have
    rooms: bool = True  # it may have what is left of a node


class Node(NamedTuple):
    """What is left of a node, or all of it."""

    size: str
    cpus: int
    ram: float
    gpus: int = 0
    threads: int = 1
    jobs: int = 0
    whole: bool = True
    is_room: bool = False


def begins(job: Asks, node: Node, most_jobs: int = 0) -> Node | None:
    """What is left of the node when the job has begun there; None where it does not fit."""
    if node.size not in job.sizes or (node.is_room and not job.rooms) or (most_jobs and node.jobs >= most_jobs):
        return None
    if job.alone:
        return node._replace(cpus=0, ram=0, gpus=0, jobs=node.jobs + 1, whole=False) if node.whole else None
    cpus = node.cpus - math.ceil(job.cpus / node.threads) * node.threads
    wants_all = job.ram == math.inf
    ram = 0.0 if wants_all else node.ram - job.ram
    if cpus < 0 or ram < 0 or node.gpus < job.gpus or (wants_all and not node.whole):
        return None
    return node._replace(cpus=cpus, ram=ram, gpus=node.gpus - job.gpus, jobs=node.jobs + 1, whole=False)


def have_room(jobs: Sequence[Asks], nodes: Sequence[Node], most_jobs: int = 0) -> bool:
    """Can all of these jobs run at once on these nodes?"""
    parts = [(number, job) for number, job in enumerate(jobs) for _ in range(job.nodes)]
    parts.sort(key=lambda part: (not part[1].alone, part[1].ram < math.inf, -part[1].cpus, -part[1].ram, part[0]))

    @cache
    def place(number: int, left: tuple[Node, ...], used: frozenset[int]) -> bool:
        """The parts from this one on; `used`: nodes that the same job has parts on."""
        if number == len(parts):
            return True
        whose, job = parts[number]
        tried = set()
        for index, node in enumerate(left):
            if index in used or (node in tried and job.nodes == 1):
                continue
            tried.add(node)
            after = begins(job, node, most_jobs)
            if after is None:
                continue
            goes_on = number + 1 < len(parts) and parts[number + 1][0] == whose
            if place(
                number + 1, (*left[:index], after, *left[index + 1 :]), used | {index} if goes_on else frozenset()
            ):
                return True
        return False

    return place(0, tuple(nodes), frozenset())
