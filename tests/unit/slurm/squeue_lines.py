"""What squeue prints behind the first eight fields of a job."""

from __future__ import annotations

from collections.abc import Sequence

from arvnodeman.slurm.fields import BEHIND

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
