"""When rows that are quiet are to be looked at all the same."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from arvnodeman.fleet.nodes.node import Node


class Alarms:
    """One for each row at most. One that is set again for later rings at its first time, and may be put off then: so
    stamps that become newer with each list cost nothing."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Node]] = []

    def set(self, node: Node, at: float) -> None:
        """Ring for a row at this time, or earlier."""
        if node.alarm is None or at < node.alarm:
            node.alarm = at
            heapq.heappush(self._heap, (at, node.turn, node))

    def due(self, now: float) -> Iterator[Node]:
        """The rows whose alarm rings."""
        while self._heap and self._heap[0][0] <= now:
            at, _, node = heapq.heappop(self._heap)
            if node.alarm == at:
                node.alarm = None
                yield node
