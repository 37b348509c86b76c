"""Jobs that cannot start yet, and of which it is known when they may."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.values.model import JobShape


@dataclass(frozen=True, slots=True)
class LaterJob:
    """One such job. Times are seconds since the epoch."""

    id: str
    shape: JobShape
    at: float  # when it may start, as far as is known
    late: float = 0.0  # seconds that it may start later than that, on the average
    why: str = ""  # until then: for people
    frees: tuple[str, ...] = ()  # names of nodes that are free when it may start: those of the job that it waits for
