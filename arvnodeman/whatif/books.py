"""The books of what is played: hours and dollars of nodes, by what they did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.whatif.forecast import BootedNodes, Hours
from arvnodeman.whatif.paid import PlayedLedger

ON_DEMAND, PREEMPTIBLE = "on-demand", "preemptible"
HOUR = 3600.0


class NodePhase(IntEnum):
    """What a node does."""

    BOOTS = 0
    IS_IDLE = 1
    WORKS = 2
    ENDS = 3
    IS_SPARE = 4  # idle, and kept as a spare
    IS_AHEAD = 5  # idle, and kept for a job that cannot start yet


IDLE = frozenset({NodePhase.IS_IDLE, NodePhase.IS_SPARE, NodePhase.IS_AHEAD})


class Bought(NamedTuple):
    """What nodes are alike in that is paid for: a size, by one way to pay."""

    size: str
    price: float  # $/hour
    preemptible: bool


@dataclass(slots=True, eq=False)
class _NodeTimes:
    """Of one node."""

    bought: Bought
    created: float
    doing: NodePhase
    since: float
    spent: list[float] = field(default_factory=lambda: [0.0] * len(NodePhase))

    def now(self, doing: NodePhase, moment: float) -> None:
        self.spent[self.doing] += moment - self.since
        self.doing, self.since = doing, moment


@dataclass(slots=True)
class _Sum:
    boots: int = 0
    seconds: float = 0.0


class Books:
    """The times of each node that there is, and sums of those that have gone."""

    def __init__(self, sizes: Iterable[NodeSize]) -> None:
        self._sizes = {size.id: size for size in sizes}
        self.ledger: PlayedLedger | None = None  # where budgets ask who pays
        self._open: dict[str, _NodeTimes] = {}
        self._sums: dict[Bought, _Sum] = {}
        self._times = [0.0] * len(NodePhase)
        self._counts = [0] * len(NodePhase)
        self.most = 0
        self.failed = 0  # never came up

    def created(self, node: SimNode, now: float) -> None:
        """A node is made, and is paid for."""
        size = self._sizes[node.size]
        bought = Bought(node.size, node.price if node.rung else size.price, node.preemptible or size.preemptible)
        self._open[node.id] = _NodeTimes(bought, now, NodePhase.BOOTS, now)
        self._sums.setdefault(bought, _Sum()).boots += 1
        self._counts[NodePhase.BOOTS] += 1
        self.most = max(self.most, len(self._open))
        if self.ledger is not None:
            self.ledger.created(node, now)

    def does(self, node: SimNode, doing: NodePhase, now: float) -> None:
        """From now on. One that is idle as it was stays so for whom it was."""
        times = self._open.get(node.id)
        if times is not None and not (doing is NodePhase.IS_IDLE and times.doing in IDLE):
            self._goes_over(times, doing, now)

    def stand_ready(self, kind_of: Callable[[str], NodePhase], now: float) -> None:
        """What each node that is idle is idle for from now on, by its id."""
        for identity, times in self._open.items():
            if times.doing in IDLE:
                self._goes_over(times, kind_of(identity), now)

    def _goes_over(self, times: _NodeTimes, doing: NodePhase, now: float) -> None:
        if times.doing is not doing:
            self._counts[times.doing] -= 1
            self._counts[doing] += 1
            times.now(doing, now)

    def gone(self, node: SimNode, now: float) -> None:
        """It is paid for no more."""
        if self.ledger is not None:
            self.ledger.gone(node, now)
        times = self._open.pop(node.id)
        self._counts[times.doing] -= 1
        self._close(times, now)

    def _close(self, times: _NodeTimes, now: float) -> None:
        times.now(times.doing, now)
        self._sums[times.bought].seconds += now - times.created
        for doing, seconds in enumerate(times.spent):
            self._times[doing] += seconds

    def close(self, now: float) -> None:
        """Nothing more is played."""
        for times in self._open.values():
            self._close(times, now)
        self._open.clear()

    # ---- what is in them ---------------------------------------------------------------------------------------------

    def number(self, doing: NodePhase) -> int:
        """Nodes that do this now; of idle ones all."""
        return sum(self._counts[each] for each in IDLE) if doing is NodePhase.IS_IDLE else self._counts[doing]

    @property
    def price(self) -> float:
        """$ an hour of all nodes that there are now."""
        return sum(times.bought.price for times in self._open.values())

    @property
    def boots(self) -> int:
        """Nodes that were made."""
        return sum(each.boots for each in self._sums.values())

    def hours(self) -> Hours:
        """Of all nodes that have gone."""
        booting, idle, busy, ending, spare, ahead = (seconds / HOUR for seconds in self._times)
        return Hours(booting=booting, idle=idle, busy=busy, ending=ending, spare=spare, ahead=ahead)

    def by_size(self) -> dict[str, BootedNodes]:
        """Of those that were made at all, in the order of the names."""
        return {name: self._of([each for each in self._sums if each.size == name]) for name in self._names()}

    def by_purchase(self) -> dict[str, BootedNodes]:
        """The same, together."""
        together: dict[str, list[Bought]] = {}
        for bought in sorted(self._sums):
            together.setdefault(PREEMPTIBLE if bought.preemptible else ON_DEMAND, []).append(bought)
        return {purchase: self._of(together[purchase]) for purchase in sorted(together)}

    def _names(self) -> list[str]:
        return sorted({bought.size for bought in self._sums})

    def _of(self, together: Iterable[Bought]) -> BootedNodes:
        sums = [(self._sums[bought], bought.price) for bought in together]
        hours = sum(each.seconds for each, _ in sums) / HOUR
        cost = sum(each.seconds / HOUR * price for each, price in sums)
        return BootedNodes(boots=sum(each.boots for each, _ in sums), hours=hours, cost=cost)
