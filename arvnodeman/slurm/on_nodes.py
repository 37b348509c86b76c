"""The jobs that are on nodes, and those that have left them of late: one listing, which tells who pays for what.

slurmctld goes through all jobs for a listing, whatever states are asked for, and keeps ended ones for MinJobAge (300 s
where slurm.conf says nothing else): so a listing a minute misses no job, however short, and has its very times. What a
job has on all its nodes together is told, and not what on each: it counts for the same part on each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.model import JobOwner
from arvnodeman.money.payers import known, payer_of
from arvnodeman.money.runs import JobRun
from arvnodeman.slurm.arrays import JOB_NUMBER
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.gres import NONE
from arvnodeman.slurm.job_marks import COSTS, OURS
from arvnodeman.slurm.job_shape import count, on_all_nodes, time_limit
from arvnodeman.slurm.placed import BEGUN, LEAVING

_FIELDS: tuple[str, ...] = ("JobArrayID", "State", "NodeList", "StartTime", "EndTime", "TimeLimit", "NumCPUs")
_FIELDS += ("tres-alloc", "Partition", "UserName", "Account", "QOS", "admin_comment", "Name")  # last: anything
RUNS_FORMAT = ",".join(f"{name}:0{BEHIND if name != _FIELDS[-1] else ''}" for name in _FIELDS)
ENDED = "COMPLETED,FAILED,TIMEOUT,CANCELLED,NODE_FAIL,PREEMPTED,OUT_OF_MEMORY,DEADLINE"
RUNS_STATES = f"RUNNING,SUSPENDED,COMPLETING,{ENDED}"
_BEGINS = re.compile(rf"^(?=[^{BEHIND}\n]*{BEHIND}[A-Z_]+{BEHIND})", re.MULTILINE)  # a job, and no line break in one
_NEVER = ("", "N/A", "NONE", "Unknown", "0")


def read_runs(text: str, named: str = "") -> tuple[list[JobRun], list[str]]:
    """The jobs of an output with RUNS_FORMAT that have been on nodes, and what cannot be read. Names and comments may
    have line breaks. `named`: a job whose name contains this is known by it; all others by their numbers."""
    found: list[JobRun] = []
    malformed: list[str] = []
    for lines in filter(str.strip, _BEGINS.split(text)):
        try:
            run = _run(lines.removesuffix("\n").split(BEHIND, len(_FIELDS) - 1), named)
        except (ValueError, IndexError):
            malformed.append(lines.removesuffix("\n"))
        else:
            if run is not None:
                found.append(run)
    return found, malformed


def _run(fields: Sequence[str], named: str) -> JobRun | None:
    """One job; None for one that has been on no node."""
    number, state, nodes, start, end, limit, cpus, on_all, partition, user, account, qos, comment, name = fields
    if JOB_NUMBER.fullmatch(number) is None:
        raise ValueError(f"not the number of a job: {number[:80]!r}")
    if nodes in NONE or start in _NEVER:
        return None
    hosts = tuple(hostlist(nodes))
    began, ended = _moment(start), None if state in BEGUN or state in LEAVING else _moment(end)
    if ended is not None and ended <= began:
        return None
    most = time_limit(limit)
    taken = on_all_nodes(on_all)
    owner = JobOwner(*("" if text in NONE else text for text in (user, account, qos)))
    return JobRun(
        job=known(name) if named and named in name else number,
        payer=payer_of(owner, "" if partition in NONE else partition),
        hosts=hosts,
        began=began,
        ended=ended,
        limit=None if most is None else began + most,
        cpus=(taken.get("cpu") or count(cpus)) / len(hosts),
        ram=taken.get("mem", 0.0) / len(hosts),
        number=number,
        noted=comment not in NONE and not comment.startswith((OURS, COSTS)),
    )


def _moment(text: str) -> float:
    moment = float(text)
    if not 0 < moment < math.inf:
        raise ValueError(f"not a moment: {text[:80]!r}")
    return moment
