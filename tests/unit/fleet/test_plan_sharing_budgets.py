"""Jobs that share nodes, and budgets: who pays which part of a node, and who gets none; and what is booted beside them.

A node runs for an hour: of the small size it costs $0.20, of the large one $0.80."""

from __future__ import annotations

from typing import Any

import pytest
from pictures import T
from test_plan_sharing import job, loads, made, served

from arvnodeman.fleet.plan.picture import NodeTally
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.plan.purses import Funds
from arvnodeman.fleet.sizes.ladder import LadderHealth
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.budgets import Budget, BudgetStanding, Period
from arvnodeman.fleet.values.model import JobOwner, JobShape, ProviderSize, SizeSection
from arvnodeman.fleet.values.reasons_of_budgets import OverBudget
from arvnodeman.fleet.values.rungs import Purchase, Rung
from arvnodeman.fleet.values.spares import Spare

HOUR = 3600.0
PHYSICS, BIOLOGY = JobOwner("ada", "physics"), JobOwner("bob", "biology")


def paid(left: float, jobs: dict[JobShape, list[int]], coming: dict[JobShape, int] | None = None, **more: Any) -> Plan:
    """A plan while so many dollars are left of the money of physics, and the rest is committed."""
    standing = BudgetStanding(
        Budget("physics", 100.0, Period.MONTH, accounts=("physics",)),
        100.0,
        known=True,
        spent=50.0,
        committed=50 - left,
    )
    return made(jobs, funds=Funds((standing,), lives={"": HOUR}, coming=coming or {}), **more)


# ---- in the order of service -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "nodes"), [(0.0, 0), (0.1, 1), (0.2, 1), (0.21, 2), (0.39, 2), (0.7, 4)])
def test_nodes_are_booted_until_the_money_is_committed(left: float, nodes: int) -> None:
    """The last one may cost more than is left. Jobs that another pays for go on."""
    physics, biology = job(4, size="four", owner=PHYSICS), job(4, size="four", owner=BIOLOGY)
    of = paid(left, {physics: [0, 1, 2, 3, 4], biology: [5]})
    assert served(of) == [(nodes, nodes, 0), (1, 1, 0)]
    assert len(of.boots) == nodes + 1
    cause = of.shares[physics].cause
    assert isinstance(cause, OverBudget)
    assert of.shares[biology].cause is None
    assert of.stopped is None


def test_the_rest_of_a_job_comes_when_one_of_its_nodes_is_there() -> None:
    pair = job(3, nodes=2, size="four", owner=PHYSICS)
    there = NodeTally(supply={"four": (0, 1, 0, 0)}, nodes=1, up=1)
    of = paid(0.0, {pair: [0]}, {pair: 1}, tally=there)
    assert (loads(of), served(of)) == ({("four", ((3, 1),)): 1}, [(1, 1, 0)])
    of_another = paid(0.0, {pair: [0]}, tally=there)
    assert (list(of_another.boots), of_another.shares[pair].served) == ([], 0)
    assert isinstance(of_another.shares[pair].cause, OverBudget)


def test_a_job_whose_nodes_are_of_two_sizes_has_the_second_with_the_first() -> None:
    """There may be one of the small size, as a probe. It takes all that is left."""
    pair, health = job(4, nodes=2, owner=PHYSICS), SizeHealth(proven=True, backing_off=BackOff.CAPACITY, until=T - 1)
    of = paid(0.1, {pair: [0]}, health={"four": health}, options={"max_price_factor": 4.0})
    assert loads(of) == {("four", ((4, 1),)): 1, ("sixteen", ((4, 1),)): 1}
    assert (of.shares[pair].served, of.shares[pair].cause) == (1, None)


# ---- all at once -----------------------------------------------------------------------------------------------------


def test_each_job_is_paid_for_by_its_part_of_the_node() -> None:
    """Two thirds of each node are physics': $0.533. The second one may begin while $0.005 are left; else both are
    booted for biology, and physics' jobs have what is left of them."""
    three, nine = job(3, size="sixteen", owner=PHYSICS), job(9, size="sixteen", owner=BIOLOGY)
    jobs = {three: [0, 1, 2, 3], nine: [4, 5]}
    assert loads(paid(0.54, jobs)) == {("sixteen", ((3, 2), (9, 1))): 2}
    assert loads(paid(0.538, jobs)) == {("sixteen", ((9, 1), (3, 2))): 2}


def test_jobs_that_no_budget_pays_for_are_packed_as_without_any() -> None:
    seven, nine = job(7, size="sixteen", owner=BIOLOGY), job(9, size="sixteen", owner=BIOLOGY)
    assert loads(paid(0.0, {seven: [0, 1], nine: [2, 3]})) == {("sixteen", ((7, 1), (9, 1))): 2}


def test_jobs_on_reserved_capacity_that_costs_nothing_are_packed_whatever_money_is_left() -> None:
    ladder = (Rung("a", Purchase.RESERVED, 0.0, "r-1"), Rung("a", Purchase.ON_DEMAND, 0.8))
    section, offer = SizeSection("free", 16, "free", ladder=ladder), ProviderSize("free", "free", ram=64_000, price=0.8)
    health = {"free": LadderHealth(proven=True, ladder=ladder, rungs={})}
    seven, nine = job(7, owner=PHYSICS), job(9, owner=PHYSICS)
    of = paid(0.1, {seven: [0], nine: [1]}, table=SizeTable([section], [offer], 1.0), health=health)
    assert loads(of) == {("free", ((7, 1), (9, 1))): 1}


# ---- beside the jobs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("jobs", "idle", "begun"), [(1, 2, 0), (5, 1, 1), (12, 0, 2), (16, 0, 2)])
def test_nodes_that_no_sharing_job_has_count_as_spares(jobs: int, idle: int, begun: int) -> None:
    there = NodeTally(supply={"four": (3, 0, 0, 0)}, nodes=3, up=3)
    of = made({job(1): list(range(jobs))}, there, options={"spares": (Spare("ready", "four", 2),)})
    (share,) = of.spares
    assert (share.idle, share.begun) == (idle, begun)
    assert [new.spare for new in of.boots if not new.jobs] == ["ready"] * begun
