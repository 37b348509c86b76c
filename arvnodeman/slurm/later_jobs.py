"""Jobs that cannot start yet, and when they may: at their begin time, at the end of the jobs that they depend on, at
the start of their reservation.

Of tasks of an array beyond its %N nothing is told: each begins where one of its array has ended, on a node that is up.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.outlook.ahead import Outlook
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import Job
from arvnodeman.slurm.errors import SlurmFailure
from arvnodeman.slurm.fields import BEHIND, FIRST
from arvnodeman.slurm.foresee import moment
from arvnodeman.slurm.run_times import RunTimes
from arvnodeman.slurm.sharing import SharingRules
from arvnodeman.slurm.squeue import QueueReader

EVERY = 20.0  # seconds between two questions, where the same jobs cannot start yet
MOST = 200  # such jobs, the first in the queue
REASONS = ("BeginTime", "Dependency", "Reservation")
_REASON = FIRST - 5  # which of the first fields it is
_MEANT = "Resources"  # a reason with which a line is read as one of a job that nodes would help
_AFTER = re.compile(r"(afterok|afterany):([0-9]+)(?:_[0-9*]+)?(?:\([a-z]*\))?")
_PENDING = "%i|%S|%E"
_RUNNING = "%i|%A|%S|%e|%u|%P|%N|%j"
_log = logging.getLogger("arvnodeman.slurm")

Ask = Callable[..., str]
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Running:
    """A job that runs. Times are seconds since the epoch."""

    began: float
    ends: float | None  # by its time limit; None: it has none
    user: str
    partitions: tuple[str, ...]
    nodes: tuple[str, ...]
    name: str


class LaterJobs:
    """For one thread."""

    def __init__(self, ask: Ask, job_name_pattern: str, run_times: RunTimes) -> None:
        """`ask` gives the output of a command, of its words, or raises SlurmFailure."""
        self._ask = ask
        self._run_times = run_times
        self._reader = QueueReader(job_name_pattern, numbered=True)
        self._again_at = 0.0
        self._last: tuple[Key, Sequence[LaterJob]] = ((), ())
        self._trouble = ""

    def fetch(self, text: str, tail: Sequence[str], rules: SharingRules | None, outlook: Outlook) -> Sequence[LaterJob]:
        """Those in an output of squeue, as far as it is known when they may start; the same object for the same."""
        lines = [line for line in map(_as_waiting, text.split("\n")) if line]
        if not lines or not tail:
            return ()
        jobs = self._reader.read("\n".join(lines[:MOST]), tail, {}, rules).jobs[:MOST]
        key: Key = (tuple(job.id for job in jobs), tuple(outlook.reservations))
        now = time.monotonic()
        if key == self._last[0] and now < self._again_at:
            return self._last[1]
        self._again_at = now + EVERY
        try:
            found = list(self._told(jobs, outlook))
        except SlurmFailure as failure:
            if str(failure) != self._trouble:
                self._trouble = str(failure)
                _log.warning("it is not known when jobs that cannot start yet may start: %s", failure)
            return ()
        self._trouble = ""
        self._last = key, self._last[1] if found == self._last[1] else found
        return self._last[1]

    def _told(self, jobs: Sequence[Job], outlook: Outlook) -> Iterator[LaterJob]:
        numbers = sorted({_array(job.id) for job in jobs})
        if not numbers:
            return
        said = dict(self._asked(numbers, "PENDING", _PENDING))
        depends = {number: _after(fields[-1]) for number, fields in said.items()}
        wanted = sorted({each for ids in depends.values() for each in ids or ()})
        running = dict(self._asked(wanted, "RUNNING", _RUNNING)) if wanted else {}
        runs = {number: each for number, fields in running.items() if (each := _running(fields)) is not None}
        for job in jobs:
            fields = said.get(_array(job.id))
            if fields is not None:
                coming = self._one(job, fields[1], depends[_array(job.id)], runs, outlook)
                if coming is not None:
                    shape = replace(job.shape, place=outlook.place(job.shape, job.time_limit, coming.at))
                    yield replace(coming, shape=shape)

    def _asked(self, numbers: Iterable[str], state: str, form: str) -> Iterator[tuple[str, list[str]]]:
        """By its number without a task, the fields of each job."""
        fields = form.count("|")
        text = self._ask(
            "squeue", "--all", "--noheader", f"--states={state}", f"--jobs={','.join(numbers)}", f"--format={form}"
        )
        for line in text.split("\n"):
            found = line.split("|", fields)
            if len(found) == fields + 1:
                yield _array(found[0]), found

    def _one(
        self, job: Job, starts: str, after: Sequence[str] | None, runs: Mapping[str, _Running], outlook: Outlook
    ) -> LaterJob | None:
        """When it may start; None: nobody knows."""
        now = time.time()
        if after is None:
            return None
        if after:
            ends = [(self._end(runs[each], now), each) for each in after if each in runs]
            if len(ends) < len(after) or any(end is None for end, _ in ends):
                return None
            (at, late), last = max((end, each) for end, each in ends if end is not None)
            frees = runs[last].nodes
            return LaterJob(job.id, job.shape, at, late, f"job {last}, on which it depends, is likely to end", frees)
        held = [outlook.reservations[name] for name in job.shape.reservation.split(",") if name in outlook.reservations]
        at = max([each.start for each in held], default=0.0)
        if at > now:
            return LaterJob(job.id, job.shape, at, why=f"its reservation {held[0].name} begins")
        begins = _moment(starts)
        if begins is None or begins <= now:
            return None
        return LaterJob(job.id, job.shape, begins, why="its begin time comes")

    def _end(self, run: _Running, now: float) -> tuple[float, float] | None:
        """When a job is likely to end, and how much later than that on average; None: nobody knows."""
        usual = self._run_times.usual(run.user, run.partitions, run.name)
        if usual is not None:
            half, most = usual
            if run.began + half > now:
                return run.began + half, (most - half) / 2
            if run.began + most > now:
                return run.began + most, 0.0
        return None if run.ends is None else (run.ends, 0.0)


def _as_waiting(line: str) -> str:
    """A line of squeue of such a job, with another reason; '' for all others."""
    fields = line.split("|", _REASON + 1)
    if len(fields) <= _REASON + 1 or not fields[_REASON].startswith(REASONS) or BEHIND not in line:
        return ""
    if fields[_REASON].startswith("DependencyNeverSatisfied"):
        return ""
    fields[_REASON] = _MEANT
    return "|".join(fields)


def _array(number: str) -> str:
    """A job's number without its task."""
    return re.split(r"[_+]", number, maxsplit=1)[0]


def _after(text: str) -> list[str] | None:
    """The jobs whose end a job waits for; None: it waits for something else, too."""
    if text in ("", "(null)"):
        return []
    found = [_AFTER.fullmatch(each) for each in text.split(",")]
    return [each[2] for each in found if each is not None] if all(found) else None


def _running(fields: Sequence[str]) -> _Running | None:
    _, _, began, ends, user, partition, nodes, name = fields
    start = _moment(began)
    if start is None:
        return None
    return _Running(start, _moment(ends), user, tuple(partition.split(",")), tuple(hostlist(nodes)), name)


def _moment(text: str) -> float | None:
    """Seconds since the epoch; None: it is none."""
    try:
        return moment(text)
    except (ValueError, OverflowError, OSError):
        return None
