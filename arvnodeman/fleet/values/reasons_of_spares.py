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
class JobsFirst(Reason):
    """Why there are fewer spares than are wanted: jobs wait for room."""

    def words(self, t: float) -> str:
        """a job waits for room, and goes first."""
        return "a job waits for room, and goes first"
