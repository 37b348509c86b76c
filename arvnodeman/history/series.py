"""Samples as lines that a page can draw: equal steps, a few hundred points, gaps where nothing was recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from arvnodeman.history.samples import SHOWN, Sample

MOST_POINTS = 360
Line = list[float | None]  # a figure for each point; None: nothing was recorded


@dataclass(frozen=True, slots=True)
class Series:
    """Lines over the same points. Moments are seconds since the epoch."""

    step: float  # seconds from one point to the next
    since: float
    until: float
    times: list[float]  # where each point begins
    nodes: dict[str, Line]  # by state, as samples have them
    queue: Line
    capacity: Line
    cost_per_hour: Line


def series(samples: Iterable[Sample], until: float, hours: float, step: float) -> Series:
    """The last `hours` before `until` (seconds since the epoch), made of samples that were taken every `step` seconds.

    Where there are more samples than points, a point is the mean of its samples. None: nothing was recorded."""
    width = step * max(1, math.ceil(hours * 3600 / step / MOST_POINTS))
    last = until // width
    first = last - math.ceil(hours * 3600 / width) + 1
    points: list[list[Sample]] = [[] for _ in range(int(last - first) + 1)]
    for one in samples:
        place = int(one.at // width - first)
        if 0 <= place < len(points):
            points[place].append(one)
    return Series(
        step=width,
        since=first * width,
        until=until,
        times=[(first + place) * width for place in range(len(points))],
        nodes={name: _line(points, name) for name in SHOWN},
        queue=_line(points, "queue"),
        capacity=_line(points, "capacity"),
        cost_per_hour=_line(points, "price"),
    )


def _line(points: Sequence[Sequence[Sample]], name: str) -> Line:
    return [_mean([value for one in point if (value := getattr(one, name)) is not None]) for point in points]


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
