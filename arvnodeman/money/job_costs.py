"""What each job has cost so far, and which have ended and are to be told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from arvnodeman.money.division import Charge
from arvnodeman.money.runs import JobCost, JobRun

KEPT = 86_400.0  # seconds after a job's last charge


@dataclass(slots=True)
class _Sum:
    dollars: float = 0.0
    hours: float = 0.0
    last: float = 0.0


class JobCosts:
    """For one thread. Moments are seconds since the epoch."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sum] = {}
        self._ending: dict[str, tuple[str, float]] = {}  # job -> its number, and when it ended

    def add(self, charges: Iterable[Charge]) -> None:
        """What was booked."""
        for charge in charges:
            if charge.stake.job:
                found = self._sums.setdefault(charge.stake.job, _Sum())
                found.dollars += charge.dollars
                found.hours += charge.hours
                found.last = max(found.last, charge.until)

    def ends(self, run: JobRun) -> None:
        """A job has left its nodes. One on which somebody else has written something is left alone."""
        if run.ended is not None and run.number and not run.noted:
            self._ending[run.job] = run.number, run.ended

    def told(self, until: float) -> list[JobCost]:
        """The jobs that have ended, each once all that it cost by then is booked; that is so up to `until`."""
        due = [job for job, (_, ended) in self._ending.items() if ended <= until]
        found = []
        for job in due:
            number, _ = self._ending.pop(job)
            cost = self._sums.get(job, _Sum())
            found.append(JobCost(number, cost.dollars, cost.hours))
        return found

    def forget(self, now: float) -> None:
        """Those that nothing is booked for any more."""
        for job in [job for job, found in self._sums.items() if found.last < now - KEPT]:
            del self._sums[job]
