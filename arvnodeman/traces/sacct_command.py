"""The command line that exports a trace from Slurm's accounting, of Slurm 20.11 to 26.05."""

from __future__ import annotations

import shlex

COLUMNS = (
    "JobIDRaw",  # first, so that a row begins with digits
    "JobID",
    "Cluster",
    "User",
    "Account",
    "Partition",
    "QOS",
    "State",
    "Submit",
    "Eligible",
    "Start",
    "End",
    "TimelimitRaw",
    "Constraints",  # between columns that cannot be taken for a part of it
    "ReqCPUS",
    "AllocCPUS",
    "ReqNodes",
    "AllocNodes",
    "ReqMem",
    "ReqTRES",
    "AllocTRES",
    "Reservation",
    "JobName",
    "ElapsedRaw",  # last, so that it ends with them, whatever is in a name
)
MEMORY_COLUMN = "MaxRSS"  # of steps, which are listed then: about six times as many rows
_WHERE_KNOWN = "$(sacct --helpformat | grep -ow Exclusive | sed s/$/,/)"  # from Slurm 26.05 on: a node to itself?
STATES = "BF,CA,CD,DL,F,NF,OOM,PD,PR,R,RQ,RS,RV,S,TO"  # without them jobs that were cancelled while held are missing


def sacct_command(since: str = "now-30days", until: str = "now", *, memory: bool = False) -> str:
    """One line for a shell. `since`, `until`: as sacct takes them, in local time; `memory`: with what jobs have used.

    Times come as seconds since the epoch, so that no zone and no change of clocks matters, and the delimiter is a sign
    that is in no name."""
    *columns, last = COLUMNS
    columns = [*columns, MEMORY_COLUMN] if memory else columns
    words = ["sacct", "--allusers", "--duplicates", *([] if memory else ["--allocations"])]
    words += ["--parsable2", "--delimiter=\"$(printf '\\037')\"", "--noconvert"]
    words += [f"--starttime={shlex.quote(since)}", f"--endtime={shlex.quote(until)}", f"--state={STATES}"]
    return " ".join(
        ["SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0", *words, f'--format={",".join(columns)},"{_WHERE_KNOWN}"{last}']
    )
