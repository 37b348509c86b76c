"""A whole trace: its jobs, and remarks on how it was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from arvnodeman.traces.job import JobEnding, TracedJob, is_same_run, joined, requeues_of, until

NAMED = 10  # lines that cannot be read for which the place is shown
MOST_UNREADABLE = 0.05  # of all records
MOST_JOBS = 20_000_000
NO_MORE_JOBS = f"it has more than {MOST_JOBS:,} jobs"


class TraceKind(StrEnum):
    """What wrote a trace."""

    SACCT_TEXT = "sacct --parsable2"
    SACCT_JSON = "sacct --json"
    JOBCOMP = "jobcomp/filetxt"
    SWF = "Standard Workload Format"
    JOURNAL = "the Node Manager's journal"
    HISTORY = "the Node Manager's history"


class NoTrace(Exception):
    """There is no trace to be had: no file, of no kind that is known, cut short, or too much of it cannot be read. The
    text is one line for people."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that was skipped. As text it is one line."""

    path: Path
    line: int  # where it begins, from 1 on; of JSON the number of the job in the list
    why: str
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.path}: {self.unit} {self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What was read."""

    records: int = 0  # that could be read: rows, lines, jobs of JSON
    unreadable: int = 0
    twice: int = 0  # the same run listed again, as in months that overlap
    runs: int = 0
    jobs: int = 0
    never_began: int = 0  # and ended
    running: int = 0  # when the trace was written
    waiting: int = 0
    requeued: int = 0  # jobs with more than one run
    endings: dict[JobEnding, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """What one or several files tell, as `read_trace` makes it."""

    kinds: tuple[TraceKind, ...]  # of each file
    jobs: tuple[TracedJob, ...]  # by submit time; of one second as they came
    counts: Counts
    remarks: tuple[str, ...]  # what was assumed, and what is missing: a line each, for people
    unreadable: tuple[Unreadable, ...]  # the first of them

    @property
    def span(self) -> tuple[float, float] | None:
        """The first submit time and the last moment that is known; None without jobs."""
        if not self.jobs:
            return None
        last = max(max(job.submit, job.begin or 0.0, job.end or 0.0) for job in self.jobs)
        return self.jobs[0].submit, last


class Intake:
    """Takes in what readers find, run by run, over all files of a trace."""

    def __init__(self, *, placed: bool = False) -> None:
        """`placed`: Slurm places jobs on nodes that are to be booted, and a run may end before it has begun."""
        self._placed = placed
        self._jobs: dict[str, TracedJob | list[TracedJob]] = {}
        self._path = Path()
        self._records = self._bad = 0  # of this file
        self._unit = "line"
        self._total = Counter[str]()
        self._unreadable: list[Unreadable] = []
        self._remarks: Counter[str] = Counter()  # with {} for how often

    @property
    def path(self) -> Path:
        """The file that is being read."""
        return self._path

    def begin(self, path: Path, unit: str = "line") -> None:
        """Another file; `unit`: what places in it are counted in."""
        self._path, self._unit = path, unit
        self._records = self._bad = 0

    def add(self, job: TracedJob, cluster: str = "", number: str = "") -> None:
        """One run of a job. `number`: by which it is known again, where its id is not always the same. Raises NoTrace
        where there are too many."""
        key = f"{cluster}\0{number or job.id}" if cluster else number or job.id
        known = self._jobs.setdefault(key, job)
        if known is job:
            if len(self._jobs) > MOST_JOBS:
                raise NoTrace(f"{self._path}: {NO_MORE_JOBS}")
            return
        runs = [known] if isinstance(known, TracedJob) else known
        for place, run in enumerate(runs):
            if is_same_run(run, job):
                self._total["twice"] += 1
                if run.ending.is_open and (not job.ending.is_open or job.begin is not None):
                    runs[place] = job  # a later export knows more
                break
        else:
            runs.append(job)
        self._jobs[key] = runs

    def read(self) -> None:
        """A record could be read."""
        self._records += 1

    def skip(self, line: int, why: str) -> None:
        """A record that cannot be read begins in this line."""
        self._bad += 1
        if len(self._unreadable) < NAMED:
            self._unreadable.append(Unreadable(self._path, line, one_line(why), self._unit))

    def remark(self, words: str, times: int = 1) -> None:
        """Something to be said once: where `words` has `{}`, how often it was said stands there."""
        self._remarks[words] += times

    def end(self) -> None:
        """Of a file. Raises NoTrace where too much of it cannot be read."""
        if not self._records and not self._bad:
            raise NoTrace(f"{self._path}: it holds no jobs")
        if self._bad > MOST_UNREADABLE * (self._records + self._bad):
            every = self._records + self._bad
            first = next((each for each in self._unreadable if each.path == self._path), None)
            told = f"; {first.unit} {first.line}: {first.why}" if first is not None else ""
            share = f"{self._bad:,} of {every:,} records ({self._bad / every:.0%})"
            raise NoTrace(f"{self._path}: {share} cannot be read{told}")
        self._total["records"] += self._records
        self._total["unreadable"] += self._bad

    def trace(self, kinds: Sequence[TraceKind]) -> Trace:
        """All that was taken in. Raises NoTrace where there is no job."""
        jobs: list[TracedJob] = []
        total, endings = self._total, Counter[JobEnding]()
        last = self._last()
        for known in self._jobs.values():
            runs = [known] if isinstance(known, TracedJob) else known
            total["runs"] += len(runs)
            chains = requeues_of(runs)
            total["number again"] += len(chains) - 1
            for chain in chains:
                job = until(joined(chain, placed=self._placed), last)
                endings[job.ending] += 1
                total["requeued"] += job.requeues > 0
                total["never began"] += not job.ran and not job.ending.is_open
                jobs.append(job)
        self._jobs.clear()
        jobs.sort(key=lambda job: job.submit)
        counts = Counts(
            records=total["records"],
            unreadable=total["unreadable"],
            twice=total["twice"],
            runs=total["runs"],
            jobs=len(jobs),
            never_began=total["never began"],
            running=endings[JobEnding.RUNNING],
            waiting=endings[JobEnding.PENDING],
            requeued=total["requeued"],
            endings=dict(sorted(endings.items())),
        )
        return Trace(tuple(kinds), tuple(jobs), counts, tuple(self._words(counts)), tuple(self._unreadable))

    def _last(self) -> float:
        """The last moment that the trace shows: about when it was written."""
        last = 0.0
        for known in self._jobs.values():
            for run in (known,) if isinstance(known, TracedJob) else known:
                last = max(last, run.submit, run.begin or 0.0, run.end or 0.0)
        return last

    def _words(self, counts: Counts) -> list[str]:
        said = [
            (counts.unreadable, "records that cannot be read, and are left out: {}"),
            (counts.twice, "runs that are listed again, and count once: {}"),
            (self._total["number again"], "jobs that have the number of an earlier one: {}"),
            (counts.never_began, "jobs that ended before they began: {}"),
            (counts.running, "jobs that were still running when the trace was written: {}"),
            (counts.waiting, "jobs that were still waiting when the trace was written: {}"),
        ]
        words = [text.replace("{}", f"{number:,}") for number, text in said if number]
        return words + [text.replace("{}", f"{number:,}") for text, number in self._remarks.items()]


def one_line(text: str) -> str:
    """A text from a file, for people: one line, without signs that a terminal would obey, and not long."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in text)
    return plain if len(plain) <= 160 else plain[:159] + "…"
