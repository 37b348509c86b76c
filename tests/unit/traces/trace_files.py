"""Traces for tests: the recorded ones, and small ones that are written for a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from arvnodeman.traces.reading import TraceOptions, read_trace
from arvnodeman.traces.trace import NoTrace, Trace

RECORDED = Path(__file__).parent / "recorded"
UTC = TraceOptions(zone="UTC")
T0 = 1_767_225_600  # 2026-01-01T00:00:00 UTC
COLUMNS = {
    "JobID": "7",
    "User": "alice",
    "Account": "lab1",
    "Partition": "main",
    "QOS": "normal",
    "State": "COMPLETED",
    "Submit": str(T0),
    "Eligible": str(T0),
    "Start": str(T0 + 60),
    "End": str(T0 + 660),
    "TimelimitRaw": "60",
    "Constraints": "",
    "ReqCPUS": "2",
    "AllocCPUS": "2",
    "ReqNodes": "1",
    "AllocNodes": "1",
    "ReqTRES": "billing=2,cpu=2,mem=500M,node=1",
    "AllocTRES": "billing=2,cpu=2,mem=500M,node=1",
    "JobName": "work",
    "ElapsedRaw": "600",
}


def row(**changed: object) -> str:
    """A line of sacct's, of a job that ran for ten minutes after it had waited for one."""
    return "|".join(str(value) for value in (COLUMNS | changed).values())


def sacct_text(rows: Iterable[str]) -> str:
    return "".join(line + "\n" for line in ("|".join(COLUMNS), *rows))


def outcome(path: Path) -> Trace | str:
    """What is read of a file, or why it is not."""
    try:
        return read_trace(path, UTC)
    except NoTrace as error:
        return str(error)


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    return path


def sacct(folder: Path, *rows: str, options: TraceOptions = UTC) -> Trace:
    """What is read of a file with these rows."""
    return read_trace(written(folder / "sacct.txt", sacct_text(rows)), options)
