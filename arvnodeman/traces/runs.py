"""One run of a job, as any of Slurm's records shows it, as a job of the trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from arvnodeman.fleet.values.model import JobShape
from arvnodeman.traces.job import Got, JobEnding, TracedJob, is_at_least
from arvnodeman.traces.numbers import Numbered
from arvnodeman.traces.trace import Intake

CLOCKS = "runs that begin or end before they are submitted, as when a clock is set; they count as not waiting: {}"
TASKS_CUT = "rows of waiting tasks whose list is cut, so that some are missing (SLURM_BITSTR_LEN=0 shows all): {}"
ENDINGS = {
    **{ending.name: ending for ending in JobEnding},
    "RESIZING": JobEnding.RESIZED,
    "SUSPENDED": JobEnding.RUNNING,
    "STOPPED": JobEnding.RUNNING,
    "SIGNALING": JobEnding.RUNNING,
    "STAGE_OUT": JobEnding.RUNNING,
    "COMPLETING": JobEnding.RUNNING,
    "CONFIGURING": JobEnding.RUNNING,
    "REQUEUE_FED": JobEnding.REQUEUED,
    "REQUEUE_HOLD": JobEnding.REQUEUED,
    "SPECIAL_EXIT": JobEnding.REQUEUED,
    "LAUNCH_FAILED": JobEnding.FAILED,
    "RECONFIG_FAIL": JobEnding.FAILED,
}
"""By Slurm's word."""
ELSEWHERE = "REVOKED"  # of a federation: another cluster has run it


@dataclass(slots=True)
class AccountedRun:
    """What a record shows of one run. Moments are UTC seconds; None: it has none."""

    numbered: Numbered
    name: str
    partition: str
    ending: JobEnding
    submit: float
    eligible: float | None
    begin: float | None  # None: it did not begin
    end: float | None
    shape: JobShape
    limit: float | None
    elapsed: float | None = None  # until the trace was written, of one that runs
    exclusive: bool | None = None
    got: Got | None = None
    max_rss: float | None = None


@lru_cache(maxsize=1 << 16)
def got(nodes: int | None, cores: int | None, ram: float | None) -> Got:
    """One object for all that are alike."""
    return Got(nodes, cores, ram)


def word_of(state: str) -> JobEnding:
    """`CANCELLED by 2001`, `RUNNING`; an unknown word is UNKNOWN. Raises ValueError for what is not a word."""
    word = state.split(" ", 1)[0].rstrip("+")
    ending = ENDINGS.get(word)
    if ending is None:
        if not word.replace("_", "").isalpha() or not word.isupper():
            raise ValueError(f"not a state: {state[:60]!r}")
        return JobEnding.UNKNOWN
    return ending


def jobs_of(run: AccountedRun, intake: Intake) -> Iterator[TracedJob]:
    """The job of a run; of a row for many tasks one for each. Raises ValueError."""
    submit, eligible, begin, end = run.submit, run.eligible, run.begin, run.end
    if begin is not None and end is not None and end < begin:
        raise ValueError("it ends before it begins")
    earliest = begin if begin is not None else end
    if earliest is not None and earliest < submit:
        intake.remark(CLOCKS)
        submit = earliest
    if eligible is not None:
        eligible = max(eligible, submit)
        if begin is not None:
            eligible = min(eligible, begin)
    seconds = end - begin if begin is not None and end is not None else None
    if seconds is None and begin is not None:
        seconds = run.elapsed
    if run.numbered.cut:
        intake.remark(TASKS_CUT)
    shape = run.shape
    for identity in run.numbered.ids:
        yield TracedJob(
            identity,
            shape,
            submit,
            run.ending,
            run.name,
            run.partition,
            eligible,
            begin,
            end,
            seconds,
            is_at_least(run.ending, seconds),
            run.limit,
            0,
            0.0,
            run.exclusive,
            run.numbered.array,
            run.numbered.het,
            run.got,
            run.max_rss,
        )
