"""What came of an examination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from arvnodeman.doctor.base import CannotTell, Check, Finding, NotHere
from arvnodeman.doctor.facts import Facts


@dataclass(frozen=True, slots=True)
class Examined:
    """The findings, those of the first checks of the catalogue first, and the checks that could not be made."""

    at: float  # seconds since the epoch
    found: tuple[Finding, ...] = ()
    untold: Mapping[str, str] = field(default_factory=dict)  # by check, why it could not be made
    checks: int = 0  # that were made


def examine(checks: Iterable[Check], facts: Facts, stopping: Callable[[], bool] = lambda: False) -> Examined:
    """Make these checks. One for which there is nothing at this site is not counted. `stopping`: leave the others."""
    found: list[Finding] = []
    untold: dict[str, str] = {}
    made = 0
    for check in checks:
        if stopping():
            break
        try:
            found += list(check.occurs(facts))
            made += 1
        except NotHere:
            continue
        except CannotTell as why:
            untold[check.name] = str(why)
    return Examined(facts.now, tuple(found), untold, made)
