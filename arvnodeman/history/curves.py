"""The history over time, in a few hundred steps, as a plot draws it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from arvnodeman.history.samples import SHOWN

STEPS = 600
SPACING = 60  # seconds between samples, where there are not enough of them to tell
NOTHING = math.nan  # where nothing was recorded: lines have gaps there


@dataclass(frozen=True, slots=True)
class Curves:
    """Values at equal steps; NaN where nothing was recorded."""

    times: Sequence[float]  # the beginning of each step, seconds since the epoch
    step: int  # seconds
    nodes: dict[str, Sequence[float]]  # by state
    queue: Sequence[float]
    capacity: Sequence[float]
    price: Sequence[float]  # $/hour
    spent: Sequence[float]  # $ since the beginning
    mean_wait: Sequence[float]  # seconds, of jobs that left the queue in this step
    longest_wait: Sequence[float]


def make(connection: sqlite3.Connection, since: float, until: float, now: float) -> Curves:
    """Of what lies in that time and in the history. Raises sqlite3.Error."""
    begins, ends, spacing = _recorded(connection, since, until)
    since, until = max(since, begins), min(until, ends + spacing)
    step = spacing * max(1, math.ceil((until - since) / STEPS / spacing))
    first = int(since // step)
    count = max(1, math.ceil(until / step) - first)
    grid = _Grid(step, first, count)
    columns = (*SHOWN, "queue", "capacity", "price")
    averages = ", ".join(f"avg({name})" for name in columns)
    query = f"SELECT {grid.place}, {averages} FROM sample WHERE at >= ? AND at < ? GROUP BY 1"  # noqa: S608
    samples = dict(zip(columns, grid.lines(connection.execute(query, (since, until)), len(columns)), strict=True))
    query = f"""SELECT {grid.place}, sum(total) / sum(jobs), max(longest) FROM wait
        WHERE at >= ? AND at < ? GROUP BY 1"""  # noqa: S608
    means, longests = grid.lines(connection.execute(query, (since, until)), 2)
    times = [float((first + place) * step) for place in range(count)]
    return Curves(
        times=times,
        step=step,
        nodes={name: samples[name] for name in SHOWN},
        queue=samples["queue"],
        capacity=samples["capacity"],
        price=samples["price"],
        spent=_spent(connection, since, until, now, [at + step for at in times]),
        mean_wait=means,
        longest_wait=longests,
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    step: int
    first: int
    count: int

    @property
    def place(self) -> str:
        """Of a row, in SQL."""
        return f"at / {self.step} - {self.first}"

    def lines(self, rows: Iterable[Sequence[Any]], width: int) -> list[list[float]]:
        """Rows of a place and so many values, as lines."""
        lines = [[NOTHING] * self.count for _ in range(width)]
        for place, *values in rows:
            for line, value in zip(lines, values, strict=True):
                if 0 <= place < self.count and value is not None:
                    line[place] = value
        return lines


def _recorded(connection: sqlite3.Connection, since: float, until: float) -> tuple[float, float, int]:
    """The first and the last sample of that time, and the seconds between two of them as a rule."""
    query = "SELECT at FROM sample WHERE at >= ? AND at < ? ORDER BY at"
    moments = [at for (at,) in connection.execute(query, (since, until))]
    if len(moments) < 2:
        return (moments[0], moments[0], SPACING) if moments else (since, until, SPACING)
    spacing = int(median(later - at for at, later in pairwise(moments)))
    return moments[0], moments[-1], max(1, spacing)


def _spent(
    connection: sqlite3.Connection, since: float, until: float, now: float, ends: Sequence[float]
) -> list[float]:
    """$ up to each of these moments, by the lives of nodes, as the report counts them."""
    query = """SELECT began, coalesce(ended, ?), price FROM life
        WHERE began < ? AND (ended IS NULL OR ended > ?)"""
    turns: list[tuple[float, float]] = []  # from when on, so much more in $/hour
    for began, ended, price in connection.execute(query, (now, until, since)):
        turns += [(max(began, since), price), (min(ended, until), -price)]
    turns.sort()
    spent, total, rate, at, place = [], 0.0, 0.0, since, 0
    for end in ends:
        while place < len(turns) and turns[place][0] <= end:
            total += rate * (turns[place][0] - at) / 3600
            at, rate, place = turns[place][0], rate + turns[place][1], place + 1
        total += rate * max(0.0, end - at) / 3600
        at = max(at, end)
        spent.append(total)
    return spent
