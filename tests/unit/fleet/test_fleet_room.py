"""At a limit: room that is made for a job, min_nodes, and the price cap at the last gate (section 5)."""

from __future__ import annotations

import pytest
from world import BIG, HELD, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, DescribeNode, DrainNode, LookAtNode, PolicyChanged, PrepareRecord
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape, OperatorDirective


def full(nodes: int) -> World:
    """So many idle nodes at max_nodes, windows shut, and a job of another size."""
    world = World(policy(max_nodes=nodes, shutdown_windows=NEVER))
    for number in range(1, nodes + 1):
        world.node(f"compute{number}")
    return world


def test_one_whose_work_has_to_end_first_makes_no_room_now() -> None:
    """Its job may run for days: an idle node goes instead."""
    world = full(2)
    world.node("compute1", slurm="alloc", directive=OperatorDirective(Directive.DRAIN))
    world.begin(*jobs(1, BIG))
    world.obey()
    world.cycle(times=3)
    assert world.drained() == ["compute1", "compute2"]


def test_one_that_is_listed_still_after_its_destroy_has_made_room() -> None:
    world = full(4)
    world.begin(*jobs(1, BIG))
    shown = dict(world.cloud)
    world.cycle(times=2)
    for _ in range(3):
        world.obey()
        world.wait(10)
    assert world.destroyed() == ["i-compute1"]
    world.cloud = dict(shown)
    world.cycle(times=3)
    assert set(world.drained()) == {"compute1"}
    world.cloud.pop("i-compute1")
    world.cycle()
    assert world.prepared() == ["large"]


def test_one_that_is_being_taken_back_counts_for_min_nodes() -> None:
    world = World(policy())
    world.node()
    world.begin()
    world.cycle()
    world.obey(DrainNode)
    world.tell(PolicyChanged(policy(min_nodes=1)))
    for _ in range(3):
        world.cycle()
        world.fail(world.one(LookAtNode))  # Slurm is away: it takes a while
        world.wait(20)
    assert not world.prepared()


def test_a_boot_is_held_when_the_price_has_grown_meanwhile() -> None:
    world = World(policy(max_total_price=0.15, shutdown_windows=NEVER)).begin(*jobs(1))
    world.obey(PrepareRecord)
    world.node(slurm="alloc")
    world.poll_cloud()
    world.obey(DescribeNode)
    assert not world.open(CreateNode)
    world.obey()
    world.cycle()
    assert world.reason() == "1 of small (price 0.1) wanted, would exceed max_total_price of 0.15 (now 0.1)"


def test_the_price_cap_may_be_reached() -> None:
    world = World(policy(max_total_price=0.3, shutdown_windows=NEVER)).begin(*jobs(3))
    world.obey(PrepareRecord, DescribeNode)
    assert len(world.open(CreateNode)) == 3


@pytest.mark.parametrize("price", [float("nan"), -100.0, float("inf")])
def test_a_price_that_is_none_lifts_no_cap_and_stops_nobody(price: float) -> None:
    """Of a node of no known size, as the provider says."""
    world = World(policy(max_total_price=0.15, shutdown_windows=NEVER))
    world.node(size="odd", slurm="alloc", price=price, directive=HELD)
    world.begin(*jobs(4))
    assert world.prepared() == ["small"]
    assert world.fleet.view.price == 0.0


def test_a_size_refused_for_quota_is_not_said_to_rest_when_a_node_has_gone() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="alloc")
    world.begin(*jobs(1, JobShape(size="small")))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.QUOTA)
    world.obey()
    world.cycle(every=1)
    assert "small" in world.fleet.view.backing_off
    world.cloud.clear()
    world.silent.add("r-compute1")
    world.says("compute1", "alloc", responding=False)
    world.say("compute1", Directive.KILL)
    world.obey()
    world.cycle(every=1)
    assert "small" not in world.fleet.view.backing_off
    assert world.prepared() == ["small", "small"]
