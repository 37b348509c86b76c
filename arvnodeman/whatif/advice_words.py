"""Advice for people."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.history.columns import columns
from arvnodeman.traces.trace import one_line
from arvnodeman.whatif.advice import ConfigAdvice, MoveVerdict, TriedMove
from arvnodeman.whatif.comparison import FigureChange
from arvnodeman.whatif.comparison_words import signed
from arvnodeman.whatif.used_memory import SPARE

NONE_BETTER = (
    "No better configuration found: nothing that was tried surely saves money without longer waits, or time at no cost."
)
_HEADS = {
    MoveVerdict.BETTER: "Better: surely cheaper and no slower, or surely quicker and no dearer",
    MoveVerdict.TRADE: "Trades: cheaper and slower, or quicker and dearer",
    MoveVerdict.NO: "Neither, or not surely",
}


def as_text(advice: ConfigAdvice) -> str:
    """For people."""
    return "\n".join(_lines(advice)) + "\n"


def _lines(advice: ConfigAdvice) -> Iterator[str]:
    if advice.partial:
        yield "PARTIAL: stopped before everything was tried."
    if advice.together is not None:
        yield f"Advice: {advice.together.words}"
        yield from (f"  {change}" for change in advice.together.changes)
        yield f"  cost {_told('cost', advice.together.cost)}; mean wait {_told('mean_wait', advice.together.mean_wait)}"
        yield from _remark(advice.together)
    elif not advice.partial:
        yield NONE_BETTER
    for verdict, head in _HEADS.items():
        found = [each for each in advice.tried if each.verdict is verdict]
        if found:
            yield ""
            yield head
            rows: list[tuple[str, ...]] = [("", "cost, $", "mean wait", "90 % wait")]
            rows += [_row(each) for each in found]
            yield from (f"  {line}" for line in columns(rows))
    yield from _memory(advice)
    number = len(advice.seeds)
    yield ""
    yield f"{number} seed{'' if number == 1 else 's'}" + (
        "; in brackets what holds 95 of 100 means" if number > 1 else ""
    )
    yield from (f"cannot be played: {one_line(line)}" for line in advice.failed)
    yield from (f"* {one_line(remark)}" for remark in advice.remarks)


def _row(each: TriedMove) -> tuple[str, ...]:
    return (
        one_line(each.words),
        _told("cost", each.cost),
        _told("mean_wait", each.mean_wait),
        _told("p90_wait", each.p90_wait),
    )


def _told(name: str, figure: FigureChange) -> str:
    change = figure.change
    share = f" ({change.mean / figure.before.mean:+.1%})" if figure.before.mean else ""
    bounds = (
        ""
        if change.low is None or change.high is None
        else f" [{signed(name, change.low)}, {signed(name, change.high)}]"
    )
    return f"{signed(name, change.mean)}{share}{bounds}"


def _remark(each: TriedMove) -> Iterator[str]:
    if each.remark:
        yield f"  {each.remark}"


def _memory(advice: ConfigAdvice) -> Iterator[str]:
    if not advice.over_asked:
        return
    yield ""
    yield "Memory that was asked for and not used (of the largest task)"
    rows = [("user", "jobs", "asked, GB", "used, GB", "GB h unused")]
    rows += [
        (
            one_line(each.user) or "(unknown)",
            f"{each.jobs:,}",
            f"{each.asked / 1024:,.1f}",
            f"{each.used / 1024:,.1f}",
            f"{each.idle_gb_hours:,.0f}",
        )
        for each in advice.over_asked
    ]
    yield from (f"  {line}" for line in columns(rows))
    if advice.as_used is not None:
        cost, wait = _told("cost", advice.as_used.cost), _told("mean_wait", advice.as_used.mean_wait)
        yield f"  Had all asked for {SPARE:g} times what they used: cost {cost}; mean wait {wait}"
