"""Forecasts, comparisons and sweeps as pictures. matplotlib is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from arvnodeman.history.dates import shown
from arvnodeman.history.plot import COLOURS, best_unit, missing
from arvnodeman.traces.job import TracedJob
from arvnodeman.whatif.comparison import Comparison
from arvnodeman.whatif.forecast import CurvePoint
from arvnodeman.whatif.points import PlayedPoint
from arvnodeman.whatif.sweep import Sweep, SweepFigures
from arvnodeman.whatif.sweep_words import AS_IT_IS

OURS, TRACES, FRONT, CURRENT = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito
LABELLED = 40  # points of a sweep; of more only those of the front and the current one have their values beside them


class CannotDraw(Exception):
    """The text is one line for people."""


def draw_forecast(found: PlayedPoint, jobs: Sequence[TracedJob], path: Path) -> None:
    """Nodes and waiting jobs over time, and how long jobs waited. Raises CannotDraw."""
    forecast = found.forecast
    with _drawn(path, 3, (11, 10)) as (figure, panels):
        title = f"{shown(forecast.began)} to {shown(forecast.ended)}, ${forecast.cost:,.2f}"
        figure.suptitle(f"What if: {title}{', PARTIAL' if forecast.partial else ''}")
        if found.curve:
            _draw_nodes(panels[0], found.curve)
            _draw_queue(panels[1], found.curve)
        _draw_waits(panels[2], jobs, found.waits)


def _draw_nodes(panel: Any, curve: Sequence[CurvePoint]) -> None:
    times = [datetime.fromtimestamp(each.at) for each in curve]
    states = {name: [getattr(each, name) for each in curve] for name in ("busy", "idle", "booting")}
    colours = [COLOURS[name] for name in states]
    panel.stackplot(times, list(states.values()), labels=list(states), colors=colours, step="post")
    panel.set_ylabel("nodes")
    _with_dates(panel)
    panel.legend(loc="upper left", ncols=3, fontsize="small", framealpha=0.8)


def _draw_queue(panel: Any, curve: Sequence[CurvePoint]) -> None:
    times = [datetime.fromtimestamp(each.at) for each in curve]
    panel.step(times, [each.waiting for each in curve], where="post", color=TRACES, label="waiting jobs")
    panel.set_ylabel("jobs")
    price = panel.twinx()
    price.step(times, [each.price for each in curve], where="post", color=OURS, label="$/hour (right)")
    price.set_ylabel("$/hour")
    _with_dates(panel)
    lines = [*panel.get_lines(), *price.get_lines()]
    panel.legend(lines, [line.get_label() for line in lines], loc="upper left", fontsize="small", framealpha=0.8)


def _with_dates(panel: Any) -> None:
    from matplotlib import dates

    formatter: Any = dates.ConciseDateFormatter  # has no types
    panel.xaxis.set_major_formatter(formatter(panel.xaxis.get_major_locator(), show_offset=False))


def _draw_waits(panel: Any, jobs: Sequence[TracedJob], waits: Sequence[float]) -> None:
    ours = sorted(wait for wait in waits if wait == wait)
    theirs = sorted(
        max(0.0, job.begin - (job.submit if job.eligible is None else job.eligible))
        for job in jobs
        if job.begin is not None
    )
    unit, seconds = best_unit([*ours[-1:], *theirs[-1:]])
    for values, colour, words in ((ours, OURS, "this forecast"), (theirs, TRACES, "as the trace tells")):
        if values:
            shares = [(place + 1) / len(values) for place in range(len(values))]
            panel.step([value / seconds for value in values], shares, where="post", color=colour, label=words)
    panel.set_xlabel(f"waited at most, {unit}")
    panel.set_ylabel("share of jobs")
    panel.set_ylim(0, 1.02)
    if ours or theirs:
        panel.legend(loc="lower right", fontsize="small", framealpha=0.8)


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """What changed, in percent, with its interval. Raises CannotDraw."""
    with _drawn(path, 1, (9, 5)) as (figure, panels):
        figure.suptitle(f"{comparison.before} → {comparison.after}")
        rows = [(name, each) for name, each in comparison.figures.items() if each.before.mean][::-1]
        for place, (_, each) in enumerate(rows):
            base = each.before.mean / 100
            panels[0].plot([each.change.mean / base], [place], "o", color=OURS)
            if each.change.low is not None and each.change.high is not None:
                panels[0].plot([each.change.low / base, each.change.high / base], [place, place], color=OURS)
        panels[0].set_yticks(range(len(rows)), [name.replace("_", " ") for name, _ in rows])
        panels[0].axvline(0.0, color="#333333", linewidth=0.8)
        panels[0].set_xlabel("change, %")


def draw_sweep(sweep: Sweep, path: Path) -> None:
    """Cost against mean wait. Raises CannotDraw."""
    good = [(each, each.figures) for each in sweep.points if each.figures is not None]
    with _drawn(path, 1, (10, 7)) as (figure, panels):
        panel = panels[0]
        unit, seconds = best_unit([figures.mean_wait.mean for _, figures in good])
        figure.suptitle(f"{'; '.join(sweep.options)}{', PARTIAL' if sweep.partial else ''}")
        for _, figures in good:
            _draw_point(panel, figures, seconds)
        front = sorted((figures.cost.mean, figures.mean_wait.mean / seconds) for each, figures in good if each.front)
        if front:
            costs, waits = zip(*front, strict=True)
            panel.plot(costs, waits, "-o", color=FRONT, label="Pareto front", zorder=3)
        for each, figures in good:
            at = (figures.cost.mean, figures.mean_wait.mean / seconds)
            if each.current:
                panel.plot(*at, "D", fillstyle="none", color=CURRENT, markersize=13, label="current", zorder=4)
            if len(good) <= LABELLED or each.front or each.current:
                panel.annotate(
                    "; ".join(each.values.values()) or AS_IT_IS,
                    at,
                    xytext=(6, 5),
                    textcoords="offset points",
                    fontsize="x-small",
                )
        panel.margins(x=0.1)  # room for the values at the right
        panel.set_xlabel("cost, $")
        panel.set_ylabel(f"mean wait, {unit}")
        if good:
            panel.legend(loc="upper right", fontsize="small", framealpha=0.8)


def _draw_point(panel: Any, figures: SweepFigures, seconds: float) -> None:
    cost, wait = figures.cost, figures.mean_wait
    panel.plot([cost.mean], [wait.mean / seconds], "o", color=OURS, zorder=2)
    if cost.low is not None and cost.high is not None and wait.low is not None and wait.high is not None:
        line = {"color": OURS, "linewidth": 0.8, "alpha": 0.6}
        panel.plot([cost.low, cost.high], [wait.mean / seconds] * 2, **line)
        panel.plot([cost.mean] * 2, [wait.low / seconds, wait.high / seconds], **line)


@contextmanager
def _drawn(path: Path, panels: int, size: tuple[float, float]) -> Iterator[tuple[Any, list[Any]]]:
    """A figure and its panels, written into the file afterwards. Raises CannotDraw."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(panels, 1, figsize=size, layout="constrained", squeeze=False)
    try:
        flat = [axis for row in axes for axis in row]
        yield figure, flat
        for panel in flat:
            panel.grid(alpha=0.3)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise CannotDraw(f"{path} cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def _pyplot() -> Any:
    """Raises CannotDraw."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise CannotDraw(missing()) from None
    return pyplot
