"""A report for people and for programs: a table, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict

from arvnodeman.fleet.values.reasons import span
from arvnodeman.history.columns import columns
from arvnodeman.history.dates import shown
from arvnodeman.history.report import Report, SizeReport
from arvnodeman.history.spot import SpotJobs, SpotReport

COLUMNS = ("size", "nodes", "hours", "busy", "idle", "starting", "other", "unseen", "cost", "of it idle")
SPOT = ("spot", "zone", "nodes", "hours", "taken", "in 100 h", "cost", "on demand", "lost h", "lost", "saved")
SPOT_JOBS = ("spot jobs", "zone", "that ran", "jobs", "hours", "cut", "cost", "on demand", "lost h", "lost", "saved")
SHORT = 10.0  # hours of nodes, all together
ENDS = {
    "destroyed": "destroyed by us",
    "gone": "gone without us (spot, crash, by hand)",
    "away": "gone while no daemon looked",
}
BOOTS = {"up": "came up", "failed": "never came up", "stopped": "stopped, not needed any more"}


def as_table(report: Report) -> str:
    """For people."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"From {shown(report.since)} to {shown(report.until)}"
    hours = (report.until - report.since) / 3600
    if report.begins is None:
        yield "Nothing is recorded."
        return
    if report.begins > report.since + 120:
        yield f"The history begins at {shown(report.begins)}."
    yield f"Recorded: {_recorded(report.recorded_hours, hours)}"
    yield ""
    if report.sizes:
        short = report.total.hours < SHORT
        yield from columns([COLUMNS, *(_cells(each, short) for each in (*report.sizes, report.total))])
        yield from _ready(report)
    else:
        yield "There were no nodes."
    yield ""
    if report.spot:
        yield from columns([SPOT, *map(_spot_cells, report.spot)])
        yield ""
    if report.spot_jobs:
        yield from columns([SPOT_JOBS, *map(_spot_jobs_cells, report.spot_jobs)])
        yield ""
    yield from _counted("Boots", report.boots, BOOTS)
    yield from _counted("Nodes ended", report.ends, ENDS)
    if report.causes:
        yield "Why boots failed"
        yield from (f"  {count:>7,}  {said}" for said, count in report.causes)
    waits = report.waits
    if waits.jobs:
        yield (
            f"Jobs: {waits.jobs:,} left the queue; they waited {span(waits.mean)} on average, 95 % of them at most "
            f"{span(waits.most)}, the longest {span(waits.longest)}"
        )
    else:
        yield "Jobs: none left the queue"


def _ready(report: Report) -> Iterator[str]:
    """What stood idle on purpose, which the column of idle hours leaves out; nothing, where there was none."""
    total = report.total
    if total.spare_hours:
        yield f"Spares: {total.spare_hours:,.1f} node hours stood ready, ${total.spare_cost:,.2f} (not counted as idle)"
    booted, used, in_vain = (report.events.get(name, 0) for name in ("ahead_boots", "ahead_used", "ahead_in_vain"))
    if total.ahead_hours or booted or used or in_vain:
        yield (
            f"Ahead: {booted:,} nodes booted before their jobs could start; {used:,} were used, {in_vain:,} were not; "
            f"{total.ahead_hours:,.1f} node hours waited, ${total.ahead_cost:,.2f} (not counted as idle)"
        )


def _recorded(recorded: float, hours: float) -> str:
    if hours < 1:
        return f"{60 * recorded:.0f} of {60 * hours:.0f} minutes"
    return (
        f"{recorded:,.1f} of {hours:,.1f} hours"
        if recorded >= 1
        else f"{60 * recorded:.0f} minutes of {hours:,.1f} hours"
    )


def _cells(each: SizeReport, short: bool) -> tuple[str, ...]:
    """One line of the table. `short`: one more decimal, for so little there was."""
    hours = (
        each.hours,
        each.busy_hours,
        each.idle_hours,
        each.starting_hours,
        each.other_hours,
        each.unseen_hours,
    )
    return (
        each.size or "(none)",
        f"{each.nodes:,}",
        *(f"{number:,.{1 + short}f}" for number in hours),
        f"${each.cost:,.{2 + short}f}",
        f"${each.idle_cost:,.{2 + short}f}",
    )


def _spot_cells(each: SpotReport) -> tuple[str, ...]:
    return (
        each.size or "(none)",
        each.zone or "(any)",
        f"{each.nodes:,}",
        f"{each.hours:,.1f}",
        f"{each.taken:,}",
        f"{each.rate:.1f}",
        *_paid(each),
    )


def _spot_jobs_cells(each: SpotJobs) -> tuple[str, ...]:
    return (
        each.size or "(none)",
        each.zone or "(any)",
        each.length,
        f"{each.jobs:,}",
        f"{each.hours:,.1f}",
        f"{each.cut:,}",
        *_paid(each),
    )


def _paid(each: SpotReport | SpotJobs) -> Iterator[str]:
    """The same columns of both: did it pay?"""
    yield from (f"${number:,.2f}" for number in (each.cost, each.on_demand_cost))
    yield f"{each.lost_hours:,.1f}"
    yield from (f"{'-' if number < 0 else ''}${abs(number):,.2f}" for number in (each.lost_cost, each.saved))


def _counted(title: str, counts: Mapping[str, int], words: Mapping[str, str]) -> Iterator[str]:
    found = {name: count for name, count in counts.items() if count}
    yield title if found else f"{title}: none"
    for name, count in found.items():
        yield f"  {count:>7,}  {words.get(name) or name.replace('_', ': ', 1)}"


def as_json(report: Report) -> str:
    """For programs: everything, under the names of the fields."""
    shape = asdict(report)
    shape["total"] = asdict(report.total)
    shape["spot"] = [{**asdict(each), "taken_in_100_hours": each.rate, "saved": each.saved} for each in report.spot]
    shape["spot_jobs"] = [{**_figures_of(each), "saved": each.saved} for each in report.spot_jobs]
    shape["causes"] = [{"words": said, "count": count} for said, count in report.causes]
    shape["waits"] = {
        "jobs": report.waits.jobs,
        "mean_seconds": report.waits.mean,
        "p95_seconds": report.waits.most,
        "longest_seconds": report.waits.longest,
    }
    return json.dumps(_rounded(shape), indent=2) + "\n"


def _figures_of(each: SpotJobs) -> dict[str, object]:
    return {name: value for name, value in asdict(each).items() if name != "ids"}


def _rounded(value: object) -> object:
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
    return value


def as_csv(report: Report) -> str:
    """For spreadsheets: a line for each figure, of what and which it is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("what", "which", "figure", "value"))
    writer.writerows(_figures(report))
    return out.getvalue()


def _figures(report: Report) -> Iterable[tuple[str, str, str, object]]:
    yield "report", "", "since", round(report.since)
    yield "report", "", "until", round(report.until)
    yield "report", "", "recorded_hours", round(report.recorded_hours, 4)
    for size in (*report.sizes, report.total):
        for name, value in asdict(size).items():
            if name != "size":
                yield "total" if size.size == "total" else "size", size.size, name, _rounded(value)
    for pool in report.spot:
        figures = {**asdict(pool), "taken_in_100_hours": pool.rate, "saved": pool.saved}
        for name, value in figures.items():
            if name not in ("size", "zone"):
                yield "spot", f"{pool.size} {pool.zone}".strip(), name, _rounded(value)
    for some in report.spot_jobs:
        which = " ".join(filter(None, (some.size, some.zone, some.length)))
        for name, value in {**_figures_of(some), "saved": some.saved}.items():
            if name not in ("size", "zone", "length"):
                yield "spot_jobs", which, name, _rounded(value)
    yield from (("boots", name, "count", count) for name, count in report.boots.items())
    yield from (("ends", name, "count", count) for name, count in report.ends.items())
    yield from (("events", name, "count", count) for name, count in report.events.items())
    yield from (("causes", said, "count", count) for said, count in report.causes)
    waits = report.waits
    yield "jobs", "", "count", waits.jobs
    yield "jobs", "", "mean_wait_seconds", round(waits.mean, 1)
    yield "jobs", "", "p95_wait_seconds", round(waits.most, 1)
    yield "jobs", "", "longest_wait_seconds", round(waits.longest, 1)


FORMATS: Mapping[str, Callable[[Report], str]] = {"table": as_table, "csv": as_csv, "json": as_json}
