"""Many configurations with the same jobs: the curve of cost against waiting, and which of them nothing beats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import Struct
from msgspec.structs import replace as changed

from arvnodeman.config import Settings
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.intervals import Interval, interval
from arvnodeman.whatif.points import PlayedPoint, Point
from arvnodeman.whatif.workers import Failure


class SweepFigures(Struct, frozen=True, kw_only=True):
    """What came of one configuration, on average over seeds. $, seconds, hours of nodes."""

    cost: Interval
    mean_wait: Interval
    p90_wait: Interval
    longest_wait: Interval
    jobs_done: float
    boots: float
    most_nodes: float
    busy_hours: float
    idle_hours: float


class SweepPoint(Struct, frozen=True, kw_only=True):
    """One configuration."""

    values: dict[str, str]  # by [Section] option; empty: the configuration as it is, where no combination is that
    current: bool  # it is the configuration as it is
    front: bool = False  # none that runs as many jobs is both as cheap and as quick, and better in one of these
    problem: str = ""  # why nothing came of it, in one line
    figures: SweepFigures | None = None


class Sweep(Struct, frozen=True, kw_only=True):
    """All of them, in the order of the combinations."""

    options: list[str]
    seeds: list[int]
    partial: bool  # stopped before all were played
    points: list[SweepPoint]
    remarks: list[str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration of a sweep before it is played. `points`: with each seed; empty where it cannot be played."""

    values: dict[str, str]
    current: bool
    points: tuple[Point, ...] = ()
    problem: str = ""


def same(one: Settings, other: Settings) -> bool:
    """Are two configurations alike, whatever they are called?"""
    return replace(one, path="", warnings=()) == replace(other, path="", warnings=())


def sweep_of(
    candidates: Sequence[Candidate],
    outcomes: Mapping[tuple[int, int], PlayedPoint | Failure],
    seeds: Sequence[int],
    *,
    remarks: Sequence[str] = (),
) -> Sweep:
    """Of what came of each candidate and seed, by place; what is missing was not played."""
    forecasts = {key: each.forecast if isinstance(each, PlayedPoint) else each.text for key, each in outcomes.items()}
    return sweep_of_forecasts(candidates, forecasts, seeds, remarks=remarks)


def sweep_of_forecasts(
    candidates: Sequence[Candidate],
    forecasts: Mapping[tuple[int, int], Forecast | str],
    seeds: Sequence[int],
    *,
    remarks: Sequence[str] = (),
) -> Sweep:
    """Likewise, of forecasts alone; a text is why there is none."""
    points, partial, said = [], False, dict.fromkeys(remarks)
    for place, candidate in enumerate(candidates):
        found = [forecasts.get((place, number)) for number in range(len(candidate.points))]
        good = [each for each in found if isinstance(each, Forecast)]
        failed = next((each for each in found if isinstance(each, str)), "")
        missing = not failed and any(each is None for each in found)
        partial = partial or missing
        problem = candidate.problem or failed or ("not played" if missing or not good else "")
        figures = None if problem else _figures(good)
        points.append(SweepPoint(values=candidate.values, current=candidate.current, problem=problem, figures=figures))
        said |= dict.fromkeys(remark for each in good for remark in each.remarks)
    options = list(dict.fromkeys(option for candidate in candidates for option in candidate.values))
    return Sweep(options=options, seeds=list(seeds), partial=partial, points=_with_front(points), remarks=list(said))


def _figures(forecasts: Sequence[Forecast]) -> SweepFigures:
    def over_seeds(value: Callable[[Forecast], float]) -> Interval:
        return interval([value(each) for each in forecasts])

    return SweepFigures(
        cost=over_seeds(lambda each: each.cost),
        mean_wait=over_seeds(lambda each: each.waits.mean),
        p90_wait=over_seeds(lambda each: each.waits.p90),
        longest_wait=over_seeds(lambda each: each.waits.longest),
        jobs_done=over_seeds(lambda each: each.jobs.done).mean,
        boots=over_seeds(lambda each: each.boots).mean,
        most_nodes=over_seeds(lambda each: each.most_nodes).mean,
        busy_hours=over_seeds(lambda each: each.node_hours.busy).mean,
        idle_hours=over_seeds(lambda each: each.node_hours.idle).mean,
    )


def _with_front(points: Sequence[SweepPoint]) -> list[SweepPoint]:
    """With the Pareto front marked. A configuration that runs fewer jobs is cheaper for that, and is not on it."""
    most = max((each.figures.jobs_done for each in points if each.figures is not None), default=0.0)
    rivals = [each.figures for each in points if each.figures is not None and each.figures.jobs_done >= most]
    return [
        changed(each, front=each.figures in rivals and not any(_beats(rival, each.figures) for rival in rivals))
        if each.figures is not None
        else each
        for each in points
    ]


def _beats(one: SweepFigures, other: SweepFigures) -> bool:
    better = (one.cost.mean, one.mean_wait.mean)
    worse = (other.cost.mean, other.mean_wait.mean)
    return better != worse and all(a <= b for a, b in zip(better, worse, strict=True))
