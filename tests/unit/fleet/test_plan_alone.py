"""Jobs that have their nodes to themselves: which of the nodes that there are goes to whom."""

from __future__ import annotations

import pytest
from pictures import picture

from arvnodeman.fleet.plan.picture import NodeTally, Picture
from arvnodeman.fleet.plan.plan import Plan, plan
from arvnodeman.fleet.sizes.limits import SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.model import JobShape, ProviderSize, SizeSection

PRICES = {"small": 0.1, "large": 0.4}
TABLE = SizeTable(
    [SizeSection(name, 4, name) for name in PRICES],
    [ProviderSize(name, name, ram=4000, price=price) for name, price in PRICES.items()],
    1.0,
)
ANY, SMALL, LARGE = JobShape(), JobShape(size="small"), JobShape(size="large")


def planned(demand: dict[JobShape, list[int]], **idle: int) -> Plan:
    supply = {size: (count, 0, 0, 0) for size, count in idle.items()}
    nodes = sum(idle.values())
    made: Picture = picture(
        demand,
        NodeTally(supply=supply, nodes=nodes, up=nodes),
        table=TABLE,
        health={size: SizeHealth(proven=True) for size in PRICES},
    )
    return plan(made)


@pytest.mark.parametrize(
    ("demand", "idle"),
    [
        ({ANY: [0], SMALL: [1]}, {"small": 1, "large": 1}),
        ({SMALL: [0], ANY: [1]}, {"small": 1, "large": 1}),
        ({ANY: [0, 1, 4], SMALL: [2, 3]}, {"small": 2, "large": 3}),
        ({ANY: [0, 1], SMALL: [2], LARGE: [3]}, {"small": 2, "large": 2}),
    ],
)
def test_a_job_for_which_any_size_will_do_leaves_the_one_to_those_that_need_it(
    demand: dict[JobShape, list[int]], idle: dict[str, int]
) -> None:
    made = planned(demand, **idle)
    assert [new.size.id for new in made.boots] == []
    assert all(share.served == len(share.places) for share in made.shares.values())


def test_where_that_is_no_cheaper_the_order_of_service_counts() -> None:
    made = planned({ANY: [0, 1], SMALL: [2]}, small=1)
    assert [(new.size.id, new.shape) for new in made.boots] == [("small", ANY), ("small", SMALL)]


def test_no_job_of_several_nodes_loses_what_it_has_for_it() -> None:
    """Two nodes of any size are there for the first job; the one behind it needs one of them, and another is booted."""
    made = planned({JobShape(nodes=2): [0], SMALL: [1]}, small=1, large=1)
    assert made.shares[JobShape(nodes=2)].served == 1
    assert [new.size.id for new in made.boots] == ["small"]
