"""A forecast for people: a short account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo

from arvnodeman.fleet.values.reasons import span
from arvnodeman.history.columns import columns
from arvnodeman.history.dates import shown
from arvnodeman.traces.trace import one_line
from arvnodeman.whatif.forecast import BootedNodes, BudgetPlayed, Forecast, JobCounts, PayerPlayed, WaitTimes

WAITS = ("mean", "median", "90 %", "99 %", "longest")
LINES = 10  # of partitions, accounts, shapes
_ENDS = (
    ("done", "done"),
    ("running", "running at the end"),
    ("waiting", "waiting at the end"),
    ("to_come", "yet to come"),
    ("withdrawn", "withdrawn by their users"),
    ("impossible", "that no size fits"),
)


def as_text(forecast: Forecast, zone: tzinfo | None = None) -> str:
    """For people. Moments are shown in this zone, None: this machine's."""
    return "\n".join(_lines(forecast, zone)) + "\n"


def _lines(forecast: Forecast, zone: tzinfo | None) -> Iterator[str]:
    if forecast.partial:
        yield "PARTIAL: stopped before the last job had ended."
    yield f"From {shown(forecast.began, zone)} to {shown(forecast.ended, zone)}, seed {forecast.seed}"
    yield f"Jobs: {jobs_in_words(forecast.jobs)}"
    yield ""
    yield from _waits(forecast)
    yield ""
    yield from _nodes(forecast)
    yield ""
    yield from _cost(forecast)
    if forecast.held:
        yield ""
        yield "Held back, in addition to boot times"
        rows = [(each.reason, f"{each.jobs:,} jobs", f"{each.hours:,.1f} h") for each in forecast.held]
        for line, each in zip(columns(rows), forecast.held, strict=True):
            yield f"  {line}  {one_line(each.example)}".rstrip()
    if forecast.budgets:
        yield ""
        yield "Budgets"
        yield from (f"  {line}" for line in columns([_budget(budget) for budget in forecast.budgets]))
    if forecast.payers:
        yield ""
        yield "Who pays"
        yield from (f"  {line}" for line in columns([_payer(payer, forecast.cost) for payer in forecast.payers]))
    if forecast.impossible:
        yield ""
        yield "No size fits"
        yield from (
            f"  {each.jobs:>7,}  {one_line(each.shape)} (as job {one_line(each.first)})"
            for each in forecast.impossible[:LINES]
        )
        yield from _more(len(forecast.impossible))
    if forecast.remarks:
        yield ""
        yield from (f"* {one_line(remark)}" for remark in forecast.remarks)


def _budget(budget: BudgetPlayed) -> tuple[str, ...]:
    most = f"at most ${budget.most:,.2f} of ${budget.limit:,.2f} a {budget.per}"
    held = f"reached in {budget.reached} of {budget.periods}"
    over = f"${budget.over:,.2f} over it, ${budget.committed:,.2f} were committed then" if budget.over >= 0.005 else ""
    return one_line(budget.name), f"${budget.spent:,.2f}", most, held, over


def _payer(payer: PayerPlayed, cost: float) -> tuple[str, ...]:
    return one_line(payer.name), f"${payer.cost:,.2f}", f"{payer.cost / cost:.1%}" if cost else ""


def jobs_in_words(jobs: JobCounts) -> str:
    """120: 118 done, 2 waiting at the end."""
    parts = [f"{number:,} {words}" for name, words in _ENDS if (number := getattr(jobs, name))]
    again = f"; nodes were lost under jobs {jobs.requeues:,} times" if jobs.requeues else ""
    return f"{jobs.all:,}: {', '.join(parts)}{again}" if parts else f"{jobs.all:,}"


def _waits(forecast: Forecast) -> Iterator[str]:
    rows = [("Waits", "jobs", *WAITS), ("all", *wait_cells(forecast.waits))]
    if forecast.traced_waits.jobs:
        rows.append(("as the trace tells", *wait_cells(forecast.traced_waits)))
    for kind, waits in (("partition", forecast.waits_by_partition), ("account", forecast.waits_by_account)):
        if len(waits) > 1:
            rows += [(f"{kind} {one_line(name) or '(none)'}", *wait_cells(each)) for name, each in _most(waits)]
    yield from columns(rows)


def _most(waits: Mapping[str, WaitTimes]) -> Sequence[tuple[str, WaitTimes]]:
    return sorted(waits.items(), key=lambda item: (-item[1].jobs, item[0]))[:LINES]


def wait_cells(waits: WaitTimes) -> tuple[str, ...]:
    """Of a table with the columns jobs and WAITS."""
    seconds = (waits.mean, waits.median, waits.p90, waits.p99, waits.longest)
    return (f"{waits.jobs:,}", *map(span, seconds))


def _nodes(forecast: Forecast) -> Iterator[str]:
    failed = f", {forecast.failed_boots:,} of them never came up" if forecast.failed_boots else ""
    yield f"Nodes: {forecast.boots:,} boots{failed}; {forecast.most_nodes:,} at once at most"
    hours = forecast.node_hours
    parts = {"busy": hours.busy, "idle": hours.idle, "booting": hours.booting, "ending": hours.ending}
    ready = {"ready as spares": hours.spare, "ready for jobs to come": hours.ahead}
    parts |= {name: value for name, value in ready.items() if value}
    total = sum(parts.values())
    told = ", ".join(f"{value:,.1f} {name} ({value / total:.0%})" for name, value in parts.items() if total)
    yield f"Hours of nodes: {total:,.1f}{': ' if told else ''}{told}"


def _cost(forecast: Forecast) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("Cost", "boots", "hours", "$")]
    rows += [_booted(name, each) for name, each in forecast.by_size.items()]
    if len(forecast.by_purchase) > 1:
        rows += [_booted(name, each) for name, each in forecast.by_purchase.items()]
    hours = sum(each.hours for each in forecast.by_size.values())
    rows.append(_booted("all", BootedNodes(boots=forecast.boots, hours=hours, cost=forecast.cost)))
    yield from columns(rows)
    lowest = forecast.lowest
    if lowest.job_hours:
        yield f"For each hour of a job: {_each(forecast.cost, lowest.job_hours)}"
        for words, bound in (
            ("were each alone on its cheapest size, for its run time", lowest.alone),
            ("the least: cores and memory at their best price, shared without loss", lowest.fluid),
        ):
            times = f", of which this is {forecast.cost / bound:.2f} times" if bound > 0 else ""
            yield f"  {words}: {_each(bound, lowest.job_hours)}{times}"


def _booted(name: str, nodes: BootedNodes) -> tuple[str, ...]:
    return name, f"{nodes.boots:,}", f"{nodes.hours:,.1f}", f"{nodes.cost:,.2f}"


def _each(cost: float, hours: float) -> str:
    return f"${cost / hours:.4f}"


def _more(number: int) -> Iterator[str]:
    if number > LINES:
        yield f"  and {number - LINES:,} more"
