"""Where Slurm places jobs, a daemon goes on with the boots of the one before: at the rung where that one has asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from placed_world import PlacedWorld, intent, places
from world import EPOCH

from arvnodeman.fleet.messages import CreateNode, FindNode, PrepareRecord, ReleaseRecord
from arvnodeman.fleet.values.model import ErrorKind, SizeSection
from arvnodeman.fleet.values.rungs import Purchase, Rung

A, B = Rung("a", Purchase.SPOT, 0.03), Rung("b", Purchase.SPOT, 0.04)
ON_DEMAND = Rung("a")
PRICE = 0.1  # of the size small


def world(*ladder: Rung, **options: Any) -> PlacedWorld:
    """A job is placed on small-1, whose size has these rungs."""
    sections = (
        SizeSection("small", cores=1, instance_type="small", ladder=ladder or (A, B, ON_DEMAND)),
        SizeSection("large", cores=4, instance_type="large"),
    )
    at = PlacedWorld(places(sections=sections, **options))
    at.place("1", "small-1")
    return at


def asked(at: PlacedWorld) -> list[str]:
    """The rungs of all create requests so far."""
    return [step.size.rung.key for step in at.asked if isinstance(step, CreateNode) and step.size.rung]


def written(at: PlacedWorld) -> list[tuple[str, float]]:
    """The rungs and prices of all intents so far."""
    return [(step.intent.rung, step.intent.price) for step in at.asked if isinstance(step, PrepareRecord)]


def refuse(at: PlacedWorld, kind: ErrorKind = ErrorKind.CAPACITY) -> None:
    at.fail(at.one(CreateNode), kind, "none there")


def ready(at: PlacedWorld) -> PlacedWorld:
    """The cloud is asked for its node."""
    at.begin()
    at.obey_up_to(CreateNode)
    return at


def test_the_intent_says_where_the_cloud_is_asked_first() -> None:
    at = ready(world())
    assert written(at) == [("a/spot", 0.03)]
    assert asked(at) == ["a/spot"]


def test_before_another_rung_is_asked_the_intent_says_so() -> None:
    at = ready(world())
    token = at.one(CreateNode).token
    refuse(at)
    assert asked(at) == ["a/spot"]
    step = at.one(PrepareRecord)
    assert (step.reuse, step.intent.rung, step.intent.token) == ("small-1", "b/spot", token)
    began = at.now
    at.obey(PrepareRecord)
    assert (asked(at), at.now) == (["a/spot", "b/spot"], began)
    refuse(at)
    at.obey_up_to(CreateNode)
    assert asked(at) == ["a/spot", "b/spot", "a/on-demand"]
    assert written(at) == [("a/spot", 0.03), ("b/spot", 0.04), ("a/on-demand", PRICE)]
    at.obey()
    assert at.records["small-1"].instance_id is not None


def test_a_size_without_rungs_writes_its_intent_once() -> None:
    at = PlacedWorld(places())
    at.place("1", "small-1")
    assert written(ready(at)) == [("", PRICE)]


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_a_daemon_that_was_killed_while_a_rung_was_asked_asks_there_again(killed_at: int) -> None:
    """Under one token, so that the cloud answers with the node that it has made, which its list lacks yet. Row O21."""
    at = ready(world())
    for _ in range(killed_at - 1):
        refuse(at)
        at.obey_up_to(CreateNode)
    lost = at.one(CreateNode)
    again = world()
    again.records["small-1"] = replace(again.records["small-1"], slot=1, intent=at.records["small-1"].intent)
    again.begin()
    again.obey_up_to(FindNode)
    assert again.one(FindNode).size == lost.size
    again.obey(FindNode)
    again.obey_up_to(CreateNode)
    step = again.one(CreateNode)
    assert (step.size, step.token, step.record.uuid) == (lost.size, lost.token, lost.record.uuid)
    refuse(again)
    again.obey_up_to(CreateNode)
    assert asked(again)[-1] == ("b/spot" if killed_at == 1 else "a/spot")


def test_a_rung_that_is_configured_no_more_is_not_asked_for() -> None:
    at = world(B, ON_DEMAND)
    earlier = replace(intent("small-1", "old", EPOCH - 5), rung="a/spot")
    at.records["small-1"] = replace(at.records["small-1"], slot=1, intent=earlier)
    at.begin()
    at.obey_up_to(CreateNode)
    assert asked(at) == ["b/spot"]
    assert at.one(CreateNode).token == "old"
    assert written(at) == [("b/spot", 0.04)]


@pytest.mark.parametrize("kind", [ErrorKind.SLOTS, ErrorKind.REFUSED])
def test_a_name_that_nobody_wants_any_more_is_given_back_and_no_other_rung_asked(kind: ErrorKind) -> None:
    at = ready(world())
    refuse(at)
    at.fail(at.one(PrepareRecord), kind, "it is powered down")
    assert [step.uuid for step in at.open(ReleaseRecord)] == ["small-1"]
    at.obey(ReleaseRecord)
    assert asked(at) == ["a/spot"]
    assert at.records["small-1"].intent is None


def test_a_node_that_turns_up_while_another_rung_is_written_is_taken() -> None:
    """The cloud refused, and made it all the same."""
    at = ready(world())
    lost = at.one(CreateNode)
    refuse(at)
    at._create(lost)
    at.poll_cloud()
    at.obey()
    at.cycle(times=2)
    at.obey()
    assert asked(at) == ["a/spot"]
    assert len(at.cloud) == 1
