"""What is done with names in Slurm that no node has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from arvnodeman.fleet.messages import Lane, Step
from arvnodeman.fleet.values.placed import PlacedJob


@dataclass(frozen=True, slots=True)
class OfferFeatures(Step):
    """Slurm dispatcher: give these names, which nobody has, all these features and no others, so that Slurm takes jobs
    that ask for a size while no node is up. Result: None."""

    hostnames: tuple[str, ...]
    features: frozenset[str]


@dataclass(frozen=True, slots=True)
class GiveBack(Step):
    """Where the scheduler places jobs: those on these names that have not begun go back to the queue, where they wait
    until they are released; then the names are powered down, whatever they are at, with this reason. A name with a job
    whose user waits at a terminal is left as it is, unless `interactive`. Result: GivenBack."""

    hostnames: tuple[str, ...]
    reason: str
    interactive: bool = False
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class OpenNames(Step):
    """Where the scheduler places jobs: they can be placed on these names again, whether they are powering down, down,
    or closed by us. One that is refused holds up none of the others. Result: NamesOpened."""

    hostnames: tuple[str, ...]
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class CloseNames(Step):
    """Where the scheduler places jobs: none is placed on those of these names any more that are powered off or powering
    down now, and have no job; the others are left as they are. The reason is kept. Where the scheduler can, it opens
    them by itself after so many seconds. Result: None."""

    hostnames: tuple[str, ...]
    reason: str
    resume_after: float
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class ReleaseJobs(Step):
    """Where the scheduler places jobs: those that were given back may be placed at once, or from a moment on (seconds
    since the epoch), and run once at most where their users want that. Those that are gone are released. Result:
    JobsReleased."""

    jobs: tuple[PlacedJob, ...]
    not_before: float | None = None
    lane: ClassVar[Lane] = Lane.DESTROY


@dataclass(frozen=True, slots=True)
class PowerUp(Step):
    """Where the scheduler places jobs: nodes are to come for these names, though no job is placed there. Result:
    None."""

    hostnames: tuple[str, ...]
