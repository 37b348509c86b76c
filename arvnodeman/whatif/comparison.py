"""Two configurations with the same jobs: what would have changed, and whom it would have hurt."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from statistics import fmean

from msgspec import Struct

from arvnodeman.traces.job import TracedJob
from arvnodeman.traces.trace import one_line
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.intervals import Interval, interval, paired
from arvnodeman.whatif.points import PlayedPoint

HURT = 10  # jobs that are told


class FigureChange(Struct, frozen=True, kw_only=True):
    """One figure before and after, over seeds. `change` is of pairs with one seed: chance is the same for both."""

    before: Interval
    after: Interval
    change: Interval


class HurtJob(Struct, frozen=True, kw_only=True):
    """A job that would have waited longer. Seconds, on average over seeds; None: it would not have begun."""

    id: str
    partition: str
    user: str
    before: float | None
    after: float | None


class Comparison(Struct, frozen=True, kw_only=True):
    """What would have changed. Money is in $, times are seconds, hours are of nodes."""

    before: str  # the two configurations
    after: str
    partial: bool  # it was stopped, or a run failed: fewer seeds than were asked for
    seeds: list[int]
    figures: dict[str, FigureChange]
    hurt: list[HurtJob]  # the ten that it would have hurt most, the worst first
    hurt_jobs: int  # all that would have waited more than a minute longer
    helped_jobs: int  # that would have waited more than a minute less
    remarks: list[str]


FIGURES: dict[str, Callable[[Forecast], float]] = {
    "cost": lambda each: each.cost,
    "mean_wait": lambda each: each.waits.mean,
    "median_wait": lambda each: each.waits.median,
    "p90_wait": lambda each: each.waits.p90,
    "p99_wait": lambda each: each.waits.p99,
    "longest_wait": lambda each: each.waits.longest,
    "boots": lambda each: each.boots,
    "most_nodes": lambda each: each.most_nodes,
    "busy_hours": lambda each: each.node_hours.busy,
    "idle_hours": lambda each: each.node_hours.idle,
    "jobs_done": lambda each: each.jobs.done,
}
MATTERS = 60.0  # seconds by which a wait must differ for a job to count as hurt or helped


def compare(
    names: tuple[str, str],
    jobs: Sequence[TracedJob],
    pairs: Sequence[tuple[PlayedPoint, PlayedPoint]],
    *,
    partial: bool,
    remarks: Sequence[str] = (),
) -> Comparison:
    """Of outcomes with the same seed, before and after; at least one pair."""
    figures = {}
    for name, value in FIGURES.items():
        before = [value(old.forecast) for old, _ in pairs]
        after = [value(new.forecast) for _, new in pairs]
        figures[name] = FigureChange(before=interval(before), after=interval(after), change=paired(before, after))
    differences = _differences(pairs)
    told = dict.fromkeys((*remarks, *(remark for pair in pairs for each in pair for remark in each.forecast.remarks)))
    return Comparison(
        before=names[0],
        after=names[1],
        partial=partial,
        seeds=[old.forecast.seed for old, _ in pairs],
        figures=figures,
        hurt=[_hurt(jobs[place], place, pairs) for place in _worst(differences)],
        hurt_jobs=sum(each > MATTERS for each in differences),
        helped_jobs=sum(each < -MATTERS for each in differences),
        remarks=list(told),
    )


def _differences(pairs: Sequence[tuple[PlayedPoint, PlayedPoint]]) -> array[float]:
    """How much longer each job would have waited, on average; infinity where it would not have begun any more, not a
    number where it never begins."""
    summed = array("d", bytes(8 * len(pairs[0][0].waits)))
    for old, new in pairs:
        for place, (before, after) in enumerate(zip(old.waits, new.waits, strict=True)):
            if after != after:
                summed[place] += math.nan if before != before else math.inf
            else:
                summed[place] += -math.inf if before != before else after - before
    return array("d", (each / len(pairs) for each in summed))


def _worst(differences: Sequence[float]) -> list[int]:
    """Places of those that are hurt most, the worst first."""
    hurt = (place for place, difference in enumerate(differences) if difference > 0)
    return sorted(hurt, key=lambda place: (-differences[place], place))[:HURT]


def _hurt(job: TracedJob, place: int, pairs: Sequence[tuple[PlayedPoint, PlayedPoint]]) -> HurtJob:
    return HurtJob(
        id=one_line(job.id),
        partition=one_line(job.partition),
        user=one_line(job.shape.owner.user),
        before=_mean([old.waits[place] for old, _ in pairs]),
        after=_mean([new.waits[place] for _, new in pairs]),
    )


def _mean(waits: Sequence[float]) -> float | None:
    return None if any(wait != wait for wait in waits) else fmean(waits)
