"""Advice: which changes of a configuration pay for these jobs, at which wait, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from arvnodeman.config.assignments import Assignment
from arvnodeman.whatif.comparison import FigureChange
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.intervals import interval, paired
from arvnodeman.whatif.used_memory import OverAsked

LEAST_SAVED = 0.005  # of the cost, for it to count as saved
MORE_COST = 0.01  # of the cost, that quicker jobs may cost more
LEAST_QUICKER = 0.05  # of the mean wait, for it to count as quicker or slower
LEAST_WAIT = 10.0  # seconds, likewise


class MoveVerdict(StrEnum):
    """What is to be thought of a change."""

    BETTER = "better"  # surely cheaper and not slower, or surely quicker and not dearer
    TRADE = "trade"  # one for the other
    NO = "no"  # neither, or not surely


class TriedMove(Struct, frozen=True, kw_only=True):
    """One change, or several together, played with each seed. $ and seconds."""

    words: str
    changes: list[str]  # [Section] option = value
    verdict: MoveVerdict
    cost: FigureChange
    mean_wait: FigureChange
    p90_wait: FigureChange
    jobs_done: float  # so many more
    remark: str = ""


class ConfigAdvice(Struct, frozen=True, kw_only=True):
    """All that was tried, the best first."""

    partial: bool
    seeds: list[int]
    tried: list[TriedMove]
    together: TriedMove | None  # what is advised; None: no better one found
    failed: list[str]  # what could not be played, a line each
    over_asked: list[OverAsked]  # memory, by user
    as_used: TriedMove | None  # had jobs asked for what they used; None: the trace does not tell
    remarks: list[str]


def tried(
    words: str,
    changes: Iterable[Assignment],
    before: Sequence[Forecast],
    after: Sequence[Forecast],
    *,
    remark: str = "",
) -> TriedMove:
    """What came of a change, seed by seed."""
    return TriedMove(
        words=words,
        changes=[f"{each.option} = {each.text}" for each in changes],
        verdict=_verdict(before, after),
        cost=_change(before, after, _cost),
        mean_wait=_change(before, after, _wait),
        p90_wait=_change(before, after, lambda each: each.waits.p90),
        jobs_done=paired(_all(before, _done), _all(after, _done)).mean,
        remark=remark,
    )


def _cost(forecast: Forecast) -> float:
    return forecast.cost


def _wait(forecast: Forecast) -> float:
    return forecast.waits.mean


def _done(forecast: Forecast) -> float:
    return forecast.jobs.done


def _all(forecasts: Sequence[Forecast], value: Callable[[Forecast], float]) -> list[float]:
    return [value(each) for each in forecasts]


def _change(before: Sequence[Forecast], after: Sequence[Forecast], value: Callable[[Forecast], float]) -> FigureChange:
    old, new = _all(before, value), _all(after, value)
    return FigureChange(before=interval(old), after=interval(new), change=paired(old, new))


def _verdict(before: Sequence[Forecast], after: Sequence[Forecast]) -> MoveVerdict:
    cost, wait = _change(before, after, _cost), _change(before, after, _wait)
    if paired(_all(before, _done), _all(after, _done)).mean < 0:
        return MoveVerdict.NO  # it is cheaper for running fewer jobs, it may be
    matters = max(LEAST_WAIT, LEAST_QUICKER * wait.before.mean)
    cheaper = cost.change.is_below and -cost.change.mean >= LEAST_SAVED * cost.before.mean
    quicker = wait.change.is_below and -wait.change.mean >= matters
    slower = wait.change.mean > matters
    dearer = cost.change.mean > MORE_COST * cost.before.mean
    if (cheaper and not slower) or (quicker and not dearer):
        return MoveVerdict.BETTER
    return MoveVerdict.TRADE if cheaper or quicker else MoveVerdict.NO


def in_order(moves: Iterable[TriedMove]) -> list[TriedMove]:
    """The best first: better ones before trades before others, and by what they save."""
    ranks = {MoveVerdict.BETTER: 0, MoveVerdict.TRADE: 1, MoveVerdict.NO: 2}
    return sorted(moves, key=lambda each: (ranks[each.verdict], each.cost.change.mean, each.mean_wait.change.mean))
