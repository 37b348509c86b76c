"""A comparison for people."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.fleet.values.reasons import span
from arvnodeman.history.columns import columns
from arvnodeman.traces.trace import one_line
from arvnodeman.whatif.comparison import MATTERS, Comparison, FigureChange
from arvnodeman.whatif.intervals import Interval

_NAMES = {
    "cost": "cost, $",
    "mean_wait": "mean wait",
    "median_wait": "median wait",
    "p90_wait": "90 % waited at most",
    "p99_wait": "99 % waited at most",
    "longest_wait": "longest wait",
    "boots": "boots",
    "most_nodes": "nodes at once at most",
    "busy_hours": "node hours busy",
    "idle_hours": "node hours idle",
    "jobs_done": "jobs done",
}


def as_text(comparison: Comparison) -> str:
    """For people."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    if comparison.partial:
        yield "PARTIAL: stopped, or failed, before all seeds were played."
    yield f"Before: {comparison.before}"
    yield f"After:  {comparison.after}"
    yield ""
    rows: list[tuple[str, ...]] = [("", "before", "after", "change", "95 % interval")]
    rows += [_row(name, each) for name, each in comparison.figures.items()]
    yield from columns(rows)
    number = len(comparison.seeds)
    yield ""
    yield f"{number} seed{'' if number == 1 else 's'}: {_sure(comparison)}"
    minute = span(MATTERS)
    yield (
        f"{comparison.hurt_jobs:,} jobs would have waited more than {minute} longer, "
        f"{comparison.helped_jobs:,} more than {minute} less"
    )
    if comparison.hurt:
        yield "Hurt most"
        table = [("job", "partition", "user", "waits", "would wait")]
        table += [
            (each.id, each.partition, each.user, _wait(each.before), _wait(each.after)) for each in comparison.hurt
        ]
        yield from (f"  {line}" for line in columns(table))
    if comparison.remarks:
        yield ""
        yield from (f"* {one_line(remark)}" for remark in comparison.remarks)


def _sure(comparison: Comparison) -> str:
    cost = comparison.figures["cost"].change
    if cost.low is None:
        return "with one seed, nothing is known about chance; use --seeds 5"
    if cost.is_below or cost.is_above:
        return f"surely {'cheaper' if cost.is_below else 'dearer'}, as far as chance goes"
    return "the change of cost may be chance"


def _row(name: str, figure: FigureChange) -> tuple[str, ...]:
    change = figure.change
    share = f" ({change.mean / figure.before.mean:+.0%})" if figure.before.mean else ""
    return (
        _NAMES[name],
        _value(name, figure.before.mean),
        _value(name, figure.after.mean),
        f"{signed(name, change.mean)}{share}",
        _bounds(name, change),
    )


def _value(name: str, value: float) -> str:
    if name.endswith("_wait"):
        return span(value)
    return f"{value:,.2f}" if name == "cost" else f"{value:,.1f}"


def signed(name: str, value: float) -> str:
    """With + or -, in the unit of the figure."""
    return f"{'-' if value < 0 else '+'}{_value(name, abs(value))}"


def _bounds(name: str, change: Interval) -> str:
    if change.low is None or change.high is None:
        return ""
    return f"{signed(name, change.low)} to {signed(name, change.high)}"


def _wait(seconds: float | None) -> str:
    return "never begins" if seconds is None else span(seconds)
