"""Who pays, for people and for programs: a table, CSV, JSON. Costs are rounded so that they add up."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace

from arvnodeman.history.columns import columns
from arvnodeman.history.dates import shown
from arvnodeman.history.report_words import SHORT
from arvnodeman.history.shares import PaidShare, SharesReport
from arvnodeman.money.rounding import rounded_together

MOST = 100  # lines of a table
LITTLE = 0.1  # $ of all nodes together: more decimals, for so little there was
EXACT = 4  # decimals of what programs get


def rounded(report: SharesReport, decimals: int) -> SharesReport:
    """With costs of so many decimals, which add up to what all cost."""
    costs = rounded_together([share.cost for share in report.shares], decimals)
    around = rounded_together([share.around for share in report.shares], decimals)
    figures = zip(report.shares, costs, around, strict=True)
    shares = [replace(share, cost=cost, around=of_it) for share, cost, of_it in figures]
    return replace(report, shares=shares)


def as_table(report: SharesReport) -> str:
    """For people."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: SharesReport) -> Iterator[str]:
    yield f"From {shown(report.since)} to {shown(report.until)}"
    if report.begins is None:
        yield "Nothing is recorded."
        return
    if report.begins > report.since + 120:
        yield f"The history begins at {shown(report.begins)}."
    yield ""
    if not report.shares:
        yield "There were no nodes."
        return
    short = report.total.node_hours < SHORT
    decimals = 5 if report.total.cost < LITTLE else 2 + short
    told = rounded(report, decimals)
    shares = [*told.shares[:MOST]]
    if len(told.shares) > MOST:
        rest = replace(told, shares=told.shares[MOST:])
        shares.append(replace(rest.total, name=f"({len(rest.shares):,} others)"))
    whose = ("user", "account") if report.by == "job" else ()
    head = (report.by, *whose, "jobs", "node hours", "cost", "of it around", "part")
    total = told.total
    yield from columns([head, *(_cells(share, total, whose, decimals) for share in (*shares, total))])
    yield ""
    yield "Around: boots, idle time and ends of nodes, paid by the jobs that they were booted for; otherwise overhead."


def _cells(share: PaidShare, total: PaidShare, whose: tuple[str, ...], decimals: int) -> tuple[str, ...]:
    return (
        share.name,
        *(getattr(share, name) for name in whose),
        f"{share.jobs:,}",
        f"{share.node_hours:,.{decimals - 1}f}",
        *(f"${dollars:,.{decimals}f}" for dollars in (share.cost, share.around)),
        f"{100 * share.cost / total.cost:.1f} %" if total.cost else "",
    )


def _plain(share: PaidShare, by: str) -> dict[str, object]:
    """The fields of it that mean something."""
    fields = {**asdict(share), "node_hours": round(share.node_hours, EXACT), "around": round(share.around, EXACT)}
    fields["cost"] = round(share.cost, EXACT)
    return {name: value for name, value in fields.items() if by == "job" or name not in ("user", "account")}


def as_json(report: SharesReport) -> str:
    """For programs: everything, under the names of the fields."""
    told = rounded(report, EXACT)
    shape = {
        "by": told.by,
        "since": told.since,
        "until": told.until,
        "begins": told.begins,
        "shares": [_plain(share, told.by) for share in told.shares],
        "total": _plain(told.total, ""),
    }
    return json.dumps(shape, indent=2) + "\n"


def as_csv(report: SharesReport) -> str:
    """For spreadsheets: a line for each of them, and none for the total."""
    told = rounded(report, EXACT)
    out = io.StringIO()
    names = [*_plain(PaidShare(""), told.by)]
    writer = csv.DictWriter(out, [told.by, *names[1:]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {told.by if name == "name" else name: value for name, value in _plain(share, told.by).items()}
        for share in told.shares
    )
    return out.getvalue()


FORMATS: Mapping[str, Callable[[SharesReport], str]] = {"table": as_table, "csv": as_csv, "json": as_json}
