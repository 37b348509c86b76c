"""What a scheduler can do, beside all others, that places jobs on names whose nodes are off (Policy.places).

Like all of the port it never retries and never sleeps. Each of these may be lost or come twice, and twice is the same
as once. What one name or job is refused costs only that one; that the scheduler does not answer is raised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened, PlacedJob


class PlacingScheduler(Protocol):
    """The contract. Every method may raise SchedulerFailure."""

    def give_back(self, hostnames: Sequence[str], reason: str, *, interactive: bool) -> GivenBack:
        """Jobs placed on these names that have not begun go back to the queue and wait there until they are released;
        those that may not be queued again are let be, for this once, and marked. Then the names are powered down at
        once. Names with a job whose user waits at a terminal are left as they are, unless `interactive`."""

    def open_names(self, hostnames: Sequence[str]) -> NamesOpened:
        """Jobs can be placed on names again that power down, are down, or were closed by us. Which of them are open,
        whoever did that."""

    def close_names(self, hostnames: Sequence[str], reason: str, resume_after: float) -> None:
        """No job is placed any more on those of the names that are off or powering down, by the scheduler's word of
        this moment, and have no job. Opened by itself after so many seconds, where the scheduler can do that."""

    def release_jobs(self, jobs: Sequence[PlacedJob], not_before: float | None = None) -> JobsReleased:
        """Jobs that were given back may be placed at once, or from a moment on (seconds since the epoch), and are as
        their users had them. Those that are gone, or placed already, are released; those that are not back in the queue
        yet are returned."""

    def power_up(self, hostnames: Sequence[str]) -> None:
        """Nodes are to come for these names, though no job is placed there."""
