"""What can go wrong at the site, by name. Each fault strikes by rate and seed, or the next n times when armed.

A fault is declared here once and looked at (`Faults.strikes`) at the one place where it happens. A scope narrows it:
the rate of `create-capacity:small` counts for the size small alone, that of `create-capacity` for every size.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: its name, and what the daemon sees of it."""

    name: str
    meaning: str


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("create-quota", "create answers QuotaExceeded"),
        Fault("create-capacity", "create answers InsufficientCapacity; scope: the size"),
        Fault("create-invalid", "create answers InvalidParameter; scope: the size"),
        Fault("create-throttled", "create answers Throttled with Retry-After"),
        Fault("create-lost", "create works, but its answer is lost: it hangs, then 503"),
        Fault("destroy-fails", "destroy answers 503 and does nothing"),
        Fault("destroy-lost", "destroy works, but its answer is lost: it hangs, then 503"),
        Fault("list-unavailable", "a list of nodes answers 503"),
        Fault("node-never-pings", "a node boots, costs, and is never heard of; scope: the size"),
        Fault("node-dies-booting", "a node vanishes while it boots; scope: the size"),
        Fault("node-dies-working", "a node vanishes while it runs a job; scope: the size"),
    )
}

DEFAULT_VALUES: Mapping[str, float] = {
    "hang": 1.0,  # real seconds that a lost answer takes before its 503
    "retry_after": 1.0,  # real seconds in the Retry-After of create-throttled
}


class UnknownFault(ValueError):
    """A fault, or a value of one, that the site does not have; the text says which there are."""


class Faults:
    """Which faults strike. Used under the site's lock.

    The n-th look at a fault gives the same answer for the same seed and rate, whatever else happens in between.
    """

    def __init__(self, seed: int, rates: Mapping[str, float] | None = None) -> None:
        self._seed = seed
        self._rates: dict[str, float] = {}
        self._armed: Counter[str] = Counter()
        self._looks: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.values: dict[str, float] = dict(DEFAULT_VALUES)
        self.set_rates(rates or {})

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Let each named fault strike with this probability, 0 to 1. Raises UnknownFault; then nothing is changed."""
        for key, rate in rates.items():
            _check(key)
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise UnknownFault(f"the rate of {key} must be between 0 and 1, not {rate!r}")
        self._rates.update(rates)

    def set_values(self, values: Mapping[str, float]) -> None:
        """Set `hang` or `retry_after`, in real seconds. Raises UnknownFault."""
        for key, value in values.items():
            if key not in self.values:
                raise UnknownFault(f"unknown value {key!r}, known: {', '.join(sorted(self.values))}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
                raise UnknownFault(f"{key} must be between 0 and 3600 seconds, not {value!r}")
        self.values.update(values)

    def arm(self, key: str, times: int = 1) -> None:
        """Let a fault strike at the next `times` looks; 0 disarms it. Raises UnknownFault."""
        _check(key)
        if isinstance(times, bool) or not isinstance(times, int) or times < 0:
            raise UnknownFault(f"{key} can be armed a whole number of times, not {times!r}")
        self._armed[key] = times

    def strikes(self, name: str, scope: str = "") -> bool:
        """Does the fault strike this time? It is counted when it does."""
        hit = False
        for key in (f"{name}:{scope}", name) if scope else (name,):
            hit = self._strikes_once(key)
            if hit:
                self.struck[name] += 1
                break
        return hit

    def _strikes_once(self, key: str) -> bool:
        if self._armed[key] > 0:
            self._armed[key] -= 1
            return True
        rate = self._rates.get(key, 0.0)
        if not rate:
            return False
        self._looks[key] += 1
        return chance(self._seed, key, self._looks[key]).random() < rate

    def as_dict(self) -> dict[str, object]:
        """For /site/state: rates, arms and how often each has struck."""
        return {
            "rates": {key: rate for key, rate in self._rates.items() if rate},
            "armed": {key: times for key, times in self._armed.items() if times},
            "struck": dict(self.struck),
            "values": dict(self.values),
        }


def chance(seed: int, *what: object) -> random.Random:
    """The dice for one thing: the same for the same seed and thing, whatever else was thrown before."""
    return random.Random("/".join(str(part) for part in (seed, *what)))  # noqa: S311 - a simulation, not a secret


def _check(key: str) -> None:
    if key.partition(":")[0] not in FAULTS:
        raise UnknownFault(f"unknown fault {key!r}, known: {', '.join(sorted(FAULTS))}")
