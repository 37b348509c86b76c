"""The jobs that wait, as squeue lists them: all of them, or the last list and the few that were submitted since.

slurmctld goes through all jobs for a list, some 3.5 µs each, and takes 1.4 ms for a squeue that asks for one number.
So a long list that is young stands, and the new jobs are asked for one by one, where slurmctld's counters say that
since then no job has begun, ended or been cancelled. What changes in other ways (jobs held, released, requeued,
changed) shows in the next whole list. Whatever is not as expected has all jobs listed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from arvnodeman.slurm.arrivals import Ask, next_job
from arvnodeman.slurm.errors import ControllerAway, NotInstalled, NotPermitted, Refused, SlurmFailure
from arvnodeman.slurm.fields import BEHIND
from arvnodeman.slurm.nodes import ALL

EACH = 400  # jobs in a list cost slurmctld what one does that is asked for alone
MOST = 8  # jobs that are asked for alone, one command each
_LEFT = re.compile(r"^(?:Data since|Jobs (?:started|completed|canceled|failed):).*", re.MULTILINE)
_KINDS = 5  # of these lines
_NUMBER = re.compile(rf"[^{BEHIND}]*{BEHIND}(\d+)(?:[_+][^{BEHIND}]*)?{BEHIND}")


@dataclass(frozen=True, slots=True)
class _Whole:
    """A list of all jobs that wait, and what was so before it was asked for."""

    text: str = ""
    form: tuple[str, ...] = ()
    lines: int = 0
    at: float = 0.0  # monotonic
    left: str = ""  # the counters; '': not known
    next_job: int = 0


class JobsListing:
    """For one thread."""

    def __init__(self, ask: Ask, stands: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`stands`: seconds for which a list may stand; 0: each one is new."""
        self._ask, self._stands, self._monotonic = ask, stands, monotonic
        self._whole = _Whole()
        self._is_counted = True  # by sdiag

    def read(self, *form: str) -> str:
        """The lines of all jobs that wait; `form`: the fields and whether tasks are told apart. Raises SlurmFailure."""
        now, last = self._monotonic(), self._whole
        left, coming = "", 0
        if self._stands and self._is_counted and last.lines >= 2 * EACH:
            left, coming = self._counters()
        if left and left == last.left and form == last.form and now < last.at + self._stands:
            new = self._new_jobs(last, coming)
            if new is not None:
                return last.text + new
        text = self._listed(*form)
        self._whole = _Whole(text, form, text.count("\n"), now, left, coming)
        return text

    def _listed(self, *form: str) -> str:
        return self._ask("squeue", ALL, "--state=PENDING", "--noheader", *form)

    def _counters(self) -> tuple[str, int]:
        """How many jobs have left the queue since when, and the number of the next job; '' where that is not said."""
        try:
            counted = _LEFT.findall(self._ask("sdiag"))
            if len(counted) == _KINDS:
                return "\n".join(counted), next_job(self._ask)
        except (NotInstalled, NotPermitted, Refused):
            self._is_counted = False
        except ControllerAway:
            pass
        return "", 0

    def _new_jobs(self, last: _Whole, coming: int) -> str | None:
        """The lines of those that were submitted since. None: it has to be all jobs."""
        numbers = range(last.next_job, coming)
        if not 0 < len(numbers) <= min(MOST, last.lines // EACH) or _has(last.text, numbers):
            return None
        text = ""
        for number in numbers:
            try:
                found = self._listed(f"--jobs={number}", *last.form)
            except SlurmFailure:
                return None
            if set(_numbers(found)) - {number}:
                return None
            text += found
        return text


def _has(text: str, numbers: range) -> bool:
    """Does this list show one of these jobs, submitted while it was made?"""
    some = "|".join(map(str, numbers))
    return re.search(rf"^[^{BEHIND}\n]*{BEHIND}(?:{some})[_+{BEHIND}]", text, re.MULTILINE) is not None


def _numbers(text: str) -> Iterator[int]:
    """The number of each line's job, without its task; -1 where it cannot be told."""
    for line in text.removesuffix("\n").split("\n") if text else ():
        match = _NUMBER.match(line)
        yield int(match[1]) if match is not None else -1
