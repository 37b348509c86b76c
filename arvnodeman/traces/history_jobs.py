"""What our own history shows of jobs, which is little: how many left the queue when, and how long they had waited.

What they asked for and how long each ran is not in it. Each is taken for one node of any size, and to have run for the
mean: the hours that nodes were busy in that history, by the jobs that came in it.
"""

from __future__ import annotations

from pathlib import Path

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.history.reading import CannotRead, reading
from arvnodeman.traces.job import JobEnding, TracedJob
from arvnodeman.traces.trace import MOST_JOBS, NO_MORE_JOBS, Intake, NoTrace

WHAT_IT_IS = (
    "a history shows when jobs left the queue, but not what they asked for: each counts as one node of any size"
)
MEAN = "a history has no run times: all jobs count as running for {mean:.0f} s, the mean of busy time"


def read_history(path: Path, intake: Intake) -> None:
    """One history file. Raises NoTrace."""
    try:
        with reading(path) as connection:
            rows = connection.execute("SELECT at, bucket, jobs, total FROM wait ORDER BY at, bucket").fetchall()
            busy = connection.execute("SELECT coalesce(sum(busy), 0) FROM usage").fetchone()[0]
    except CannotRead as error:
        raise NoTrace(str(error)) from None
    count = sum(jobs for _, _, jobs, _ in rows)
    if count > MOST_JOBS:
        raise NoTrace(f"{path}: {NO_MORE_JOBS}")
    mean = busy / count if count else 0.0
    intake.remark(WHAT_IT_IS)
    intake.remark(MEAN.format(mean=mean))
    for at, bucket, jobs, total in rows:
        submit = max(0.0, at - total / max(1, jobs))
        intake.read()
        for number in range(jobs):
            identity = f"{at}-{bucket}-{number}"
            intake.add(
                TracedJob(identity, JobShape(), submit, JobEnding.UNKNOWN, "", "", submit, float(at), None, mean)
            )
