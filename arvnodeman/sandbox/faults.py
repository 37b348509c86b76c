"""What can go wrong at the site, by name. Each fault strikes by rate and seed, or the next n times when armed.

A fault is declared here once and looked at (`Faults.strikes`) at the one place where it happens. A scope narrows it:
the rate of `create-capacity:small` counts for the size small alone, that of `create-capacity` for every size.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """Where a fault strikes, and when it is looked at."""

    REQUEST = "request"  # each HTTP request of the daemon; scope: cloud, arvados or slurm
    CREATE = "create"  # each create request at the cloud
    DESTROY = "destroy"  # each destroy request at the cloud
    LIST = "list"  # each page of a list of cloud nodes
    RECORD = "record"  # each list, or change, of node records
    NODE = "node"  # once in the life of each node; scope: its size
    SITE = "site"  # once in each simulated minute


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: its name, where it strikes, and what the daemon sees of it."""

    name: str
    place: Where
    meaning: str


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("http-slow", Where.REQUEST, "the answer trickles in, over `slow` seconds"),
        Fault("http-hangs", Where.REQUEST, "no answer for `hang` seconds, then none; every other time it was obeyed"),
        Fault("http-stalls", Where.REQUEST, "half of the answer, then nothing for `hang` seconds"),
        Fault("http-cut", Where.REQUEST, "half of the answer, then the end of the connection"),
        Fault("http-closed", Where.REQUEST, "the connection ends without an answer; every other time it was obeyed"),
        Fault("http-unavailable", Where.REQUEST, "503, and nothing is done"),
        Fault("create-quota", Where.CREATE, "create answers QuotaExceeded"),
        Fault("create-capacity", Where.CREATE, "create answers InsufficientCapacity; scope: the size"),
        Fault("zone-full", Where.CREATE, "create in a zone answers InsufficientCapacity; scope: the zone"),
        Fault("create-invalid", Where.CREATE, "create answers InvalidParameter; scope: the size"),
        Fault("create-throttled", Where.CREATE, "create answers Throttled with Retry-After"),
        Fault("create-lost", Where.CREATE, "create works, but its answer is lost: it hangs, then 503"),
        Fault("tags-late", Where.CREATE, "the node is listed without its tags for `lag` seconds"),
        Fault("destroy-fails", Where.DESTROY, "destroy answers 503 and does nothing"),
        Fault("destroy-lost", Where.DESTROY, "destroy works, but its answer is lost: it hangs, then 503"),
        Fault("list-unavailable", Where.LIST, "a list of nodes answers 503"),
        Fault("list-lags", Where.LIST, "a list of nodes is as it was `lag` seconds ago"),
        Fault("list-repeats", Where.LIST, "a page of a list shows each node twice"),
        Fault("list-loses-page", Where.LIST, "a page of a list is empty"),
        Fault("records-old", Where.RECORD, "a list of node records is as it was `lag` seconds ago"),
        Fault("records-forget", Where.RECORD, "a change of a node record is answered well, and forgotten"),
        Fault("node-never-pings", Where.NODE, "a node boots, costs, and is never heard from"),
        Fault("node-dies-booting", Where.NODE, "a node vanishes while it boots"),
        Fault("node-dies-working", Where.NODE, "a node vanishes while it runs a job (looked at for each job)"),
        Fault("node-reboots", Where.NODE, "a node's computer starts again; its job is lost"),
        Fault("node-loses-ping", Where.NODE, "a node stops pinging, and works on"),
        Fault("node-loses-slurmd", Where.NODE, "a node's slurmd ends, its job with it; it pings on"),
        Fault("node-reclaimed", Where.NODE, "the cloud takes a preemptible node: terminated, or listed as preempted"),
        Fault("cloud-away", Where.SITE, "the cloud answers nobody for `outage` seconds"),
        Fault("arvados-away", Where.SITE, "the API server answers nobody for `outage` seconds"),
        Fault("slurm-away", Where.SITE, "slurmctld answers nobody for `outage` seconds"),
        Fault("slurm-restarts", Where.SITE, "slurmctld is away for a moment; features and weights are lost"),
        Fault("clock-jumps", Where.SITE, "a server's clock is up to `clock` seconds off; scope: cloud or arvados"),
    )
}

DEFAULT_VALUES: Mapping[str, float] = {
    "hang": 1.0,  # real seconds before a lost answer's 503, or the end of a connection that hangs
    "retry_after": 1.0,  # real seconds in the Retry-After of create-throttled
    "slow": 1.0,  # real seconds that a slow answer takes
    "lag": 60.0,  # simulated seconds by which lists are old and tags late
    "outage": 60.0,  # simulated seconds that a service is away
    "clock": 100.0,  # real seconds by which a clock may be off, to either side
}


def names_of(*places: Where) -> tuple[str, ...]:
    """The faults of these places."""
    return tuple(fault.name for fault in FAULTS.values() if fault.place in places)


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
        """Set what DEFAULT_VALUES names, in seconds. Raises UnknownFault."""
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

    @property
    def armed(self) -> frozenset[str]:
        """Those that strike at the next look."""
        return frozenset(key for key, times in self._armed.items() if times > 0)

    def end(self) -> None:
        """No fault strikes any more."""
        self._rates.clear()
        self._armed.clear()

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
    """The random numbers for one thing: the same for the same seed and thing, whatever else was drawn before."""
    return random.Random("/".join(str(part) for part in (seed, *what)))  # noqa: S311 - a simulation, not a secret


def _check(key: str) -> None:
    if key.partition(":")[0] not in FAULTS:
        raise UnknownFault(f"unknown fault {key!r}, known: {', '.join(sorted(FAULTS))}")
