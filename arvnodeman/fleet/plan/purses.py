"""What budgets let be booted: asked for each job that lacks nodes, after all that exists was matched.

A budget lets nodes be booted as long as what is spent and committed is below its limit; what a plan boots is committed
from then on. So the last node may go beyond the limit, and with it the period ends at most what was committed above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.values.budgets import HALF_CENT, USUAL_LIFE, BudgetStanding
from arvnodeman.fleet.values.model import JobShape, NodeSize
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_budgets import BudgetUnknown, OverBudget

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Funds:
    """What budgets say, as a picture has it. Nothing, where there are none."""

    standings: Sequence[BudgetStanding] = ()
    limits: Mapping[JobShape, float] = field(default_factory=dict)  # seconds: the longest time limit of a group's jobs
    lives: Mapping[str, float] = field(default_factory=dict)  # mean life of a node in seconds, by size; '': of any
    coming: Mapping[JobShape, int] = field(default_factory=dict)  # nodes booted for a group that have had no work yet

    def life(self, shape: JobShape | None, size: str) -> float:
        """For how long a new node is likely to be paid for."""
        limit = self.limits.get(shape) if shape is not None else None
        return limit if limit is not None else self.lives.get(size, self.lives.get("", USUAL_LIFE))

    def cost(self, standing: BudgetStanding, shape: JobShape | None, size: str, price: float, t: float) -> float:
        """What a new node of this price commits of a budget, in its period."""
        seconds = self.life(shape, size)
        if standing.until is not None:
            seconds = min(seconds, max(0.0, standing.until - t))
        return price * seconds / HOUR

    def spent_out(self, shape: JobShape | None) -> Reason | None:
        """A budget all of whose money is spent, of those that pay for such jobs: they get no node, also none that is
        there. None: of those that pay for nobody's nodes."""
        spent = [each for each in self.standings if each.refuses and each.is_spent and each.budget.covers(shape)]
        return over(nearest(spent)) if spent else None


NO_FUNDS = Funds()


class Purses:
    """The budgets while one plan is made."""

    def __init__(self, funds: Funds, t: float) -> None:
        self._funds, self._t = funds, t
        self._refusing = [each for each in funds.standings if each.refuses]
        self._left = {each.budget.name: each.left for each in self._refusing}
        self._of: dict[JobShape | None, list[BudgetStanding]] = {}
        self._begun: dict[JobShape, int] = {}  # the place of a job that has some of its nodes by this plan

    def stops(self, shape: JobShape | None, place: int = -1, partly: int = 0) -> Reason | None:
        """The budget that lets no node be booted for such a job; None: all do. `place`: its turn; `partly`: nodes that
        it has. One of several nodes of which some were booted has the others, too."""
        if not self._refusing:
            return None
        standings = self._standings(shape)
        if shape is not None and partly and standings:
            coming = self._funds.coming.get(shape, 0)
            if self._begun.get(shape) == place or coming % shape.nodes:
                return None
        unknown = next((each for each in standings if not each.known), None)
        if unknown is not None:
            return BudgetUnknown(until=unknown.until, budget=unknown.budget.name)
        empty = [each for each in standings if self._left[each.budget.name] < HALF_CENT]
        return over(nearest(empty)) if empty else None

    def take(self, shape: JobShape | None, size: NodeSize, nodes: int, place: int = -1) -> None:
        """So many nodes of a size are booted for such jobs; the size at the rung where they are asked for."""
        if not self._refusing:
            return
        for each in self._standings(shape):
            self._left[each.budget.name] -= nodes * self._funds.cost(each, shape, size.id, size.price, self._t)
        if shape is not None:
            self._begun[shape] = place

    def _standings(self, shape: JobShape | None) -> list[BudgetStanding]:
        found = self._of.get(shape)
        if found is None:
            found = self._of[shape] = [each for each in self._refusing if each.budget.covers(shape)]
        return found


def nearest(standings: Sequence[BudgetStanding]) -> BudgetStanding:
    """Of budgets that stop a job the nearer one: of which least is left."""
    return min(standings, key=lambda each: (each.left, each.budget.name))


def over(standing: BudgetStanding) -> OverBudget:
    """Why it lets nothing be booted."""
    return OverBudget(
        until=standing.until,
        budget=standing.budget.name,
        limit=standing.limit,
        per=standing.budget.per.value,
        spent=standing.spent,
        committed=standing.committed,
        ends=standing.ends,
        raised=standing.raised.amount if standing.raised is not None else 0.0,
    )
