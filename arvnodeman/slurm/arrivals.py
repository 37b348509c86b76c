"""Have jobs been submitted? The question costs almost nothing, however long the queue is.

`sdiag` shows how many jobs have been submitted since some moment, tasks of arrays included. That is read from counters
of slurmctld's own, whereas to list the waiting jobs, if by their numbers and states alone, it goes through all jobs
(doc/operations.md has figures). Without sdiag, the next job's number is used: it also moves on when a task of an array
starts.
"""

from __future__ import annotations

import logging
import re
from typing import Protocol

from arvnodeman.slurm.errors import ControllerAway, NotInstalled, NotPermitted, Refused, first_line

_COUNTED = re.compile(r"^(?:Data since|Jobs submitted:).*", re.MULTILINE)
_NEXT = re.compile(r"^NEXT_JOB_ID\s*=\s*\d+", re.MULTILINE)
_log = logging.getLogger("arvnodeman.slurm")


class Ask(Protocol):
    """Runs a command. Raises SlurmFailure."""

    def __call__(self, command: str, *arguments: str) -> str:
        """What it wrote."""
        ...


class Arrivals:
    """For one thread."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._counted = True  # by sdiag

    def check(self) -> str:
        """A text that changes when jobs have been submitted. Raises SlurmFailure."""
        if self._counted:
            try:
                return _read("sdiag", _COUNTED, self._ask("sdiag"))
            except (NotInstalled, NotPermitted, Refused) as failure:
                _log.info("sdiag does not work, so new jobs are seen by the next job's number: %s", failure)
                self._counted = False
        return _next_job(self._ask)


def next_job(ask: Ask) -> int:
    """The number that the next job will have. Raises SlurmFailure."""
    return int(_next_job(ask).rpartition("=")[2])


def _next_job(ask: Ask) -> str:
    return _read("scontrol", _NEXT, ask("scontrol", "show", "config"))


def _read(command: str, wanted: re.Pattern[str], text: str) -> str:
    found = wanted.findall(text)
    if not found:
        raise ControllerAway(
            command, f"it does not show how many jobs were submitted; it begins with {first_line(text)!r}"
        )
    return " ".join(" ".join(line.split()) for line in found)
