"""Records that nobody uses: a poll asks nothing of those that are as they were, and takes them in the same order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import EPOCH, HOUR, MINUTE, World, jobs, policy

from arvnodeman.fleet.messages import PolicyChanged, PrepareRecord
from arvnodeman.fleet.values.model import JobShape, NodeRecord

SMALL = JobShape(size="small")


def spare(name: str, **fields: Any) -> NodeRecord:
    """One without a slot, of which its keeper says that it is free."""
    return replace(NodeRecord(f"r-{name}", None, None, None, free=True), **fields)


def world_of(*records: NodeRecord, **options: Any) -> World:
    world = World(policy(**options))
    world.records = {record.uuid: record for record in records}
    return world.begin()


def reused(world: World) -> list[str | None]:
    """Of the boots that have begun, by the records that they take."""
    return [step.reuse for step in world.open(PrepareRecord)]


def offered(world: World) -> list[str]:
    return list(world.fleet._state.stale_records)


def test_those_that_stay_are_offered_in_their_order_at_each_poll() -> None:
    world = world_of(spare("10"), spare("9"), spare("8"))
    for _ in range(3):
        assert offered(world) == ["r-8", "r-9", "r-10"]
        world.poll_records()


def test_one_that_comes_later_has_its_place_among_them() -> None:
    world = world_of(spare("9"), spare("7"))
    world.records["r-8"] = spare("8")
    world.poll_records()
    assert offered(world) == ["r-7", "r-8", "r-9"]


def test_one_that_a_boot_has_taken_is_offered_to_no_other() -> None:
    world = world_of(spare("8"), spare("9"))
    world.poll_queue(*jobs(1, SMALL))
    assert reused(world) == ["r-8"]
    world.poll_records()
    assert offered(world) == ["r-9"]


@pytest.mark.parametrize("changed", [{"free": False}, {"instance_id": "i-another", "free": False}])
def test_one_that_somebody_has_is_offered_no_more(changed: dict[str, Any]) -> None:
    world = world_of(spare("8"), spare("9"))
    world.records["r-8"] = spare("8", **changed)
    world.poll_records()
    assert offered(world) == ["r-9"]


def test_a_young_one_is_offered_once_it_is_old() -> None:
    """Though nothing is asked of it until then. What was before the first poll does not count."""
    young = spare("8", free=None, modified_at=EPOCH)
    world = world_of(young)
    at = [bool(offered(world))]
    for _ in range(122):
        world.now += MINUTE
        world.poll_records()
        at.append(bool(offered(world)))
    assert world.records["r-8"] is young
    assert at == [False] * 121 + [True] * 2


def test_one_is_young_again_when_the_clock_goes_back() -> None:
    world = world_of(spare("8", free=None, modified_at=EPOCH), node_stale_after=300.0)
    for _ in range(8):
        world.now += MINUTE
        world.poll_records()
    was = offered(world)
    world.now -= HOUR
    world.poll_records()
    assert (was, offered(world)) == (["r-8"], [])


def test_other_options_are_asked_of_all() -> None:
    world = world_of(spare("8", free=None, modified_at=EPOCH), node_stale_after=300.0)
    for _ in range(8):
        world.now += MINUTE
        world.poll_records()
    was = offered(world)
    world.tell(PolicyChanged(policy(node_stale_after=9 * HOUR)))
    world.poll_records()
    assert (was, offered(world)) == (["r-8"], [])
