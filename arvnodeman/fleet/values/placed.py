"""Jobs that the scheduler has placed on names whose nodes are not up, and what comes of giving them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlacedJob:
    """A job that is, or was, placed on a name and has not begun there."""

    id: str  # as the scheduler's commands take it
    batch: bool = True  # False: its user waits at a terminal, and it cannot be queued again
    requeue_off: bool = False  # its user wants it to run once at most: it was let be queued again for this one time


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Result of GiveBack: the jobs of each name that go back to the queue. The other names are left as they are."""

    jobs: Mapping[str, tuple[PlacedJob, ...]] = field(default_factory=dict)
    kept: tuple[str, ...] = ()  # a job there would be lost, such as that of somebody who waits at a terminal
    settled: tuple[str, ...] = ()  # up or off by now: what is placed there next has nothing to do with this

    @property
    def left(self) -> frozenset[str]:
        """Names that have not been powered down."""
        return frozenset((*self.kept, *self.settled))


@dataclass(frozen=True, slots=True)
class NamesOpened:
    """Result of OpenNames: those on which jobs can be placed now, or are; the others are to be opened again."""

    opened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobsReleased:
    """Result of ReleaseJobs: those that are not in the queue yet, and are to be released again."""

    waiting: tuple[PlacedJob, ...] = ()
