"""`budget`: where the budgets stand; `budget raise`: more for a while."""

from __future__ import annotations

import argparse
import math
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from arvnodeman.commands.client import Answer, DaemonClient, Unknown
from arvnodeman.commands.wording import table
from arvnodeman.manage.budget_answers import BudgetShown, BudgetsShown, RaisedShown, RaiseGiven

UNTIL = "YYYY-MM-DD, YYYY-MM-DDTHH:MM, or from now on 30min, 12h, 7d or 4w"
_FROM_NOW = re.compile(r"([0-9]{1,6})(min|[hdw])")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

Options = argparse.Namespace


def add_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Of the command line. The parser of `raise`."""
    ways = parser.add_subparsers(dest="way", metavar="raise")
    more = ways.add_parser("raise", help="raise a budget for a while", description="Raise a budget for a while.")
    more.add_argument("name", metavar="NAME", help="as in [Budget NAME]")
    more.add_argument("amount", metavar="AMOUNT", type=_amount, help="$ to add to its limit; 0: end the raise")
    more.add_argument("--until", metavar="DATE", type=_moment, help=UNTIL)
    more.add_argument("--reason", metavar="TEXT", default="", help="why; it is kept with the decisions and shown")
    return more


def _amount(text: str) -> float:
    """An argument in $."""
    try:
        found = float(text.removeprefix("$")) if "_" not in text else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not an amount in $")
    if found < 0:
        raise argparse.ArgumentTypeError(f"{text[:40]} is below 0")
    return found


def _moment(text: str) -> float:
    """An argument in seconds since the epoch, by this machine's clock and zone."""
    ahead = _FROM_NOW.fullmatch(text)
    if ahead is not None:
        return time.time() + (int(ahead[1]) * _UNITS[ahead[2]]).total_seconds()
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a date; allowed: {UNTIL}") from None


def lines(budgets: Sequence[BudgetShown]) -> Iterator[str]:
    """A table of them."""
    if not budgets:
        yield "There are no budgets: the configuration has no [Budget NAME] section."
        return
    yield from table(
        ("BUDGET", "PER", "LIMIT", "SPENT", "COMMITTED", "FORECAST", "STATE", "ENDS"),
        [
            (
                each.name,
                each.per,
                f"{each.limit:.2f}",
                *(f"{figure:.2f}" if each.ends else "-" for figure in (each.spent, each.committed, each.forecast)),
                each.state,
                each.ends or "-",
            )
            for each in budgets
        ],
    )


def told(budget: BudgetShown) -> Iterator[str]:
    """One of them in sentences."""
    lists = (("accounts", budget.accounts), ("users", budget.users), ("partitions", budget.partitions))
    whose = "; ".join(f"{kind} {', '.join(names)}" for kind, names in lists if names) or "all jobs"
    yield f"Budget {budget.name}: {budget.state}; it pays for {whose}, and at its limit it {budget.action}s"
    yield f"  {budget.words}."
    if budget.raised is not None:
        raised = budget.raised
        yield f"  raised by ${raised.amount:.2f} until {raised.ends}: {raised.reason or 'no reason given'}"


def shown(client: DaemonClient) -> tuple[Answer | None, Sequence[BudgetShown]]:
    """What the daemon says of all; nothing where it is of a build that has none."""
    answer = client.find("budgets")
    return answer, answer.read(BudgetsShown).budgets if answer is not None else ()


def raised(options: Options, client: DaemonClient) -> Answer:
    """Raise one. Raises ClientError."""
    until = options.until if options.until is not None else 0.0
    try:
        return client.send(RaiseGiven(options.amount, until, options.reason), "budgets", options.name, "raise")
    except Unknown:
        known = ", ".join(each.name for each in shown(client)[1]) or "none"
        raise Unknown(f"no budget is called {options.name}; there are: {known}") from None


def said(answer: RaisedShown) -> str:
    """What has been done."""
    what = f"raised by ${answer.amount:.2f} until {answer.ends}" if answer.amount > 0 else "not raised any more"
    lost = "" if answer.kept else "; the daemon has no [Daemon] state_dir: its next start will not know it"
    return f"{answer.budget}: {what}{lost}"


def names(client: DaemonClient) -> list[str]:
    """Of all."""
    return [each.name for each in shown(client)[1]]


def run(options: Options, client: DaemonClient) -> tuple[Any, list[str], bool]:
    """Carry the command out: its answer for programs, and for people; whether it was heard."""
    if options.way == "raise":
        told = raised(options, client)
        done = told.read(RaisedShown)
        return told.plain, [said(done)], done.heard
    answer, budgets = shown(client)
    return answer.plain if answer is not None else {"budgets": []}, list(lines(budgets)), True
