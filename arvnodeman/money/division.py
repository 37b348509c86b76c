"""The rule by which what a node costs is divided.

At each moment all that a node costs is divided. While jobs are on it, among these: in proportion to the larger of
their shares of its cores and of its memory, whatever these add up to. While none is (it boots, idles, is drained,
goes), among the jobs that it was booted for, by the same shares. One that was booted for none is the overhead's then.

So the parts of a node are the node, to the last digit that a float has, for any time whatever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from arvnodeman.money.payers import OVERHEAD, Payer

LEAST_PART = 1e-6  # of a node, by a job of which nothing is known, or that asks for next to nothing


class Stake(NamedTuple):
    """One job's part in a node."""

    job: str  # its number, or the uuid of its container; '' for none
    payer: Payer
    part: float = 1.0  # the larger of its shares of the node's cores and memory


NO_JOB = Stake("", OVERHEAD)


@dataclass(slots=True)
class Stay:
    """One job on one node. Moments are seconds since the epoch."""

    stake: Stake
    began: float
    ended: float | None = None  # None: it is there
    limit: float | None = None  # when its time limit ends, infinity for none; None: not known

    def lasts_beyond(self, moment: float) -> bool:
        """Is it there yet right after this moment, if it had begun by then?"""
        return self.ended is None or self.ended > moment


@dataclass(slots=True)
class PaidNode:
    """One node at one price."""

    price: float  # $/hour
    began: float
    ended: float | None = None  # None: it is there
    size: str = ""
    stakes: Sequence[Stake] = ()  # of the jobs that it was booted for


class Charge(NamedTuple):
    """What one job pays of one node for some time."""

    since: float
    until: float
    stake: Stake
    dollars: float
    hours: float  # of the node, its part
    works: bool  # it was on the node then; else it pays for the node's boot, its idle time or its end


def part_of(cpus: float, ram: float, has_cpus: float, has_ram: float) -> float:
    """The larger of two shares of a node, from next to nothing to all of it. 0 is not known, and counts for nothing.
    `ram`, `has_ram`: MB."""
    shares = [each / whole for each, whole in ((cpus, has_cpus), (ram, has_ram)) if whole > 0]
    return min(1.0, max([LEAST_PART, *shares]))


def divided(stakes: Sequence[Stake]) -> list[tuple[Stake, float]]:
    """The part that each of these pays of a node on which they are; together 1."""
    weights = [max(LEAST_PART, stake.part) for stake in stakes]
    whole = sum(weights)
    return [(stake, weight / whole) for stake, weight in zip(stakes, weights, strict=True)]


def charges(node: PaidNode, stays: Iterable[Stay], since: float, until: float) -> Iterator[Charge]:
    """What each job pays of a node between two moments, in the order of time. Together it is what the node costs."""
    since, until = max(since, node.began), min(until, node.ended if node.ended is not None else until)
    if until <= since:
        return
    here = [
        stay for stay in stays if stay.began < until and (stay.ended is None or stay.ended > max(since, stay.began))
    ]
    edges = {since, until}
    for stay in here:
        edges |= {edge for edge in (stay.began, stay.ended) if edge is not None and since < edge < until}
    here.sort(key=lambda stay: stay.began)
    on_it: list[Stay] = []
    moments = sorted(edges)
    following = 0
    for begin, end in pairwise(moments):
        on_it = [stay for stay in on_it if stay.lasts_beyond(begin)]
        while following < len(here) and here[following].began <= begin:
            if here[following].lasts_beyond(begin):
                on_it.append(here[following])
            following += 1
        yield from _charges_now(node, on_it, begin, end)


def _charges_now(node: PaidNode, on_it: Sequence[Stay], begin: float, end: float) -> Iterator[Charge]:
    """Of a time in which no job comes or goes."""
    hours = (end - begin) / 3600
    stakes = [stay.stake for stay in on_it] or node.stakes or (NO_JOB,)
    for stake, part in divided(stakes):
        yield Charge(begin, end, stake, node.price * hours * part, hours * part, bool(on_it))


def stakes_now(node: PaidNode, stays: Iterable[Stay], now: float) -> Sequence[Stake]:
    """Who pays for a node at this moment."""
    on_it = [stay.stake for stay in stays if stay.began <= now and stay.lasts_beyond(now)]
    return on_it or node.stakes or (NO_JOB,)
