"""Why, where nodes stand ready before a job wants them."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.values.reasons import Reason


@dataclass(frozen=True, slots=True)
class StaysAsSpare(Reason):
    """It is idle beyond all that jobs have, and is wanted so."""

    spare: str = ""

    def words(self, t: float) -> str:
        """it stays as a spare of day."""
        return f"it stays as a spare of {self.spare}"


@dataclass(frozen=True, slots=True)
class StaysAhead(Reason):
    """It is idle, and a job that cannot start yet is to have it. `until`: when that may start."""

    job: str = ""
    why: str = ""

    def words(self, t: float) -> str:
        """it stays for job 17, which may start in 3 min: it begins at 14:00."""
        return f"it stays for job {self.job}, which may start{self._in(t)}: {self.why}"


@dataclass(frozen=True, slots=True)
class AnotherHolds(Reason):
    """Why nothing is kept for a spare whose hours are open: another one of its size wants as many, or more."""

    spare: str = ""

    def words(self, t: float) -> str:
        """spare day of the same size wants as many or more, and holds."""
        return f"spare {self.spare} of the same size wants as many or more, and holds"


@dataclass(frozen=True, slots=True)
class JobsFirst(Reason):
    """Why there are fewer spares than are wanted: jobs wait for room."""

    def words(self, t: float) -> str:
        """a job waits for room, and goes first."""
        return "a job waits for room, and goes first"
