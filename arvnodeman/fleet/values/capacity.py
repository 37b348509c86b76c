"""Capacity: what jobs that share a node take of it, and what is left. Rules of Slurm: a job gets whole cores.

A job that shares with nobody takes its nodes whole, and no figure of it matters here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from arvnodeman.fleet.values.gres import Gres


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a job takes of each of its nodes once it runs there. (What the node must have free is more, at times: that
    is in the shape of the job.) GRES are taken as the shape asks for them."""

    cpus: int  # as the scheduler counts them: threads, where it counts these
    ram: float = 0  # MB; infinity: all that the node has; 0: memory is not counted
    one_thread: bool = False  # of each core it uses one thread, and has the core to itself


@dataclass(frozen=True, slots=True)
class Capacity:
    """What of a node no job has, or what all of it is where none is on it."""

    cpus: int  # free, as the scheduler counts them; more than the node has, where it may be overbooked
    ram: float = math.inf  # MB free; infinity: memory is not counted, or not known
    gres: Gres = ()  # free
    threads: int = 1  # CPUs that a core has: a job gets whole cores
    jobs: int = 0  # on it
    whole: bool = True  # none is on it: a job that wants all of its memory, or all of it, may begin
