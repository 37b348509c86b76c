"""What a job of a trace asked for, in the brain's words, from what accounting keeps of it."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.slurm.job_shape import COUNT, count, job_shape, megabytes, time_limit

YEAR = 365 * 86_400.0  # what Slurm plans for a job without a limit
NO_LIMIT = ("UNLIMITED", "Partition_Limit")
WHOLE = {"NODE": True, "NO": False, "USER": False, "MCS": False}
"""Has a job its nodes to itself? By the word that accounting has for it from Slurm 26.05 on; TOPO may be either."""
_WHOLE_NODE = re.compile(r"(?:^|\s)--exclusive(?:=(\S*))?(?=\s|$)")
_SHARED = re.compile(r"(?:^|\s)(?:--oversubscribe|--share|-s)(?=\s|$)")
_TRES = re.compile(r"([^=,]+)=([^,]*)")
_THREADS = 2  # CPUs of a core: a job gets whole cores
_INEXACT = 0.01  # of an amount of memory, as sacct rounds the larger ones


class Tres(NamedTuple):
    """Things that Slurm counts: `billing=2,cpu=2,gres/gpu=1,mem=500M,node=1`. None: it is not there."""

    cpus: int | None = None
    nodes: int | None = None
    ram: float | None = None  # MB, all nodes together
    gres: str = ""  # `gres/gpu:1,gres/gpu:tesla:1`, all nodes together
    licences: str = ""  # `matlab:2`


NO_TRES = Tres()


class AskedFor(NamedTuple):
    """What a job asked for, on all its nodes together. What is '' or None was not asked for, or is not known."""

    cpus: int
    nodes: int = 1
    ram: float = 0.0  # MB; 0: not asked for
    gres: str = ""
    features: str = ""
    partition: str = ""  # all that it asked for, with commas between
    user: str = ""
    account: str = ""
    qos: str = ""
    reservation: str = ""
    licences: str = ""


@lru_cache(maxsize=1 << 16)
def shape_of(asked: AskedFor) -> JobShape:
    """One object for all jobs that are alike. Raises ValueError."""
    tail = {
        "cpus": str(asked.cpus),
        "tres_per_job": asked.gres,
        "partition": asked.partition,
        "user": asked.user,
        "account": asked.account,
        "qos": asked.qos,
        "reservation": asked.reservation,
        "licences": asked.licences,
    }
    return job_shape("1", f"{math.ceil(asked.ram / asked.nodes)}M", "0", asked.features, str(asked.nodes), tail=tail)


@lru_cache(maxsize=1 << 16)
def tres(text: str) -> Tres:
    """Raises ValueError."""
    if not text:
        return NO_TRES
    found = dict(_TRES.findall(text))
    of_gres = [f"{name}:{number}" for name, number in found.items() if name.startswith("gres/")]
    licences = [f"{name.partition('/')[2]}:{number}" for name, number in found.items() if name.startswith("license/")]
    return Tres(
        whole(found["cpu"]) if "cpu" in found else None,
        whole(found["node"]) if "node" in found else None,
        megabytes(found["mem"]) if "mem" in found else None,
        ",".join(of_gres),
        ",".join(licences),
    )


def whole(text: str) -> int:
    """`1.50K` CPUs, as sacct writes 1536. Raises ValueError."""
    if COUNT.fullmatch(text) is None:
        raise ValueError(f"not a number: {text[:60]!r}")
    return int(count(text))


@lru_cache(maxsize=4096)
def limit_of(text: str, *, in_minutes: bool) -> float | None:
    """A time limit in seconds: a number of minutes, or `1-02:00:00`. Infinity: nobody asked for one, which Slurm writes
    as 365 days where its backfill has begun the job. None: not said. Raises ValueError."""
    if text in NO_LIMIT:
        return math.inf
    if in_minutes and text:
        return no_year(whole(text) * 60.0)
    limit = time_limit(text)
    return None if limit is None else no_year(limit)


def no_year(limit: float) -> float:
    """A limit; none where it is the year that Slurm plans for a job without one."""
    return math.inf if limit == YEAR else limit


def nobody_asked(asked: float, got: float, *, nodes: float, cpus: float) -> bool:
    """Accounting shows memory for a job that asked for none: what some node has. Is it so here? Memory that was asked
    for is given once, for each node or for each CPU; what a job got must be one of these. `nodes`, `cpus`: got for each
    asked for."""
    likely = (asked, asked * nodes, asked * cpus)
    return asked > 0 and not any(abs(got - each) <= max(1.0, _INEXACT * each) for each in likely)


def whole_nodes(command: str, asked: int | None, got: int | None) -> bool | None:
    """Has a job its nodes to itself? By its command line, where that is known, and by the CPUs that it asked for and
    got: more than twice as many are those of whole nodes. None: neither tells."""
    match = _WHOLE_NODE.search(command) if command else None
    if match is not None:
        return match[1] in (None, "", "exclusive")
    if command and _SHARED.search(command):
        return False
    if asked is not None and got is not None and got > _THREADS * asked:
        return True
    return None
