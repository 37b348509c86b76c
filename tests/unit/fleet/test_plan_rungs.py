"""Sizes with rungs in the plan: a node costs what its first open rung does."""

from __future__ import annotations

from typing import Any

import pytest
from pictures import BIG, OFFERS, ONE, T, bounds, picture
from world import policy

from arvnodeman.fleet.plan.picture import NodeTally
from arvnodeman.fleet.plan.plan import Plan, plan
from arvnodeman.fleet.sizes.ladder import LadderHealth
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.fleet.values.rungs import Purchase, Rung

SPOT, DEMAND = Rung("a", Purchase.SPOT, 0.03), Rung("a", Purchase.ON_DEMAND, 0.5)
LADDER = (SPOT, DEMAND)
SECTIONS = (SizeSection("small", 1, "small"), SizeSection("large", 4, "large", ladder=LADDER))


def resting(why: BackOff = BackOff.CAPACITY, until: float = T + 60, quota_nodes: int = 0) -> SizeHealth:
    return SizeHealth(proven=True, backing_off=why, until=until, quota_nodes=quota_nodes)


def made(shape: Any, cap: float = 0.0, spot: SizeHealth | None = None, nodes: int = 0, **options: Any) -> Plan:
    """Two jobs. A small node costs $0.10; a large one $0.03 at its first rung, $0.50 at its second."""
    rungs = {SPOT.key: spot} if spot is not None else {}
    health = {"small": SizeHealth(proven=True), "large": LadderHealth(proven=True, ladder=LADDER, rungs=rungs)}
    asked = policy(sections=SECTIONS, **options)
    limits = bounds(price_cap=cap)
    tally = NodeTally(nodes=nodes)
    table = SizeTable(SECTIONS, OFFERS, 1.0)
    return plan(picture({shape: [0, 1]}, tally, table=table, policy=asked, health=health, bounds=limits))


@pytest.mark.parametrize(("cap", "boots"), [(0.02, 0), (0.03, 1), (0.05, 1), (0.06, 2), (0.0, 2)])
def test_a_node_counts_at_the_price_of_its_first_rung(cap: float, boots: int) -> None:
    assert len(made(BIG, cap).boots) == boots


@pytest.mark.parametrize(("cap", "boots"), [(0.4, 0), (0.6, 1), (1.0, 2)])
def test_while_that_rests_at_the_price_of_the_next(cap: float, boots: int) -> None:
    of = made(BIG, cap, resting())
    assert len(of.boots) == boots
    if boots < 2:
        total = 0.5 * boots
        assert of.stopped == reasons.AtPriceCap(wanted=2 - boots, size="large", price=0.5, total=total, cap=cap)


def test_a_rung_whose_rest_is_over_is_open() -> None:
    assert len(made(BIG, 0.06, resting(until=T - 1)).boots) >= 1
    assert not made(BIG, 0.06, resting(until=T + 1)).boots


@pytest.mark.parametrize(("standing", "boots"), [(3, 0), (2, 1)])
def test_a_rung_that_was_refused_for_quota_is_open_when_nodes_have_gone(standing: int, boots: int) -> None:
    of = made(BIG, 0.06, resting(BackOff.QUOTA, quota_nodes=3), nodes=standing)
    assert bool(of.boots) == bool(boots)


@pytest.mark.parametrize(("first", "spot", "size"), [(True, None, "large"), (True, resting(), "small")])
def test_the_cheapest_rung_of_all_sizes_goes_first_where_that_is_asked_for(
    first: bool, spot: SizeHealth | None, size: str
) -> None:
    assert [new.size.id for new in made(ONE, spot=spot, cheapest_rung=first).boots] == [size] * 2
