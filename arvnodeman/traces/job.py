"""One job of a trace, as a plain value, and what several runs of one job make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from arvnodeman.fleet.values.model import JobShape


class JobEnding(StrEnum):
    """How a job, or one run of it, ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"  # at its time limit
    OUT_OF_MEMORY = "out of memory"
    CANCELLED = "cancelled"  # while it waited, or while it ran: then it has begun
    DEADLINE = "deadline"  # of its own, passed while it waited
    NODE_FAIL = "node fail"
    BOOT_FAIL = "boot fail"
    PREEMPTED = "preempted"
    REQUEUED = "requeued"  # somebody sent it back to the queue
    RESIZED = "resized"  # it went on at once with other nodes
    RUNNING = "running"  # it was still running when the trace was written
    PENDING = "pending"  # it was still waiting then
    UNKNOWN = "unknown"

    @property
    def is_open(self) -> bool:
        """The trace was written before it ended."""
        return self in (JobEnding.RUNNING, JobEnding.PENDING)

    @property
    def is_cut(self) -> bool:
        """The run was ended by something else than the job, its user or its limit: it is not the job's length."""
        return self in _CUT


REQUEUED_WITHIN = 86_400.0  # seconds from the end of a run
_NODE_FAILED = frozenset({JobEnding.NODE_FAIL, JobEnding.BOOT_FAIL})
_CUT = frozenset({JobEnding.NODE_FAIL, JobEnding.BOOT_FAIL, JobEnding.PREEMPTED, JobEnding.REQUEUED})


@dataclass(frozen=True, slots=True)
class Got:
    """What a job was given where it ran, on all its nodes together. None: the trace does not say."""

    nodes: int | None = None
    cores: int | None = None
    ram: float | None = None  # MB


class TracedJob(NamedTuple):
    """A job. Moments are UTC seconds since the epoch; None: not known, or never.

    `shape` is what it asked for: cores, MB and GRES of each node. Its `takes` is None always: whether jobs share nodes
    is for the site to say, and `exclusive` for the job.
    """

    id: str  # as the trace writes it: `17`, `17_3` for a task of an array, `17+1` for a part of a heterogeneous job
    shape: JobShape
    submit: float  # of its first run
    ending: JobEnding
    name: str = ""
    partition: str = ""  # where it ran, else the first that it asked for
    eligible: float | None = None  # what it waits from here on is the site's doing: held, dependent and --begin is over
    begin: float | None = None  # of its first run
    end: float | None = None  # when it left for good, also the queue where it never ran
    seconds: float | None = None  # its length: of the last run that ended by itself, suspensions included
    at_least: bool = False  # `seconds` was cut short: by a limit, a scancel, a failure, or the end of the trace
    time_limit: float | None = None  # seconds asked for, infinity for no limit; None: the trace does not say
    requeues: int = 0
    lost: float = 0.0  # seconds of its runs beside the one that `seconds` is of
    exclusive: bool | None = None  # its nodes to itself? None: the trace does not say
    array: str = ""  # number of the array that it is a task of
    het: str = ""  # number of the heterogeneous job that it is a part of: these begin together
    got: Got | None = None  # None: it never ran, or the trace does not say
    max_rss: float | None = None  # MB, of its largest task

    @property
    def ran(self) -> bool:
        """It began at least once."""
        return self.begin is not None or self.seconds is not None


_CUT_SHORT = _CUT | {JobEnding.TIMEOUT, JobEnding.CANCELLED, JobEnding.OUT_OF_MEMORY, JobEnding.RUNNING}


def is_at_least(ending: JobEnding, seconds: float | None) -> bool:
    """Would the job have run longer than this run, had nothing ended it?"""
    return seconds is not None and ending in _CUT_SHORT


def until(job: TracedJob, last: float) -> TracedJob:
    """One that runs yet has run for so long at least, where nothing better is known. `last`: when the trace ends."""
    if job.ending is not JobEnding.RUNNING or job.seconds is not None or job.begin is None:
        return job
    return job._replace(seconds=max(0.0, last - job.begin), at_least=True)


def joined(runs: Sequence[TracedJob], *, placed: bool = False) -> TracedJob:
    """The job that these runs make, in their order, each a job of one run.

    It is submitted and begins with its first run, ends with its last, and asked for what its last run did. Its length
    is that of the last run that something of its own ended, else of its longest one. `placed`: runs whose node failed
    may only have waited for it, and it begins with its first other one.
    """
    runs = _resized(runs)
    first, last = runs[0], runs[-1]
    waits = last.ending is JobEnding.REQUEUED  # and nothing is known of what came then
    if len(runs) == 1 and not waits:
        return first
    begun = [run for run in runs if run.seconds is not None]
    whole = [run for run in begun if not run.ending.is_cut]
    length = whole[-1] if whole else max(begun, key=lambda run: run.seconds or 0.0, default=None)
    began = [run.begin for run in runs if run.begin is not None]
    if placed:
        began = [run.begin for run in runs if run.begin is not None and run.ending not in _NODE_FAILED] or began[-1:]
    return last._replace(
        submit=first.submit,
        ending=JobEnding.PENDING if waits else last.ending,
        eligible=first.eligible,
        begin=min(began, default=None),
        end=None if waits else last.end,
        seconds=length.seconds if length is not None else None,
        at_least=length.at_least if length is not None else False,
        requeues=sum(run.requeues for run in runs) + len(runs) - 1 + waits,
        lost=sum(run.seconds or 0.0 for run in begun if run is not length),
        exclusive=next((run.exclusive for run in reversed(runs) if run.exclusive is not None), None),
        got=next((run.got for run in reversed(runs) if run.got is not None), None),
        max_rss=max((run.max_rss for run in runs if run.max_rss is not None), default=None),
    )


def _resized(runs: Sequence[TracedJob]) -> list[TracedJob]:
    """With the parts of a run whose job was resized in the midst of it as one."""
    found: list[TracedJob] = []
    for run in runs:
        before = found[-1] if found else None
        if before is None or before.ending is not JobEnding.RESIZED:
            found.append(run)
            continue
        seconds = None if run.seconds is None else run.seconds + (before.seconds or 0.0)
        found[-1] = run._replace(
            shape=before.shape,
            submit=before.submit,
            eligible=before.eligible,
            begin=before.begin or run.begin,
            seconds=seconds,
        )
    return found


def requeues_of(runs: Sequence[TracedJob]) -> list[list[TracedJob]]:
    """Runs with one number, by job, in order: numbers come again when the scheduler has used all of them, or was
    installed again. A requeue is submitted when the run before it ends, by the same user."""
    chains: list[list[TracedJob]] = []
    for run in sorted(runs, key=lambda run: (run.submit, run.ending is not JobEnding.RESIZED)):
        before = chains[-1][-1] if chains else None
        if before is not None and _goes_on(before, run):
            chains[-1].append(run)
        else:
            chains.append([run])
    return chains


def _goes_on(before: TracedJob, run: TracedJob) -> bool:
    left_the_queue = not before.ran and not before.ending.is_open  # for good
    if before.shape.owner.user != run.shape.owner.user or left_the_queue:
        return False
    return before.end is None or abs(run.submit - before.end) <= REQUEUED_WITHIN


def is_same_run(run: TracedJob, other: TracedJob) -> bool:
    """Are these, of one number, two accounts of one run? The scheduler knows runs by their time of submit; jobcomp
    gives that of the job to both parts of one that was resized."""
    parts = JobEnding.RESIZED in (run.ending, other.ending) and run.ending is not other.ending
    return run.submit == other.submit and run.shape.owner.user == other.shape.owner.user and not parts
