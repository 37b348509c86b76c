"""Rungs: a size in several zones, by several ways to pay. One is asked at a time, each rests by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import BIG, EPOCH, HOUR, NEVER, ONE, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    DestroyNode,
    FindNode,
    FinishNode,
    PolicyChanged,
    PrepareRecord,
    ReleaseRecord,
)
from arvnodeman.fleet.values.model import ErrorKind, SizeSection
from arvnodeman.fleet.values.rungs import Purchase, Rung

A, B = Rung("a", Purchase.SPOT, 0.03), Rung("b", Purchase.SPOT, 0.03)
C, D = Rung("a"), Rung("b")  # on demand, at the price of the size: 0.1
LADDER = (A, B, C, D)
FULL = "InsufficientInstanceCapacity"


def sections(*ladder: Rung) -> dict[str, Any]:
    """The size small has these rungs, the size large has none."""
    small = SizeSection("small", cores=1, instance_type="small", ladder=ladder)
    return {"sections": (small, SizeSection("large", cores=4, instance_type="large"))}


def world(*ladder: Rung, **options: Any) -> World:
    return World(policy(**{"max_nodes": 20, "shutdown_windows": NEVER, **sections(*(ladder or LADDER)), **options}))


def asked(world: World) -> list[str]:
    """The rungs of all create requests so far."""
    return [step.size.rung.key if step.size.rung else "" for step in world.asked if isinstance(step, CreateNode)]


def ready(world: World, count: int = 1) -> World:
    """So many jobs wait, and the cloud is asked for their nodes."""
    world.begin(*jobs(count))
    world.obey(PrepareRecord, DescribeNode)
    return world


def refuse(world: World, kind: ErrorKind = ErrorKind.CAPACITY, text: str = FULL) -> None:
    world.fail(world.open(CreateNode)[0], kind, text)


def test_the_first_rung_is_asked_first_and_says_what_the_node_costs() -> None:
    at = ready(world())
    step = at.one(CreateNode)
    assert (step.size.rung, step.size.price, step.size.preemptible) == (A, 0.03, True)
    at.obey()
    at.cycle()
    node = at.status("new2")
    assert (node.price, node.cloud.rung) == (0.03, "a/spot")


def test_what_one_rung_lacks_the_next_is_asked_for_in_the_same_moment() -> None:
    at = ready(world())
    for _ in range(3):
        began = at.now
        refuse(at)
        assert at.now == began
        assert len(at.open(CreateNode)) == 1  # never two at one time
    assert asked(at) == ["a/spot", "b/spot", "a/on-demand", "b/on-demand"]
    assert not at.open(ReleaseRecord)
    at.obey()
    at.cycle()
    assert at.status("new2").price == 0.1
    assert at.prepared() == ["small"]  # one boot, one record


def test_a_size_rests_when_all_its_rungs_do_and_the_job_is_told_what_was_tried() -> None:
    at = ready(world(A, D))
    refuse(at, text="no spot here")
    refuse(at, text="none at all")
    at.obey(ReleaseRecord)
    at.cycle(every=1)
    assert at.reason() == (
        "small rests for 59 s: no zone or purchase of it is available (a, spot: the cloud has no capacity for it: no "
        "spot here; b, on-demand: the cloud has no capacity for it: none at all); large would fit, but "
        "max_price_factor forbids it"
    )
    assert "small" in at.fleet.view.backing_off
    at.cycle(every=60)
    at.obey(PrepareRecord, DescribeNode)
    assert asked(at) == ["a/spot", "b/on-demand", "a/spot"]  # the probe


def test_a_rung_that_rests_is_passed_over_and_asked_again_after_its_rest() -> None:
    at = ready(world(A, B))
    refuse(at)
    at.obey()
    at.cycle(*jobs(2), every=1)
    at.obey(PrepareRecord, DescribeNode)
    assert asked(at) == ["a/spot", "b/spot", "b/spot"]
    at.obey()
    at.cycle(*jobs(4), every=60)
    at.obey(PrepareRecord, DescribeNode)
    assert sorted(asked(at)[3:]) == ["a/spot", "b/spot"]  # one as a probe, the other where it is known to be well
    at.obey()
    at.cycle(*jobs(5), every=1)
    at.obey(PrepareRecord, DescribeNode)
    assert asked(at)[-1] == "a/spot"


def test_a_request_that_may_have_worked_is_asked_again_at_its_rung() -> None:
    """At another one a second node would be made."""
    at = ready(world())
    refuse(at, ErrorKind.TRANSIENT, "no answer")
    at.wait(2)
    step = at.one(FindNode)
    assert step.size.rung == A
    at.done(step, None)
    assert asked(at) == ["a/spot", "a/spot"]
    assert len({step.token for step in at.asked if isinstance(step, CreateNode)}) == 1


def test_throttling_moves_nothing() -> None:
    at = ready(world())
    refuse(at, ErrorKind.THROTTLED, "slow down")
    at.wait(2)
    assert asked(at) == ["a/spot", "a/spot"]


def test_a_refusal_for_good_is_one_of_the_rung() -> None:
    """A subnet that is misspelt keeps no job from the others."""
    at = ready(world())
    refuse(at, ErrorKind.REFUSED, "InvalidSubnetID.NotFound")
    assert asked(at) == ["a/spot", "b/spot"]
    assert any("InvalidSubnetID.NotFound" in line for line in at.log(40))


def test_a_quota_of_spot_nodes_leaves_those_on_demand() -> None:
    at = ready(world())
    refuse(at, ErrorKind.QUOTA, "MaxSpotInstanceCountExceeded")
    assert asked(at) == ["a/spot", "a/on-demand"]
    assert at.fleet.view.quota == 20
    assert not any("Quota exceeded" in line for line in at.log(30))


def test_a_quota_at_every_purchase_is_one_of_the_account() -> None:
    at = ready(world())
    refuse(at, ErrorKind.QUOTA, "MaxSpotInstanceCountExceeded")
    refuse(at, ErrorKind.QUOTA, "VcpuLimitExceeded")
    at.obey()
    assert asked(at) == ["a/spot", "a/on-demand"]
    assert at.fleet.view.quota == 0
    assert [line for line in at.log(30) if "Quota exceeded" in line] == ["Quota exceeded: VcpuLimitExceeded"]


@pytest.mark.parametrize("failed", [False, True])
def test_a_rung_that_does_not_deliver_rests_and_the_next_is_tried(failed: bool) -> None:
    at = ready(world(A, B, rung_patience=5.0))
    at.obey()
    at.cloud["i-new2"] = replace(at.cloud["i-new2"], pending=not failed, failed=failed, broken=failed)
    for _ in range(1 if failed else 4):
        at.cycle()
        at.obey()
    assert asked(at) == ["a/spot"]
    for _ in range(3):
        at.cycle()
        at.obey()
    assert "i-new2" in at.destroyed()
    assert asked(at)[:2] == ["a/spot", "b/spot"]


def test_five_boots_that_fail_let_their_rung_rest_alone() -> None:
    at = ready(world(A, B), 5)
    at.obey()
    ids = list(at.cloud)
    at.cycle()
    for identity in ids:
        del at.cloud[identity]
    while len(asked(at)) == 5:  # the list is not believed at once
        assert at.now < EPOCH + HOUR
        at.cycle()
        at.obey()
    assert asked(at) == ["a/spot"] * 5 + ["b/spot"] * 5


def test_the_price_cap_is_held_against_the_rung() -> None:
    at = ready(world(max_total_price=0.07), 2)
    assert asked(at) == ["a/spot", "a/spot"]
    refuse(at)
    refuse(at)
    refuse(at)
    refuse(at)
    at.obey()
    at.cycle(every=1)
    assert asked(at) == ["a/spot", "a/spot", "b/spot", "b/spot"]  # on demand one costs 0.1
    assert "max_total_price" in at.reason()


def test_a_dearer_size_may_cost_so_much_as_the_dearest_rung_allows() -> None:
    """The price of spot nodes must not keep a job from what it may have otherwise."""
    at = ready(world(A, C, max_price_factor=4.0))
    refuse(at)
    refuse(at)
    at.obey(ReleaseRecord)
    at.cycle(every=1)
    assert at.prepared() == ["small", "large"]


def test_by_price_the_cheapest_rung_of_any_size_is_next() -> None:
    small = SizeSection("small", cores=1, instance_type="small", ladder=(A, C))
    large = SizeSection("large", cores=4, instance_type="large", ladder=(replace(A, price=0.05), C))
    at = World(policy(max_nodes=20, shutdown_windows=NEVER, sections=(small, large), cheapest_rung=True))
    ready(at)
    refuse(at)
    at.obey(ReleaseRecord)
    at.cycle(every=1)
    at.obey(PrepareRecord, DescribeNode)
    assert [(step.size.id, step.size.price) for step in at.asked if isinstance(step, CreateNode)] == [
        ("small", 0.03),
        ("large", 0.05),
    ]


def test_reserved_capacity_is_first_and_costs_nothing_more() -> None:
    at = ready(world(Rung("b", Purchase.RESERVED, 0.0, "cr-1"), C))
    assert asked(at) == ["b/reserved/cr-1"]
    at.obey(CreateNode, FinishNode)
    at.cycle()
    assert at.status("new2").price == 0.0


def test_other_rungs_in_a_new_configuration() -> None:
    at = ready(world(A, B))
    refuse(at)
    at.tell(PolicyChanged(replace(at.policy, **sections(A, D))))
    refuse(at)
    assert asked(at) == ["a/spot", "b/spot", "b/on-demand"]
    at.obey()
    at.cycle()
    assert at.status("new2").price == 0.1


def test_a_size_without_rungs_is_asked_for_as_ever() -> None:
    at = world()
    at.begin(*jobs(1, BIG))
    at.obey(PrepareRecord, DescribeNode)
    step = at.one(CreateNode)
    assert (step.size.id, step.size.rung, step.size.ladder) == ("large", None, ())
    assert at.reason(BIG) == ""


def test_a_restart_knows_what_a_node_costs_and_where_it_is() -> None:
    at = ready(world())
    at.obey()
    at.restart()
    at.begin()
    node = at.status("new2")
    assert (node.cloud.rung, node.price, node.size) == ("a/spot", 0.03, "small")
    assert at.reason(ONE) == ""


def test_a_destroyed_node_says_its_rung_to_the_driver() -> None:
    """Names of some clouds are those of a zone."""
    at = ready(world(A, B, rung_patience=1.0))
    at.obey()
    at.cloud["i-new2"] = replace(at.cloud["i-new2"], pending=True)
    for _ in range(4):
        at.cycle()
        at.obey()
    (step, *_) = [step for step in at.asked if isinstance(step, DestroyNode)]
    assert step.node.rung == "a/spot"


def test_what_the_second_rung_says_of_the_size_is_learnt_after_the_first_has_refused() -> None:
    """An answer that cannot be read may hide a node: no more of this size is asked for, wherever."""
    at = ready(world(A, B))
    refuse(at)
    refuse(at, ErrorKind.UNREADABLE, "what is that")
    at.obey()
    assert "small" in at.fleet.view.backing_off
    assert asked(at) == ["a/spot", "b/spot"]
