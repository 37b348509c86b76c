"""Nodes that a list shows before their create request has been answered, or after it has failed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    DestroyNode,
    FindNode,
    PrepareRecord,
    ReleaseRecord,
    SetNodeDown,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind


def asked(**options: object) -> World:
    """A boot whose create request has reached the cloud, and has not been answered."""
    world = World(policy(shutdown_windows=NEVER, **options)).begin(*jobs(1))
    world.obey(PrepareRecord, DescribeNode)
    return world


def made(world: World) -> str:
    """The cloud makes the node of the request under way; its id."""
    return world._create(world.one(CreateNode)).id


def throttled(world: World) -> None:
    world.fail(world.one(CreateNode), ErrorKind.THROTTLED)


def lost(world: World) -> None:
    world.fail(world.one(CreateNode))
    world.wait(2)
    world.done(world.one(FindNode), None)  # a listing that lags behind the one that was polled


@pytest.mark.parametrize("failed", [throttled, lost])
def test_no_second_node_is_asked_for(failed: Callable[[World], None]) -> None:
    world = asked()
    made(world)
    world.cycle()
    failed(world)
    world.obey()
    world.cycle(times=3)
    world.obey()
    assert world.created() == ["small"]
    assert len(world.cloud) == 1
    assert not any(isinstance(step, ReleaseRecord) for step in world.asked)


@pytest.mark.parametrize("failed", [throttled, lost])
def test_nor_when_it_is_listed_while_the_boot_waits_for_its_next_attempt(failed: Callable[[World], None]) -> None:
    world = asked()
    node = made(world)
    world.now += 700  # the lists are old: nothing is sent
    failed(world)
    world.wait(20)
    world.poll_cloud()
    world.poll_queue()
    assert world.created() == ["small"]
    world.poll_records()
    world.obey()
    world.cycle(times=3)
    world.obey()
    assert world.created() == ["small"]
    assert list(world.cloud) == [node]
    assert not any(isinstance(step, ReleaseRecord) for step in world.asked)
    assert not world.fleet.view.operations


def test_one_that_an_operator_kills_is_not_made_again() -> None:
    """Its record has been given back, and may be another's."""
    world = asked()
    node = made(world)
    world.cycle()
    world.say(node, Directive.KILL)
    world.obey(DestroyNode, SetNodeDown, ReleaseRecord)
    world.fail(world.one(CreateNode))
    world.wait(2)
    world.done(world.one(FindNode), None)
    assert not world.open(CreateNode)


def test_its_success_raises_the_quota_all_the_same() -> None:
    world = asked()
    world.fail(world.one(CreateNode), ErrorKind.QUOTA)
    world.obey(ReleaseRecord)
    world.cycle(every=61)
    assert world.fleet.view.quota == 1
    world.obey(PrepareRecord, DescribeNode)
    made(world)
    world.cycle(every=1)
    world.obey()
    world.cycle(every=1)
    assert world.fleet.view.quota == 2
