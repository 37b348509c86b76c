"""A report as a picture: nodes, queue, waiting and cost over time. matplotlib is imported when one is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from arvnodeman.history.curves import Curves
from arvnodeman.history.dates import shown

KINDS = (".png", ".svg")
_MISSING = (
    f"--plot needs matplotlib, which is not installed: {sys.executable} -m pip install '.[report]', "
    "where the program was installed from"
)
_MISSING_IN_PACKAGE = (
    "--plot needs matplotlib, which this package of the program does not bring: "
    "python3 -m pip install --target FOLDER 'matplotlib>=3.8,<4', and PYTHONPATH=FOLDER for this command"
)
# Colours that people who see few colours can tell apart (Okabe and Ito).
COLOURS = {"busy": "#0072B2", "idle": "#56B4E9", "unpaired": "#F0E442", "booting": "#E69F00", "other": "#999999"}


UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
LEAST = 3.0  # a unit is for waits of so many of it


class CannotPlot(Exception):
    """The text is one line for people."""


def missing() -> str:
    """How to have matplotlib, in one line. A package's Python has no pip: what it has is apt's."""
    return _MISSING if find_spec("pip") else _MISSING_IN_PACKAGE


def save(curves: Curves, path: Path) -> None:
    """Draw it into a file, PNG or SVG by its ending. Raises CannotPlot."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise CannotPlot(missing()) from None
    figure, panels = pyplot.subplots(4, 1, sharex=True, figsize=(11, 10), layout="constrained")
    try:
        _draw(curves, list(panels))
        title = f"{shown(curves.times[0])} to {shown(curves.times[-1] + curves.step)}"
        figure.suptitle(f"Arvados Node Manager, {title}")
        figure.align_ylabels()
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise CannotPlot(f"{path} cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def _draw(curves: Curves, panels: list[Any]) -> None:
    from matplotlib import dates

    times = [datetime.fromtimestamp(at) for at in (*curves.times, curves.times[-1] + curves.step)]
    nodes, queue, waits, cost = panels
    by_state = [_to_the_end(curves.nodes[name]) for name in COLOURS]
    nodes.stackplot(times, by_state, labels=list(COLOURS), colors=COLOURS.values(), step="post")
    nodes.set_ylabel("nodes")
    queue.step(times, _to_the_end(curves.queue), where="post", color="#D55E00", label="waiting jobs")
    may_exist = _to_the_end(curves.capacity)
    queue.step(times, may_exist, where="post", color="#333333", linestyle="--", label="nodes that may exist")
    queue.set_ylabel("jobs, nodes")
    unit, seconds = best_unit(curves.longest_wait)
    longest, mean = ([value / seconds for value in values] for values in (curves.longest_wait, curves.mean_wait))
    size = 6 if len(curves.times) < 150 else 3  # points
    waits.plot(times[:-1], longest, "o", fillstyle="none", color="#CC79A7", markersize=size + 1, label="longest")
    waits.plot(times[:-1], mean, ".", color="#009E73", markersize=size, label="mean")
    waits.set_ylabel(f"waited, {unit}")
    cost.step(times, _to_the_end(curves.price), where="post", color="#0072B2", label="$/hour")
    cost.set_ylabel("$/hour")
    summed = cost.twinx()
    summed.plot(times[1:], curves.spent, color="#D55E00", label="$ so far (right)")
    summed.set_ylabel("$ so far")
    tops = {
        nodes: [sum(values) for values in zip(*curves.nodes.values(), strict=True)],
        queue: [*curves.queue, *curves.capacity],
        waits: longest,
        cost: curves.price,
        summed: curves.spent,
    }
    for panel, values in tops.items():
        panel.set_ylim(0, 1.25 * max((value for value in values if value == value), default=0.0) or 1)
        panel.set_xlim(times[0], times[-1])
    for panel in (nodes, queue):
        panel.yaxis.get_major_locator().set_params(integer=True)
    formatter: Any = dates.ConciseDateFormatter  # has no types
    cost.xaxis.set_major_formatter(formatter(cost.xaxis.get_major_locator(), show_offset=False))
    for panel in panels:
        panel.grid(alpha=0.3)
    for panel in (nodes, queue, waits):
        panel.legend(loc="upper left", ncols=5, fontsize="small", framealpha=0.8)
    lines = [*cost.get_lines(), *summed.get_lines()]
    cost.legend(
        lines, [line.get_label() for line in lines], loc="upper left", ncols=2, fontsize="small", framealpha=0.8
    )


def _to_the_end(values: Sequence[float]) -> list[float]:
    """With the last one again: a step is as long as the others, also the last."""
    return [*values, values[-1]]


def best_unit(waits: Sequence[float]) -> tuple[str, float]:
    """In which unit these waits are best read, and its seconds."""
    longest = max((value for value in waits if value == value), default=0.0)
    return next((unit for unit in UNITS if longest >= LEAST * unit[1]), UNITS[-1])
