"""What squeue prints behind the first eight fields of a job; and what first outputs of squeue and sinfo say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.sinfo import NodesReader
from arvnodeman.slurm.squeue import QueueReader

PLAIN = {
    "number": "1",
    "partition": "compute",
    "user": "",
    "account": "(null)",
    "qos": "(null)",
    "reservation": "(null)",
    "time_limit": "UNLIMITED",
    "licences": "(null)",
    "required_nodes": "",
    "excluded_nodes": "",
    "least_time": "0:00",
    "tres_per_job": "N/A",
    "tres_per_socket": "N/A",
    "tres_per_task": "N/A",
    "tasks": "1",
    "cpus": "1",
    "tres_alloc": "",
    "cpus_per_tres": "N/A",
    "memory_per_tres": "N/A",
    "tres_per_node": "N/A",
}
"""Of a job that says nothing, and of nobody."""


def behind(tail: Sequence[str], **said: str) -> str:
    """The fields of the tail, by our names for them."""
    return "".join(f"{BEHIND}{(PLAIN | said)[name]}" for name in tail)


def parse_squeue(
    text: str,
    job_name_pattern: str,
    tail: Sequence[str] = (),
    others: dict[str, str] | None = None,
    *,
    numbered: bool = False,
    at_once: Mapping[str, int] | None = None,
    refused: dict[JobShape, Sequence[Job]] | None = None,
) -> tuple[list[Job], list[str]]:
    """What a first output of squeue says: the jobs that wait for nodes, and the lines that cannot be read. `others` and
    `refused` are given the other jobs."""
    read = QueueReader(job_name_pattern, numbered=numbered).read(text, tail, at_once)
    if others is not None:
        others.update(read.others)
    if refused is not None:
        refused.update(read.refused)
    return list(read.jobs), list(read.malformed)


def parse_sinfo(text: str) -> tuple[dict[str, NodeWork], list[str]]:
    """What a first output of sinfo says: the nodes by name, and the lines that cannot be read."""
    read = NodesReader().read(text)
    return dict(read.nodes), list(read.malformed)
