"""A sweep for people and for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from arvnodeman.fleet.values.reasons import span
from arvnodeman.history.columns import columns
from arvnodeman.traces.trace import one_line
from arvnodeman.whatif.intervals import Interval
from arvnodeman.whatif.sweep import Sweep, SweepFigures, SweepPoint

CURRENT, FRONT = "<- current", "*"
AS_IT_IS = "(as it is)"
_FIGURES = ("jobs done", "$", "mean wait", "90 % wait", "longest", "boots", "most at once", "idle h")


def as_text(sweep: Sweep) -> str:
    """A table for people."""
    return "\n".join(_lines(sweep)) + "\n"


def _lines(sweep: Sweep) -> Iterator[str]:
    if sweep.partial:
        yield "PARTIAL: stopped before all were played."
    good = [each for each in sweep.points if each.figures is not None]
    if good:
        rows = [(*sweep.options, *_FIGURES, "")]
        for each in good:
            assert each.figures is not None
            rows.append((*_values(sweep, each), *_cells(each.figures), _mark(each)))
        yield from columns(rows)
        yield ""
        yield f"{FRONT} Pareto front: none that runs as many jobs is as cheap and as quick, and better in one of these"
        if len(sweep.seeds) > 1:
            yield f"± holds 95 of 100 means over as many seeds; here {len(sweep.seeds)}"
    for each in sweep.points:
        if each.problem:
            yield f"{label(each)}: {one_line(each.problem)}"
    if sweep.remarks:
        yield ""
        yield from (f"* {one_line(remark)}" for remark in sweep.remarks)


def label(point: SweepPoint) -> str:
    """max_nodes = 20, min_nodes = 0"""
    names = (f"{option.partition('] ')[2] or option} = {value}" for option, value in point.values.items())
    return ", ".join(names) or AS_IT_IS


def _values(sweep: Sweep, point: SweepPoint) -> tuple[str, ...]:
    if not point.values:
        return (AS_IT_IS, *("" for _ in sweep.options[1:]))
    return tuple(point.values[option] for option in sweep.options)


def _mark(point: SweepPoint) -> str:
    return " ".join(filter(None, (FRONT if point.front else " ", CURRENT if point.current else "")))


def _cells(figures: SweepFigures) -> tuple[str, ...]:
    return (
        f"{figures.jobs_done:,.0f}",
        f"{figures.cost.mean:,.2f}{_half(figures.cost, money=True)}",
        f"{span(figures.mean_wait.mean)}{_half(figures.mean_wait)}",
        span(figures.p90_wait.mean),
        span(figures.longest_wait.mean),
        f"{figures.boots:,.0f}",
        f"{figures.most_nodes:,.0f}",
        f"{figures.idle_hours:,.1f}",
    )


def _half(figure: Interval, *, money: bool = False) -> str:
    if figure.high is None:
        return ""
    half = figure.high - figure.mean
    return f" ± {half:,.2f}" if money else f" ± {span(half)}"


def as_csv(sweep: Sweep) -> str:
    """A line for each configuration."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    figures = SweepFigures.__struct_fields__
    head = [part for name in figures for part in _columns_of(name)]
    writer.writerow((*sweep.options, "current", "front", *head, "problem"))
    for each in sweep.points:
        cells = [""] * len(head) if each.figures is None else _csv_cells(each.figures)
        values = (each.values.get(option, "") for option in sweep.options)
        writer.writerow((*values, int(each.current), int(each.front), *cells, each.problem))
    return out.getvalue()


_WITH_BOUNDS = ("cost", "mean_wait", "p90_wait", "longest_wait")


def _columns_of(name: str) -> tuple[str, ...]:
    return (name, f"{name}_low", f"{name}_high") if name in _WITH_BOUNDS else (name,)


def _csv_cells(figures: SweepFigures) -> list[str]:
    cells: list[str] = []
    for name in SweepFigures.__struct_fields__:
        value: Interval | float = getattr(figures, name)
        if isinstance(value, Interval):
            cells += ["" if each is None else f"{each:.4f}" for each in (value.mean, value.low, value.high)]
        else:
            cells.append(f"{value:.4f}")
    return cells
