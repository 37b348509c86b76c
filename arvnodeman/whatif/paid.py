"""Who pays for what is played: a ledger in virtual time, and budgets that are asked by it, as the daemon's are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from arvnodeman.fleet.messages import Poll, QueueListed, Step
from arvnodeman.fleet.values.budgets import Budget, BudgetStanding, Spent
from arvnodeman.fleet.values.model import JobShape, NodeSize
from arvnodeman.foresight.sim_cloud import SimNode
from arvnodeman.history.treasury import Treasury
from arvnodeman.loop.world import Answer, Listed, World
from arvnodeman.money.division import Charge, PaidNode, Stake, Stay, part_of
from arvnodeman.money.ledger import CostLedger, NodeBill
from arvnodeman.money.payers import Payer, payer_of_shape
from arvnodeman.whatif.forecast import BudgetPlayed


@dataclass(slots=True, eq=False)
class JobOnNode:
    """A job that runs. `limit`: seconds that it may."""

    id: str
    shape: JobShape
    limit: float = math.inf


@dataclass(slots=True, eq=False)
class _Followed:
    bill: NodeBill
    size: NodeSize
    there: dict[str, Stay] = field(default_factory=dict)  # by job


class PlayedLedger(CostLedger):
    """Told of each node by the site. What boots and idles before the first job of a node is that one's to pay."""

    is_ready = True

    def __init__(self, sizes: Iterable[NodeSize], since: float, *, periods: bool = True) -> None:
        """`periods`: it is asked what was spent in some time; else only what was spent in all."""
        super().__init__(since)
        self._sizes = {size.id: size for size in sizes}
        self._followed: dict[str, _Followed] = {}
        self._periods = periods
        self._totals: dict[Payer, float] = {}

    def created(self, node: SimNode, now: float) -> None:
        """A node is made, and is paid for."""
        size = self._sizes[node.size]
        price = node.price if node.rung else size.price
        self._followed[node.id] = _Followed(NodeBill(PaidNode(price, now, None, size.id), host=node.hostname), size)
        self._refresh()

    def runs(self, node: SimNode, jobs: Sequence[JobOnNode], now: float) -> None:
        """These are on it from now on, and no others."""
        followed = self._followed.get(node.id)
        if followed is None:
            return
        bill, there = followed.bill, followed.there
        bill.host = node.hostname
        for gone in there.keys() - {job.id for job in jobs}:
            there.pop(gone).ended = now
        for job in jobs:
            if job.id not in there:
                part = part_of(job.shape.cores, job.shape.ram, followed.size.cores, followed.size.ram)
                stake = Stake(job.id, payer_of_shape(job.shape), part)
                stay = there[job.id] = Stay(stake, now, None, now + job.limit)
                bill.stays.append(stay)
                bill.node.stakes = bill.node.stakes or (stake,)

    def gone(self, node: SimNode, now: float) -> None:
        """It is paid for no more."""
        followed = self._followed.pop(node.id, None)
        if followed is None:
            return
        followed.bill.node.ended = now
        for stay in followed.there.values():
            stay.ended = now
        self.settle(followed.bill, now)
        self.lived(followed.size.id, now - followed.bill.node.began)
        self._refresh()

    def bring_up_to(self, now: float) -> None:
        """Book what nodes with jobs have cost by now."""
        for followed in self._followed.values():
            if followed.bill.node.stakes:
                self.settle(followed.bill, now)

    def totals(self, now: float) -> Mapping[Payer, float]:
        """What each has spent in all, in $."""
        for followed in self._followed.values():
            self.settle(followed.bill, now)
        return self._totals

    def _book(self, charge: Charge) -> None:
        payer = charge.stake.payer
        self._totals[payer] = self._totals.get(payer, 0.0) + charge.dollars
        if self._periods:
            super()._book(charge)

    def _refresh(self) -> None:
        self.follow([followed.bill for followed in self._followed.values()])


@dataclass(slots=True)
class _Kept:
    """One budget in one period."""

    spent: Spent
    over: float = 0.0  # spent above the limit
    committed: float = 0.0  # at most, from when the limit was reached on
    reached: bool = False


class BudgetedWorld:
    """A World whose queue comes with what budgets have spent."""

    def __init__(
        self,
        world: World,
        ledger: PlayedLedger,
        budgets: Sequence[Budget],
        standings: Callable[[], Iterable[BudgetStanding]],
    ) -> None:
        """`standings`: as the brain decides by them, with what it has booted."""
        self._standings = standings
        self._world, self._ledger, self._budgets = world, ledger, budgets
        self._treasury = Treasury(ledger)
        self._kept: dict[tuple[str, float], _Kept] = {}

    def list(self, poll: Poll) -> Listed:
        """One list. Raises RemoteFailure."""
        listed = self._world.list(poll)
        if not isinstance(listed, QueueListed):
            return listed
        return replace(listed, spending=self._treasury.spending(self._budgets, self._take_stock(listed.started)))

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """What steps ask for. Raises RemoteFailure."""
        return self._world.do(steps)

    def _take_stock(self, now: float) -> float:
        self._ledger.bring_up_to(now)
        spending = self._treasury.spending(self._budgets, now)
        for budget in self._budgets:
            spent = spending.budgets[budget.name]
            kept = self._kept.setdefault((budget.name, spent.since), _Kept(spent))
            kept.spent = spent
            kept.over = max(0.0, spent.spent - budget.limit)
        for standing in self._standings():
            newest = self._kept.get((standing.budget.name, spending.budgets[standing.budget.name].since))
            if newest is not None and (newest.reached or standing.is_used_up):
                newest.reached, newest.committed = True, max(newest.committed, standing.committed)
        return now

    def played(self, now: float) -> Sequence[BudgetPlayed]:
        """How each has held, up to this moment."""
        self._take_stock(now)
        return [self._played(budget) for budget in self._budgets]

    def _played(self, budget: Budget) -> BudgetPlayed:
        periods = [kept for (name, _), kept in self._kept.items() if name == budget.name]
        worst = max(periods, key=lambda kept: (kept.over, kept.spent.spent))
        return BudgetPlayed(
            name=budget.name,
            limit=budget.limit,
            per=budget.per.value,
            periods=len(periods),
            reached=sum(kept.reached for kept in periods),
            spent=sum(kept.spent.spent for kept in periods),
            most=worst.spent.spent,
            over=worst.over,
            committed=worst.committed,
        )
