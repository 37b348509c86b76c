"""The times between the moments of a node's life."""

from __future__ import annotations

from dataclasses import replace

import pytest
from world import MINUTE, World, jobs, policy

from arvnodeman.fleet.messages import DestroyNode, DrainNode, LookAtNode, ReleaseRecord, SetNodeDown
from arvnodeman.fleet.nodes.milestones import BOUNDS, Span, Tally
from arvnodeman.fleet.values.model import JobShape


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (10.0, 0), (10.1, 1), (BOUNDS[-1], len(BOUNDS) - 1), (1e9, len(BOUNDS))]
)
def test_a_time_belongs_to_the_first_bucket_whose_bound_it_does_not_pass(seconds: float, bucket: int) -> None:
    tally = Tally()
    tally.add(seconds)
    spread = tally.spread()
    assert spread.counts.index(1) == bucket
    assert (sum(spread.counts), spread.total) == (1, seconds)


def figures(world: World) -> dict[Span, tuple[int, float]]:
    """How often each was reached, and the sum of the times."""
    return {span: (sum(spread.counts), spread.total) for span, spread in world.fleet.view.spreads.items()}


def test_from_creation_to_first_work_and_to_the_end() -> None:
    world = World()
    world.begin(*jobs(1, JobShape(size="small")))
    world.obey()
    (node,) = world.cloud.values()
    (uuid,) = world.records
    world.jobs = ()
    world.cycle()
    assert figures(world)[Span.LISTED] == (1, MINUTE)
    assert figures(world)[Span.PAIRED] == (0, 0.0)
    _pings(world, uuid, node.report_id)
    world.cycle()
    assert figures(world)[Span.PAIRED] == (1, 2 * MINUTE)
    hostname = world.records[uuid].hostname
    assert hostname is not None
    world.says(hostname, "idle", size="small")
    world.cycle()
    assert (figures(world)[Span.UP], figures(world)[Span.WORK]) == ((1, 3 * MINUTE), (0, 0.0))
    world.says(hostname, "alloc")
    world.cycle(times=3)
    assert figures(world)[Span.WORK] == (1, 4 * MINUTE), "the first work counts, once"
    assert figures(world)[Span.LISTED] == (1, MINUTE)


def _pings(world: World, uuid: str, instance: str) -> None:
    world.records[uuid] = replace(
        world.records[uuid], instance_id=instance, first_ping_at=world.now, last_ping_at=world.now
    )


def test_from_a_shutdown_to_the_end() -> None:
    world = World(policy(drain_poll_time=10.0))
    world.node("compute1")
    world.begin()
    world.cycle()
    assert figures(world)[Span.DESTROYED] == (0, 0.0)
    world.now += 30.0
    world.obey(DrainNode, LookAtNode, DestroyNode, SetNodeDown, ReleaseRecord)
    assert figures(world)[Span.DESTROYED] == (0, 0.0), "nothing is published between polls"
    world.cycle()
    assert figures(world)[Span.DESTROYED] == (1, 30.0)
    assert figures(world)[Span.GONE] == (1, 30.0 + MINUTE)


def test_a_node_that_went_without_us_was_not_shut_down() -> None:
    world = World()
    world.node("compute1", slurm="down")
    world.begin()
    del world.cloud["i-compute1"]
    world.cycle(times=3)
    world.obey()
    world.cycle()
    assert figures(world)[Span.GONE] == (0, 0.0)


def test_nodes_of_an_earlier_run_are_not_timed() -> None:
    world = World()
    world.node("compute1", slurm="alloc")
    world.begin()
    world.cycle()
    assert all(count == 0 for count, _ in figures(world).values())
