"""Quotas learnt from the cloud and from Arvados, and what the Fleet does about them (section 5 of the rules)."""

from __future__ import annotations

from typing import Any

import pytest
from world import NEVER, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, DescribeNode, FinishNode, Poll, PrepareRecord, ReleaseRecord
from arvnodeman.fleet.values.model import ErrorKind, JobShape, ProviderSize, SizeSection

SMALL, LARGE = JobShape(size="small"), JobShape(size="large")
TWO: dict[str, Any] = {
    "sections": (SizeSection("a", cores=1, instance_type="a"), SizeSection("b", cores=1, instance_type="b"))
}
TWO_OFFERS = (ProviderSize("a", "a", price=1.0), ProviderSize("b", "b", price=1.1))


def working(count: int, **options: Any) -> World:
    """So many busy small nodes; sizes are proven."""
    world = World(policy(**{"max_nodes": 20, "shutdown_windows": NEVER, **options}))
    for number in range(1, count + 1):
        world.node(f"compute{number}", slurm="alloc")
    world.node("compute99", size="large", slurm="alloc")
    return world


def refuse(world: World, kind: ErrorKind = ErrorKind.QUOTA) -> None:
    """All create requests are refused, and the records given back."""
    world.obey(PrepareRecord, DescribeNode)
    for step in world.open(CreateNode):
        world.fail(step, kind, "InstanceLimitExceeded")
    world.obey(ReleaseRecord)


def test_a_quota_error_makes_the_quota_what_exists() -> None:
    """Row C18."""
    world = working(3)
    world.begin(*jobs(1, SMALL))
    refuse(world)
    world.cycle(every=1)
    assert world.fleet.view.quota == 4
    assert "After quota exceeded error setting node quota to 4" in world.log(30)
    assert "Quota exceeded: InstanceLimitExceeded" in world.log(30)


def test_creates_in_flight_count_without_the_refused_one() -> None:
    """Row C18."""
    world = working(1)
    world.begin(*jobs(3, SMALL))
    world.obey(PrepareRecord, DescribeNode)
    first, *_ = world.open(CreateNode)
    world.fail(first, ErrorKind.QUOTA)
    world.obey(ReleaseRecord)
    world.poll_cloud()
    assert world.fleet.view.quota == 2 + 2


def test_jobs_at_the_quota_wait_with_that_reason() -> None:
    world = working(1)
    world.begin(*jobs(2, SMALL))
    refuse(world)
    world.cycle(*jobs(2, SMALL), *jobs(3, LARGE, name="large"), every=1)
    assert "small rests for 59 s: the cloud refused it for quota" in world.reason(SMALL)
    world.obey(PrepareRecord, DescribeNode, CreateNode, FinishNode)  # one is tried, and works
    world.cycle(every=1)
    assert "2 of large wanted, quota of 3 reached with 3 node(s); tried again in" in world.reason(LARGE)
    assert not world.steps


def test_the_polls_are_brought_forward_when_the_quota_is_to_be_probed() -> None:
    world = working(1)
    world.begin(*jobs(1, SMALL))
    refuse(world)
    world.cycle(every=1)
    world.polls_asked.clear()
    world.wait(57)
    assert not world.polls_asked
    world.wait(5)
    assert world.polls_asked[-1] == frozenset(Poll)


def test_a_refusal_with_no_node_alive_does_not_stop_booting_for_good() -> None:
    """Row N1."""
    world = World(policy(max_nodes=20)).begin(*jobs(3, SMALL))
    refuse(world)
    world.cycle(every=1)
    assert world.fleet.view.quota == 0
    before = len(world.prepared())
    world.cycle(every=61)
    assert len(world.prepared()) == before + 1
    world.obey(PrepareRecord, DescribeNode, CreateNode, FinishNode)
    world.cycle(every=1)
    assert world.fleet.view.quota >= 2
    assert len(world.prepared()) > before + 1


def test_a_success_at_the_limit_raises_the_quota_by_one_up_to_max_nodes() -> None:
    """Row C18."""
    world = working(2, max_nodes=5)
    world.begin(*jobs(2, SMALL))
    refuse(world)
    seen = []
    for _ in range(4):
        world.cycle(every=61)
        world.obey(PrepareRecord, DescribeNode, CreateNode, FinishNode)
        world.poll_cloud()
        seen.append(world.fleet.view.quota)
    assert seen[0] in (4, 5)
    assert seen[-1] == 5
    assert len(world.cloud) == 5


def test_the_next_wished_size_is_tried_at_once_as_the_probe() -> None:
    """Row C18: a quota of one size (spot, large ones) is none of another."""
    world = World(policy(max_nodes=20, **TWO), offers=TWO_OFFERS).begin(*jobs(1))
    refuse(world)
    world.poll_queue()
    assert world.prepared() == ["a", "b"]
    world.obey(PrepareRecord, DescribeNode)
    assert world.created() == ["a", "b"]


def test_a_refusal_brings_the_queue_poll_forward() -> None:
    world = World(policy(max_nodes=20, **TWO), offers=TWO_OFFERS).begin(*jobs(1))
    world.polls_asked.clear()
    refuse(world)
    assert frozenset({Poll.QUEUE}) in world.polls_asked


def test_at_the_quota_the_idle_nodes_that_are_wanted_stay() -> None:
    """Row N2."""
    world = World(policy(max_nodes=20))
    world.node("compute1")
    world.node("compute2")
    world.begin(*jobs(3, SMALL))
    refuse(world)
    world.cycle(times=6)
    assert not world.drained()


def no_slot(world: World) -> None:
    for step in world.open(PrepareRecord):
        world.fail(step, ErrorKind.SLOTS, "no free slot: look at MaxComputeVMs")


def test_slots_are_a_quota_of_their_own_that_names_max_compute_vms() -> None:
    world = working(2)
    world.begin(*jobs(2, SMALL))
    no_slot(world)
    world.cycle(every=1)
    assert any("MaxComputeVMs" in line for line in world.log(30))
    assert world.fleet.view.quota == 20
    assert not world.fleet.view.backing_off
    assert "slot quota (MaxComputeVMs) of 3 reached" in world.reason(SMALL)
    assert not world.open(PrepareRecord)


def test_slots_are_tried_again_with_one_node() -> None:
    world = working(2)
    world.begin(*jobs(3, SMALL))
    no_slot(world)
    world.cycle(every=61)
    assert len(world.open(PrepareRecord)) == 1


@pytest.mark.parametrize("kind", [ErrorKind.QUOTA, ErrorKind.CAPACITY])
def test_a_refusal_is_learnt_at_once_though_arvados_is_away(kind: ErrorKind) -> None:
    """Row C18: its record cannot be given back now, and the cloud's word counts all the same."""
    world = working(3)
    world.begin(*jobs(1, SMALL))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), kind)
    world.fail(world.one(ReleaseRecord), ErrorKind.TRANSIENT)
    world.cycle(every=1)
    assert list(world.fleet.view.backing_off) == ["small"]


def test_creates_of_one_size_that_are_refused_together_are_not_tried_again_at_once() -> None:
    """Row C18: no hot loop of creates, refusals and queue polls."""
    world = working(1)
    world.begin(*jobs(3, SMALL))
    for _ in range(20):
        refuse(world)
        world.cycle(every=1)
    assert len(world.created()) == 3
