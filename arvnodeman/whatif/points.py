"""One of several things that are played of the same trace: a configuration, what is assumed, and a seed."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Protocol

import msgspec

from arvnodeman.config import Settings
from arvnodeman.fleet.values.model import ProviderSize, Secret
from arvnodeman.traces.job import TracedJob
from arvnodeman.whatif.as_shared import SharedJobs, as_shared
from arvnodeman.whatif.forecast import CurvePoint, Forecast, Played
from arvnodeman.whatif.scenario import Assumed, Scenario
from arvnodeman.whatif.used_memory import as_used


class Play(Protocol):
    """How a scenario is played: `arvnodeman.whatif.play.play`, or what a test has in its place."""

    def __call__(
        self,
        scenario: Scenario,
        *,
        progress: Callable[[float], object] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Played:
        """What comes of it. `progress` is told the share that is done; once `stop` says so, it is what came so far."""


@dataclass(frozen=True, slots=True)
class Point:
    """What is played. It holds no secret, and may be handed to other processes."""

    settings: Settings
    sizes: tuple[ProviderSize, ...]
    assumed: Assumed
    seed: int = 0
    memory: float | None = None  # jobs ask for so many times what they used, where that is known and less; None: as is


@dataclass(frozen=True, slots=True)
class PlayedPoint:
    """What came of a point. `waits`: seconds, by job; not a number where it never began."""

    forecast: Forecast
    waits: array[float]
    curve: tuple[CurvePoint, ...] = ()


def without_secrets(settings: Settings) -> Settings:
    """The same as far as decisions go: without tokens, and without all that only the cloud's driver is told."""
    return replace(
        settings,
        manage=replace(settings.manage, management_token=Secret("")),
        arvados=replace(settings.arvados, token=Secret("")),
        cloud=replace(settings.cloud, credentials={}, listing={}, create={}),
    )


class Trials:
    """Plays points of one trace, one after the other, in this process."""

    def __init__(self, jobs: Sequence[TracedJob], play: Play, by: str = "") -> None:
        """`by`: account, user or partition: it is asked who pays, too."""
        self._jobs, self._play, self._by = tuple(jobs), play, by
        self._last: tuple[object, SharedJobs] | None = None

    def run(
        self, point: Point, progress: Callable[[float], object] | None = None, stop: Callable[[], bool] | None = None
    ) -> PlayedPoint:
        """What comes of it."""
        shared = self._shared(point)
        scenario = Scenario(
            settings=point.settings,
            sizes=point.sizes,
            jobs=shared.jobs,
            assumed=point.assumed,
            seed=point.seed,
            by=self._by,
        )
        played = self._play(scenario, progress=progress, stop=stop)
        forecast = msgspec.structs.replace(played.forecast, remarks=[*shared.remarks, *played.forecast.remarks])
        waits = array("d", (nan if wait is None else wait for wait in played.waits))
        return PlayedPoint(forecast, waits, tuple(played.curve))

    def _shared(self, point: Point) -> SharedJobs:
        """The jobs as they are at this point's site. What they are depends on little of it."""
        settings = point.settings
        largest = max((size.cores for size in settings.sizes), default=0)
        kind = (settings.shares or settings.places, largest, point.memory)
        if self._last is None or self._last[0] != kind:
            jobs = self._jobs if point.memory is None else as_used(self._jobs, point.memory)
            self._last = kind, as_shared(settings, jobs)
        return self._last[1]
