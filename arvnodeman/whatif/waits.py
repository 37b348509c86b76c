"""Waits of jobs in figures."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

from arvnodeman.whatif.forecast import WaitTimes

MOST_ACCOUNTS = 50
OTHER, NONE = "other", "(none)"


def wait_times(waits: Iterable[float]) -> WaitTimes:
    """Of jobs that have begun; percentiles are waits that one of them had."""
    found = sorted(waits)
    if not found:
        return WaitTimes(jobs=0, mean=0.0, median=0.0, p90=0.0, p99=0.0, longest=0.0)
    return WaitTimes(
        jobs=len(found),
        mean=sum(found) / len(found),
        median=_percentile(found, 0.5),
        p90=_percentile(found, 0.9),
        p99=_percentile(found, 0.99),
        longest=found[-1],
    )


def _percentile(found: Sequence[float], share: float) -> float:
    """The least wait that so large a share of the jobs did not exceed."""
    place = min(len(found) - 1, max(0, -int(-len(found) * share // 1) - 1))
    return found[place]


def by_name(waits: Iterable[tuple[str, float | None]], most: int = 0) -> dict[str, WaitTimes]:
    """By partition or account; `most`: of so many with most jobs, the others together."""
    found: dict[str, array[float]] = {}
    for name, wait in waits:
        if wait is not None:
            found.setdefault(name or NONE, array("d")).append(wait)
    kept = found
    if most and len(found) > most:
        names = sorted(found, key=lambda name: (-len(found[name]), name))
        kept = {name: found[name] for name in names[:most]}
        others = array("d")
        for name in names[most:]:
            others.extend(found[name])
        kept[OTHER] = kept.get(OTHER, array("d")) + others
    return _in_order({name: wait_times(values) for name, values in kept.items()})


def _in_order(found: Mapping[str, WaitTimes]) -> dict[str, WaitTimes]:
    return {name: found[name] for name in sorted(found)}
