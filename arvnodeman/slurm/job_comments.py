"""Why jobs wait, in their AdminComments.

One listing of the jobs tells what stands there, whatever wrote it, and only what differs is changed: jobs with one
text by one command. slurmctld takes 0.2 to 0.4 ms for each job of such a list, and 4 to 8 ms for a listing of 2,000
jobs, whether the AdminComment is shown or not (Slurm 22.05 and 24.11). A list tells on stderr of each job that is
refused, and changes the others. `17_[2-10]` with just the tasks that wait is one change, and leaves them together; with
some of them alone it would make a job of each, and `17` alone would change those that run, too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from arvnodeman.fleet.values.job_comments import JobComment, JobsCommented, Line
from arvnodeman.slurm.commands import check_job_number
from arvnodeman.slurm.errors import Refused, failure_of
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.job_marks import commented
from arvnodeman.slurm.many import ManyNodes
from arvnodeman.slurm.nodes import ALL
from arvnodeman.slurm.run import run

MOST = 5000  # jobs that are changed in one round
AT_ONCE = 1000  # of them in one command
LONGEST = 60_000  # characters of one argument: Linux takes 131,071 bytes
SECONDS_EACH = 0.02  # that one of them adds to the time-out
LONGEST_TEXT = 240  # characters of a line
DAY = 86400.0
_FIELDS = ("JobArrayID", "State", "Name", "admin_comment")  # last: anything
FORMAT = ",".join(f"{name}:0{BEHIND if name != _FIELDS[-1] else ''}" for name in _FIELDS)
STATES = "PENDING,CONFIGURING,RUNNING,SUSPENDED"
_WAITS = "PENDING"
_NONE = "(null)"
_LIMIT = re.compile(r"%\d+(?=\]$)")
_GONE = ("invalid job id", "already finished", "already completing", "no longer pending")
_NOTHING_WRONG = "no error"  # of the tasks of an array of which others are refused


class ListedJob(NamedTuple):
    """A job, or the tasks of an array that wait, as squeue lists them."""

    number: str  # `17_[2-10]`
    waits: bool
    name: str
    comment: str

    @property
    def array(self) -> str:
        """`17` of a task that waits, and of several; else the number."""
        return self.number.partition("_")[0] if self.waits else self.number


class CommentedJobs(ManyNodes):
    """Slurm, for the AdminComments of jobs."""

    def comment_jobs(self, comments: Sequence[JobComment], spared: Sequence[str]) -> JobsCommented:
        """Each line on its jobs; ours is taken off all others but the spared, of those whose names are seen."""
        wanted: dict[str, str | None] = dict.fromkeys(spared)
        now = time.time()
        for each in comments:
            wanted |= dict.fromkeys(each.jobs, self._shown_line(each.line, now))
        taken: list[str] = []
        written: dict[str, list[str]] = {}
        for job in self._listed_jobs(f"--states={STATES}"):
            if self.job_name_pattern not in job.name:
                continue
            text = wanted.get(job.array if self.numbered else job.name, "")
            after = job.comment if text is None else commented(job.comment, text)
            if after == job.comment:
                continue
            if after:
                written.setdefault(after, []).append(job.number)
            else:
                taken.append(job.number)
        return self._write({"": taken, **written} if taken else written)

    def note_on_job(self, number: str, comment: str) -> None:
        """Write on one job, unless somebody else has: `scontrol show job` shows it. That the job is gone is success."""
        check_job_number("scontrol", number)
        text = self._shown_line(Line(comment), time.time())
        try:
            listed = list(self._listed_jobs("--states=all", f"--jobs={number}"))
        except Refused as refusal:
            if not says_gone(refusal.said):
                raise
            return
        if any(commented(job.comment, text) != job.comment for job in listed):
            self._change([number], commented("", text))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _shown_line(self, line: Line, now: float) -> str:
        text = self.one_line(line.text)[:LONGEST_TEXT]
        return text if line.until is None else f"{text}; next try {clock_words(line.until, now)}"

    def _listed_jobs(self, *which: str) -> Iterator[ListedJob]:
        """What follows a job and is none is the next line of its AdminComment."""
        text = self._run("squeue", ALL, "--noheader", *which, f"--Format={FORMAT}")
        for line in text.split("\n"):
            fields = line.split(BEHIND, len(_FIELDS) - 1)
            if len(fields) == len(_FIELDS):
                number, state, name, comment = fields
                number, comment = _LIMIT.sub("", number), "" if comment == _NONE else comment
                yield ListedJob(number, state == _WAITS, name, comment)

    def _write(self, changes: Mapping[str, Sequence[str]]) -> JobsCommented:
        changed, left = 0, 0
        for comment, numbers in changes.items():
            some = numbers[: MOST - changed]
            left += len(numbers) - len(some)
            for few in lists_of(some):
                self._change(few, comment)
            changed += len(some)
        return JobsCommented(changed, left)

    def _change(self, numbers: Sequence[str], comment: str) -> None:
        arguments = ["scontrol", "update", f"JobId={','.join(numbers)}", f"AdminComment={comment}"]
        output = run(arguments, timeout=self.timeout + SECONDS_EACH * len(numbers))
        if output.returncode == 0:
            return
        said = [line for line in output.stderr.split("\n") if line.strip() and not says_gone(line)]
        wrong = [line for line in said if _NOTHING_WRONG not in line.lower()]
        if wrong or not output.stderr.strip():
            raise failure_of("scontrol", output.returncode, output.stdout, "\n".join(wrong))


def lists_of(numbers: Iterable[str]) -> Iterator[list[str]]:
    """These jobs in lists that fit in an argument. An array whose tasks do not is changed as a whole."""
    some: list[str] = []
    length = 0
    for number in numbers:
        shown = number if len(number) < LONGEST else number.partition("_")[0]
        if some and (len(some) == AT_ONCE or length + len(shown) >= LONGEST):
            yield some
            some, length = [], 0
        some.append(shown)
        length += len(shown) + 1
    if some:
        yield some


def clock_words(moment: float, now: float) -> str:
    """A time of day, at the end of its minute; with the date, where it is not within a day."""
    moment += 59.0
    form = "%H:%M" if abs(moment - now) < DAY else "%Y-%m-%d %H:%M"
    return time.strftime(form, time.localtime(moment))


def says_gone(said: str) -> bool:
    """Does Slurm say that a job is gone, or past what was to be changed?"""
    lowered = said.lower()
    return any(saying in lowered for saying in _GONE)
