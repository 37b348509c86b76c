"""How long nodes take to come and to go: times between the moments of a node's life, counted in buckets."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.values.model import NodeState

KEPT = 100  # boots of a size that are remembered
FEW = 3  # that say nothing yet
BOUNDS = (10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0)  # seconds


class Span(StrEnum):
    """What is timed."""

    LISTED = "created to listed"  # from the cloud's answer to its list
    PAIRED = "created to paired"
    UP = "created to up"  # Slurm calls it idle or busy
    WORK = "created to first work"
    DESTROYED = "shutdown to destroyed"  # from the decision, the drain included
    GONE = "shutdown to gone"  # until no list shows it


class Spread(NamedTuple):
    """How a time was spread: so many up to each of BOUNDS, and beyond the last; their sum in seconds."""

    counts: tuple[int, ...]
    total: float


@dataclass(slots=True)
class Tally:
    """Counts times. Changed by the Fleet alone."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def spread(self) -> Spread:
        """As it is now, for others to read."""
        return Spread(tuple(self.counts), self.total)


@dataclass(slots=True)
class _Youth:
    node: Node
    created: float
    reached: set[Span] = field(default_factory=set)


class Milestones:
    """Follows nodes from their creation to their first work, and from their destruction until no list shows them."""

    def __init__(self) -> None:
        self._tallies = {span: Tally() for span in Span}
        self._young: dict[str, _Youth] = {}  # node id -> its youth
        self._going: dict[str, float] = {}  # node id -> when its shutdown was decided
        self._boots: dict[str, deque[float]] = {}  # by size: seconds from create to up, the newest

    def created(self, node: Node, t: float) -> None:
        """The cloud has made a node for us."""
        self._young[node.id] = _Youth(node, t)

    def destroyed(self, node: Node, decided: float, t: float) -> None:
        """The cloud has destroyed a node for us; its shutdown was decided at steady time `decided`."""
        self._tallies[Span.DESTROYED].add(t - decided)
        self._going[node.id] = decided

    def observe(self, nodes: Mapping[str, Node], t: float) -> None:
        """A list has been taken in. Costs what there are young and going nodes."""
        for identity, youth in list(self._young.items()):
            node = youth.node
            for span in _reached(node):
                if span not in youth.reached:
                    youth.reached.add(span)
                    self._tallies[span].add(t - youth.created)
                    if span is Span.UP and node.size is not None:
                        self._boots.setdefault(node.size.id, deque(maxlen=KEPT)).append(t - youth.created)
            if Span.WORK in youth.reached or nodes.get(identity) is not node:
                del self._young[identity]
        for identity in [identity for identity in self._going if identity not in nodes]:
            self._tallies[Span.GONE].add(t - self._going.pop(identity))

    def boot_times(self, size: str) -> tuple[float, float] | None:
        """Seconds from create to up, of nodes of a size, else of all: of half of them, and of nine of ten at most.
        None: too few have come up."""
        found = sorted(self._boots.get(size, ()))
        if len(found) < FEW:
            found = sorted(seconds for boots in self._boots.values() for seconds in boots)
        if len(found) < FEW:
            return None
        return found[len(found) // 2], found[math.ceil(0.9 * len(found)) - 1]

    def spreads(self) -> dict[Span, Spread]:
        """All times so far."""
        return {span: tally.spread() for span, tally in self._tallies.items()}


def _reached(node: Node) -> list[Span]:
    found = [Span.LISTED] if node.listed else []
    if node.record is not None:
        found.append(Span.PAIRED)
    if node.been_up:
        found.append(Span.UP)
    if node.state is NodeState.BUSY or node.slurm_busy:
        found.append(Span.WORK)
    return found
