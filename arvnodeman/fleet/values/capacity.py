"""Capacity: what jobs that share a node take of it, and what is left. Rules of Slurm: a job gets whole cores.

A job that shares with nobody takes its nodes whole, and no figure of it matters here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.quick import quick


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a job takes of each of its nodes once it runs there. (What the node must have free is more, at times: that
    is in the shape of the job.) GRES are taken as the shape asks for them."""

    cpus: int  # as the scheduler counts them: threads, where it counts these
    ram: float = 0  # MB; infinity: all that the node has; 0: memory is not counted
    apart: int = 1  # parts that have no core in common: its CPUs where it uses one thread of each core, or its tasks
    ram_by_cpu: bool = False  # of `ram` each CPU has its share, and so have those that it gets to make cores whole


@quick
@dataclass(frozen=True, slots=True)
class Capacity:
    """What of a node no job has, or what all of it is where none is on it. What is not known meets any demand."""

    cpus: int  # free, as the scheduler counts them
    ram: float = math.inf  # MB free; what the node has, where memory is not counted; infinity: not known
    gres: Gres = ()  # free
    threads: int = 1  # CPUs that a core has: a job gets whole cores
    jobs: int = 0  # on it, at least so many
    whole: bool = True  # none is on it: a job that wants all of its memory, or all of it, may begin
    scratch: float = math.inf  # MB that the node has, whoever uses it, for nobody counts what jobs take
