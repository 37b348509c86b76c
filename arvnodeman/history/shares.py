"""Who pays for the nodes of a time: their costs by account, user, job, partition or size, made of the history file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from arvnodeman.history.paying import paid_lives
from arvnodeman.money.dearest import NOBODY, NOT_KNOWN
from arvnodeman.money.division import Charge, charges


@dataclass(frozen=True, slots=True)
class PaidShare:
    """What one of them pays."""

    name: str
    jobs: int = 0
    node_hours: float = 0.0
    cost: float = 0.0  # $
    around: float = 0.0  # of it: for boots, idle time and ends of nodes
    user: str = ""  # of a job
    account: str = ""


@dataclass(frozen=True, slots=True)
class SharesReport:
    """All of them, the dearest first. Moments are seconds since the epoch."""

    by: str
    since: float
    until: float
    begins: float | None  # the history; None: nothing is recorded at all
    shares: Sequence[PaidShare] = ()

    @property
    def total(self) -> PaidShare:
        """All together: what the nodes have cost."""
        hours, cost, around = (
            sum(getattr(share, name) for share in self.shares) for name in ("node_hours", "cost", "around")
        )
        return PaidShare("total", sum(share.jobs for share in self.shares), hours, cost, around)


@dataclass(slots=True)
class _Sum:
    """What comes together of one of them."""

    jobs: set[str]
    hours: float = 0.0
    cost: float = 0.0
    around: float = 0.0
    user: str = ""
    account: str = ""


def _name(text: str) -> str:
    return text or NOT_KNOWN


_OF_CHARGE: Mapping[str, Callable[[Charge], str]] = {
    "account": lambda charge: _name(charge.stake.payer.account),
    "user": lambda charge: _name(charge.stake.payer.user),
    "partition": lambda charge: _name(charge.stake.payer.partition),
    "job": lambda charge: charge.stake.job,
}
BY = (*_OF_CHARGE, "size")


def make(connection: sqlite3.Connection, by: str, since: float, until: float, seen: float) -> SharesReport:
    """The report of that time; nodes that have not ended lived until `seen`. `by`: one of BY. Raises sqlite3.Error."""
    first = connection.execute("SELECT min(at) FROM sample").fetchone()[0]
    sums: dict[str, _Sum] = {}
    for size, charge in _charges(connection, since, until, seen):
        name = _name(size) if by == "size" else _OF_CHARGE[by](charge) if charge.stake.job else NOBODY
        found = sums.get(name)
        if found is None:
            user, account, *_ = charge.stake.payer
            found = sums[name] = _Sum(set(), user=user if by == "job" else "", account=account if by == "job" else "")
        if charge.stake.job:
            found.jobs.add(charge.stake.job)
        found.hours += charge.hours
        found.cost += charge.dollars
        found.around += 0.0 if charge.works else charge.dollars
    shares = [
        PaidShare(name, len(found.jobs), found.hours, found.cost, found.around, found.user, found.account)
        for name, found in sums.items()
    ]
    return SharesReport(by, since, until, first, sorted(shares, key=lambda share: (-share.cost, share.name)))


def _charges(connection: sqlite3.Connection, since: float, until: float, seen: float) -> Iterator[tuple[str, Charge]]:
    """With the node's size."""
    for life in paid_lives(connection, since, until):
        end = until if life.node.ended is not None else min(until, seen)
        for charge in charges(life.node, life.stays, since, end):
            yield life.node.size, charge
