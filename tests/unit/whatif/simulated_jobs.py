"""Small traces and configurations for the tests of simulations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.traces.job import JobEnding, TracedJob

SWF = """\
; Version: 2.2
; UnixStartTime: 1735689600
; MaxProcs: 8
; MaxNodes: 4
"""
CONFIG = """\
[Arvados]
host = zyxwv.example.com
token = sesame-token
[Manage]
ManagementToken = sesame-manage
[Daemon]
max_nodes = 4
[Cloud]
provider = ec2
shutdown_windows = 0, 60
[Cloud Credentials]
secret = sesame-secret
[Size small]
cores = 2
instance_type = m5.large
price = 0.1
ram = 8000
"""


def job(number: int, **fields: Any) -> TracedJob:
    """One that comes a minute after the one before it, runs for ten, and waited for two in its time."""
    submit = 1735689600.0 + 60 * number
    shape = {name: fields.pop(name) for name in ("cores", "ram", "nodes") if name in fields}
    owner = JobOwner(user=f"user{number % 3}")
    rest: dict[str, Any] = {"submit": submit, "begin": submit + 120, "end": submit + 720, "seconds": 600.0}
    return TracedJob(
        id=str(number),
        shape=JobShape(owner=owner, **shape),
        ending=JobEnding.COMPLETED,
        partition="cpu",
        **{**rest, **fields},
    )


def jobs(number: int = 12) -> list[TracedJob]:
    return [job(each) for each in range(number)]


def write_trace(path: Path, number: int = 12, lines: Sequence[str] = ()) -> Path:
    """In the Standard Workload Format: each a minute after the one before it, ten minutes long."""
    rows = [f"{each + 1} {60 * each} 120 600 1 -1 -1 1 900 -1 1 {each % 3} 1 1 1 1 -1 -1" for each in range(number)]
    path.write_text(SWF + "".join(f"{row}\n" for row in (*rows, *lines)))
    return path


def write_config(path: Path, text: str = CONFIG, **daemon: object) -> Path:
    """`daemon`: options of [Daemon] beside max_nodes, or in its place."""
    options = {"max_nodes": 4, **daemon}
    lines = "".join(f"{name} = {value}\n" for name, value in options.items())
    path.write_text(text.replace("[Daemon]\nmax_nodes = 4\n", f"[Daemon]\n{lines}"))
    return path
