"""The jobs of a demo on a real Slurm as a trace for `simulate`: what sacct would print, had that Slurm a database.

When each run was submitted, began and ended is Slurm's own account (jobcomp); the constraint, which that lacks, is the
one that the job was submitted with.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import strptime
from typing import Any

from arvnodeman.sandbox.real_slurm import ended_jobs
from arvnodeman.sandbox.slurm_nodes import DEFAULT_PARTITION

FILE_NAME = "jobs.psv"
_COLUMNS = (
    "JobID|JobIDRaw|User|Partition|State|Submit|Eligible|Start|End|TimelimitRaw|Constraints|ReqTRES|AllocNodes|"
    "AllocCPUS|Exclusive|JobName|ElapsedRaw"
)
_NO_TIME = "Unknown"


def trace_of(slurm_folder: Path, jobs: Iterable[Mapping[str, Any]]) -> str:
    """The text of `sacct --parsable2`. `jobs`: those of the site's state."""
    sizes = {str(job["name"]): job["size"] for job in jobs}
    return "".join(f"{line}\n" for line in (_COLUMNS, *_rows(ended_jobs(slurm_folder), sizes)))


def _rows(runs: Iterable[Mapping[str, str]], sizes: Mapping[str, str | None]) -> Iterator[str]:
    for run in runs:
        number, name = run["JobId"], run["Name"]
        if run.get("ArrayTaskId", "").isdigit():
            number, name = f"{run['ArrayJobId']}_{run['ArrayTaskId']}", f"{name}_{run['ArrayTaskId']}"
        submit, eligible, start, end = (_epoch(run[f"{each}Time"]) for each in ("Submit", "Eligible", "Start", "End"))
        size = sizes.get(name)
        cells = (
            number,
            run["JobId"],
            run["UserId"].partition("(")[0],
            run["Partition"],
            "REQUEUED" if run["JobState"] == "PENDING" else run["JobState"],  # a record is of a run that has ended
            submit,
            eligible,
            start if run["NodeCnt"] != "0" else _NO_TIME,
            end,
            run["TimeLimit"],
            f"instancetype={size}" if size else "",
            run["Tres"],
            run["NodeCnt"],
            run["ProcCnt"],
            "NODE" if run["Partition"] == DEFAULT_PARTITION else "",  # it is OverSubscribe=EXCLUSIVE
            name,
            str(int(end) - int(start)),
        )
        yield "|".join(cells)


def _epoch(text: str) -> str:
    """slurmctld's time, which is UTC here, in seconds since the epoch."""
    try:
        return str(timegm(strptime(text, "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return _NO_TIME
