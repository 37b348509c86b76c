"""A report as a picture: nodes, queue, waiting and cost over time. matplotlib is imported when one is asked for."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from arvnodeman.history.curves import Curves
from arvnodeman.history.dates import shown

KINDS = (".png", ".svg")
MISSING = "--plot needs matplotlib, which is not installed: pip install 'arvados-node-manager[report]'"
# Colours that people who see few colours can tell apart (Okabe and Ito).
COLOURS = {"busy": "#0072B2", "idle": "#56B4E9", "unpaired": "#F0E442", "booting": "#E69F00", "other": "#999999"}


class CannotPlot(Exception):
    """The text is one line for people."""


def save(curves: Curves, path: Path) -> None:
    """Draw it into a file, PNG or SVG by its ending. Raises CannotPlot."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise CannotPlot(MISSING) from None
    figure, panels = pyplot.subplots(4, 1, sharex=True, figsize=(11, 10), layout="constrained")
    try:
        _draw(curves, list(panels))
        title = f"{shown(curves.times[0])} to {shown(curves.times[-1] + curves.step)}"
        figure.suptitle(f"Arvados Node Manager, {title}")
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise CannotPlot(f"{path} cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def _draw(curves: Curves, panels: list[Any]) -> None:
    times = [datetime.fromtimestamp(at) for at in curves.times]
    nodes, queue, waits, cost = panels
    nodes.stackplot(
        times, [curves.nodes[name] for name in COLOURS], labels=list(COLOURS), colors=COLOURS.values(), step="post"
    )
    nodes.set_ylabel("nodes")
    queue.step(times, curves.queue, where="post", color="#D55E00", label="waiting jobs")
    queue.step(times, curves.capacity, where="post", color="#333333", linestyle="--", label="nodes that may exist")
    queue.set_ylabel("jobs")
    waits.plot(times, _minutes(curves.longest_wait), ".", color="#CC79A7", markersize=3, label="longest")
    waits.plot(times, _minutes(curves.mean_wait), ".", color="#009E73", markersize=3, label="mean")
    waits.set_ylabel("waited, minutes")
    cost.step(times, curves.price, where="post", color="#0072B2", label="$/hour")
    cost.set_ylabel("$/hour")
    summed = cost.twinx()
    summed.plot(times, curves.spent, color="#D55E00", label="$ so far")
    summed.set_ylabel("$ so far")
    tops = {
        nodes: [sum(values) for values in zip(*curves.nodes.values(), strict=True)],
        queue: [*curves.queue, *curves.capacity],
        waits: _minutes(curves.longest_wait),
        cost: curves.price,
        summed: curves.spent,
    }
    for panel, values in tops.items():
        panel.set_ylim(0, 1.25 * max((value for value in values if value == value), default=0.0) or 1)
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.margins(x=0)
    for panel in (nodes, queue, waits):
        panel.legend(loc="upper left", ncols=5, fontsize="small", framealpha=0.8)
    lines = [*cost.get_lines(), *summed.get_lines()]
    cost.legend(lines, [line.get_label() for line in lines], loc="upper left", fontsize="small", framealpha=0.8)


def _minutes(seconds: Any) -> list[float]:
    return [value / 60 for value in seconds]
