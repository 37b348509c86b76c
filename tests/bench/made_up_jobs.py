"""Made-up jobs of a research cluster, the same from the same seed, and menus of sizes to run them on.

How large jobs are, how long they run and when in the day they come follows the model of rigid jobs by U. Lublin and
D. Feitelson (J. Parallel and Distributed Computing 63(11), 2003), with its parameters for all jobs together. That users
have few kinds of jobs which they run again and again, many at once at times, and how much memory these take, is ours.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

DAY = 86_400.0
SERIAL, POWER_OF_TWO = 0.244, 0.576  # shares of jobs
SMALL_LOG, MIDDLE_LOG, SMALL_SHARE = 0.8, 4.5, 0.86  # of the binary logarithm of the cores, uniform in two ranges
SHORT, LONG = (4.2, 0.94), (312.0, 0.03)  # gamma distributions of the natural logarithm of the seconds
SLOPE, OFFSET = -0.0054, 0.78  # share of the short ones: SLOPE * cores + OFFSET
RHYTHM, FIRST_HALF_HOUR = (8.1737, 3.9631), 11  # a gamma distribution over the half hours of a day
LONGEST = 8 * 3600.0
USERS = 200
VOLLEY = 0.12  # of a user's sessions: the jobs come at once
MB_OF_A_CORE = ((500, 2), (1000, 3), (1900, 4), (3800, 5), (7600, 2), (15_000, 0.5))  # and how often


class MadeUpJob(NamedTuple):
    """One job; seconds, cores and MB of each of its nodes."""

    at: float
    seconds: float
    cores: int
    ram: int
    nodes: int
    user: int = 0


class Offer(NamedTuple):
    """A size; MB, $ an hour."""

    name: str
    cores: int
    ram: int
    price: float


FAMILIES = (("lean", 2000, 0.0425), ("plain", 4000, 0.048), ("fat", 8000, 0.063))  # MB and $ an hour of each core
MENU = tuple(
    Offer(f"{name}{cores}", cores, cores * ram, cores * price)
    for name, ram, price in FAMILIES
    for cores in (2, 8, 16, 32)
)
"""A dozen sizes, priced as the large clouds do it."""


class _Kind(NamedTuple):
    cores: int
    ram: int
    seconds: float


def day_of_jobs(count: int, seed: int, *, most_cores: int = 32) -> list[MadeUpJob]:
    """So many jobs that come within a day, by time. What is wider than half the largest node has several nodes."""
    rng = random.Random(seed)
    users = [[_kind(rng, most_cores) for _ in range(1 + int(rng.expovariate(0.5)))] for _ in range(USERS)]
    popular = list(itertools.accumulate((rank + 1) ** -0.9 for rank in range(USERS)))
    found: list[MadeUpJob] = []
    while len(found) < count:
        user = bisect.bisect(popular, rng.random() * popular[-1])
        kinds = users[user]
        jobs = _session(rng, kinds, most_cores)
        found += (job._replace(user=user) for job in itertools.islice(jobs, count - len(found)))
    return sorted(found)


def _kind(rng: random.Random, most_cores: int) -> _Kind:
    cores = _cores(rng, math.log2(2 * most_cores))
    ram = rng.choices([ram for ram, _ in MB_OF_A_CORE], [weight for _, weight in MB_OF_A_CORE])[0]
    if cores * ram > 200_000:
        ram = 3800
    return _Kind(cores, ram, _seconds(rng, cores))


def _cores(rng: random.Random, largest_log: float) -> int:
    kind = rng.random()
    if kind < SERIAL:
        return 1
    small = rng.random() < SMALL_SHARE
    log = rng.uniform(SMALL_LOG, MIDDLE_LOG) if small else rng.uniform(MIDDLE_LOG, largest_log)
    return max(1, round(2 ** (round(log) if kind < SERIAL + POWER_OF_TWO else log)))


def _seconds(rng: random.Random, cores: int) -> float:
    short = min(max(SLOPE * cores + OFFSET, 0.0), 1.0)
    while True:
        seconds = math.exp(rng.gammavariate(*(SHORT if rng.random() < short else LONG)))
        if seconds <= LONGEST:
            return max(10.0, seconds)


def _session(rng: random.Random, kinds: Sequence[_Kind], most_cores: int) -> Iterator[MadeUpJob]:
    """A user at work: a few jobs, minutes apart, or many at once."""
    volley = rng.random() < VOLLEY
    at, kind = _moment(rng), rng.choice(kinds)
    for _ in range(min(int(rng.paretovariate(1.3)) * (8 if volley else 1), 64)):
        seconds = min(LONGEST, max(10.0, kind.seconds * rng.lognormvariate(0, 0.5)))
        nodes = math.ceil(kind.cores / (most_cores // 2))
        cores = math.ceil(kind.cores / nodes)
        yield MadeUpJob(round(at % DAY, 1), round(seconds, 1), cores, cores * kind.ram, nodes)
        at += rng.random() * 2 if volley else rng.lognormvariate(5.3, 1.1)
        if rng.random() < 0.15:
            kind = rng.choice(kinds)


def _moment(rng: random.Random) -> float:
    """A time of the day, at which people work."""
    half_hours = FIRST_HALF_HOUR + 48.0
    while not FIRST_HALF_HOUR <= half_hours < FIRST_HALF_HOUR + 48:
        half_hours = rng.gammavariate(*RHYTHM)
    return half_hours % 48 * 1800


def fluid_bound(jobs: Sequence[MadeUpJob], menu: Sequence[Offer]) -> float:
    """$ below which no way to run the jobs can come, though they shared nodes without a rest, nodes came and went in no
    time, and were hired by the second: the largest worth of their core and memory hours, at prices of a core and of a
    MB at which no size is worth more than it costs."""
    hours = sum(job.seconds / 3600 * job.cores * job.nodes for job in jobs)
    megabytes = sum(job.seconds / 3600 * job.ram * job.nodes for job in jobs)
    return max(hours * core + megabytes * ram for core, ram in _prices(menu))


def _prices(menu: Sequence[Offer]) -> Iterator[tuple[float, float]]:
    """The corners of what a core and a MB may be worth."""
    lines = [(offer.cores, offer.ram, offer.price) for offer in menu]
    corners = [(min(price / cores for cores, _, price in lines), 0.0), (0.0, min(p / ram for _, ram, p in lines))]
    for (a, b, p), (c, d, q) in itertools.combinations(lines, 2):
        if abs(a * d - b * c) > 1e-9:
            corners.append(((p * d - b * q) / (a * d - b * c), (a * q - c * p) / (a * d - b * c)))
    for core, ram in corners:
        if core >= 0 and ram >= 0 and all(core * a + ram * b <= p * (1 + 1e-9) for a, b, p in lines):
            yield core, ram
