"""Scores of predictions for people and for programs: a table, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from arvnodeman.fleet.values.reasons import span
from arvnodeman.history.columns import columns
from arvnodeman.history.dates import shown
from arvnodeman.history.predictions import PredictionScore

ENOUGH = 0.95  # of its time is recorded
TIMES = ("made", "since", "until", "config", "is_over")
FIGURES = ("jobs", "node_hours", "cost", "mean_wait")


def as_table(scores: Sequence[PredictionScore]) -> str:
    """For people."""
    return "\n".join(_lines(scores)) + "\n"


def _lines(scores: Sequence[PredictionScore]) -> Iterator[str]:
    if not scores:
        yield "No prediction was saved in that time: simulate --save saves one."
    for score in scores:
        one = score.prediction
        yield f"Made {shown(one.made)} of {one.config}, for {shown(one.since)} to {shown(one.until)}"
        if remark := _remark(score):
            yield f"  {remark}"
        yield from (f"  {line}" for line in columns(list(_rows(score))))
        yield ""


def _remark(score: PredictionScore) -> str:
    """What is to be known of what came."""
    recorded, hours = score.recorded_hours, score.hours
    if not score.is_over:
        return f"its time is not over: {recorded:,.1f} of {hours:,.1f} hours have come and are recorded"
    if recorded < ENOUGH * hours:
        return f"of its time {recorded:,.1f} of {hours:,.1f} hours are recorded: what is missing counts as nothing"
    return ""


def _rows(score: PredictionScore) -> Iterator[tuple[str, ...]]:
    one = score.prediction
    yield "", "predicted", "came", "off by"
    yield "jobs", f"{one.jobs:,}", f"{score.jobs:,}", _off(one.jobs, score.jobs)
    yield "node hours", f"{one.node_hours:,.2f}", f"{score.node_hours:,.2f}", _off(one.node_hours, score.node_hours)
    yield "cost, $", f"{one.cost:,.2f}", f"{score.cost:,.2f}", _off(one.cost, score.cost)
    mean = (one.mean_wait, score.mean_wait)
    yield "mean wait", span(mean[0]), span(mean[1]), _off(*mean)
    each = (one.cost / one.jobs if one.jobs else 0.0, score.cost / score.jobs if score.jobs else 0.0)
    yield "$ for each job", f"{each[0]:,.4f}", f"{each[1]:,.4f}", _off(*each)


def off_by(predicted: float, came: float) -> float | None:
    """By what share of what came; None where nothing came."""
    return predicted / came - 1 if came else None


def _off(predicted: float, came: float) -> str:
    share = off_by(predicted, came)
    return "-" if share is None else f"{share:+.1%}"


def as_json(scores: Sequence[PredictionScore]) -> str:
    """For programs."""
    return json.dumps({"predictions": [_shape(score) for score in scores]}, indent=2) + "\n"


def _shape(score: PredictionScore) -> dict[str, object]:
    one = score.prediction
    predicted = {name: _rounded(getattr(one, name)) for name in FIGURES}
    came = {name: _rounded(getattr(score, name)) for name in FIGURES}
    off = {name: _rounded(off_by(getattr(one, name), getattr(score, name))) for name in FIGURES}
    return {
        "made": round(one.made),
        "since": round(one.since),
        "until": round(one.until),
        "config": one.config,
        "is_over": score.is_over,
        "hours": _rounded(score.hours),
        "recorded_hours": _rounded(score.recorded_hours),
        "predicted": predicted,
        "came": came,
        "off_by": off,
    }


def _rounded(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value


def as_csv(scores: Sequence[PredictionScore]) -> str:
    """For spreadsheets: a line for each prediction."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        (*TIMES, "hours", "recorded_hours", *(f"{kind}_{name}" for name in FIGURES for kind in ("predicted", "came")))
    )
    for score in scores:
        one = score.prediction
        figures = (_rounded(getattr(each, name)) for name in FIGURES for each in (one, score))
        times = (round(one.made), round(one.since), round(one.until), one.config, score.is_over)
        writer.writerow((*times, _rounded(score.hours), _rounded(score.recorded_hours), *figures))
    return out.getvalue()


FORMATS: Mapping[str, Callable[[Sequence[PredictionScore]], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
}
