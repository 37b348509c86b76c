"""Spot nodes that the cloud takes back while a job is on them: the next node for that job is not spot."""

from __future__ import annotations

from typing import Any

import pytest
from test_fleet_rungs import A, C, asked, sections
from world import BIG, HOUR, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import DescribeNode, PrepareRecord
from arvnodeman.fleet.values.rungs import Purchase, Rung

SPOT_FIRST = (A, C)


def working(count: int = 1, word: str = "alloc", **options: Any) -> World:
    """Nodes were booted for jobs, and Slurm says this of them."""
    at = World(policy(**{"max_nodes": 20, "shutdown_windows": NEVER, **sections(*SPOT_FIRST), **options}))
    at.begin(*jobs(count))
    at.obey()
    come_up(at, word)
    return at


def come_up(at: World, word: str = "alloc") -> None:
    at.cycle()
    for uuid, record in list(at.records.items()):
        node = next((node for node in at.cloud.values() if node.fqdn == record.fqdn), None)
        if node is not None and record.hostname:
            name = record.hostname
            at.records[uuid] = record.__class__(
                uuid, name, "zzzzz", record.slot, node.id, created_at=at.now, modified_at=at.now,
                first_ping_at=at.now, last_ping_at=at.now, intent=record.intent,
            )  # fmt: skip
            at.says(name, word)
    at.jobs = ()
    at.cycle(times=2)


def taken(at: World, *waiting: Any) -> None:
    """The cloud takes all nodes, Slurm queues their jobs again."""
    at.cloud.clear()
    for name in list(at.slurm or {}):
        at.says(name, "down", responding=False)
    end = at.now + HOUR
    while at.fleet.view.nodes and at.now < end:
        at.cycle()
        at.obey()
    at.cycle(*waiting)
    at.obey(PrepareRecord, DescribeNode)


def test_the_next_node_of_a_job_whose_node_was_taken_is_not_spot() -> None:
    at = working()
    assert asked(at) == ["a/spot"]
    taken(at, *jobs(1))
    assert asked(at) == ["a/spot", "a/on-demand"]
    assert at.fleet.view.counters["nodes_reclaimed"] == 1


def test_one_node_for_each_that_was_taken() -> None:
    at = working(2)
    taken(at, *jobs(3))
    assert sorted(asked(at)) == ["a/on-demand", "a/on-demand", "a/spot", "a/spot", "a/spot"]


@pytest.mark.parametrize("word", ["idle", "down"])
def test_a_node_without_a_job_tells_nothing(word: str) -> None:
    at = working(word=word)
    taken(at, *jobs(1))
    assert asked(at) == ["a/spot", "a/spot"]
    assert at.fleet.view.counters.get("nodes_reclaimed", 0) == 0


def test_others_are_asked_for_spot_all_the_same() -> None:
    at = working()
    taken(at, *jobs(1, BIG, name="other"))
    assert asked(at)[1:] == [""]


def test_where_nothing_else_can_be_had_it_is_spot_again() -> None:
    at = working(**sections(A, Rung("b", Purchase.SPOT, 0.03)))
    taken(at, *jobs(1))
    assert asked(at) == ["a/spot", "a/spot"]


def test_so_many_tries_as_the_operator_allows() -> None:
    at = working(spot_tries=2)
    taken(at, *jobs(1))
    assert asked(at) == ["a/spot", "a/spot"]
    at.obey()
    come_up(at)
    taken(at, *jobs(1))
    assert asked(at) == ["a/spot", "a/spot", "a/on-demand"]
