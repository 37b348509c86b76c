"""Which half-empty nodes take no new jobs, so that they run dry."""

from __future__ import annotations

import random

import pytest
from pictures import ONE, bounds, gone, picture
from world import policy

from arvnodeman.fleet.plan.closing import run_dry
from arvnodeman.fleet.plan.picture import Ends, PartlyUsed, Stop
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons_of_use import RunsDry

HAS = Capacity(16, 16_000)


def used(name: str, cpus: int, ram: float | None = None, pool: str = "small", price: float = 0.8) -> PartlyUsed:
    """A node on which so much is used."""
    taken = 1000 * cpus if ram is None else ram
    return PartlyUsed(name, pool, price, HAS, Capacity(16 - cpus, 16_000 - taken, jobs=1, whole=False))


def closed(*nodes: PartlyUsed, busy: int = 9, jobs: dict[JobShape, list[int]] | None = None, **more: int) -> list[str]:
    ends = Ends(partly_used=nodes, busy=busy)
    return gone(plan(picture(jobs, ends=ends, policy=policy(**more), bounds=bounds())))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], []),
        ([used("a", 2)], []),  # no other holds what is on it
        ([used("a", 2), used("b", 14)], ["a"]),
        ([used("a", 3), used("b", 14)], []),
        ([used("a", 2), used("b", 8, 14_001)], []),  # memory is short there
        ([used("a", 2, 8001), used("b", 2, 8001)], []),  # more than half is used of the memory
        ([used("a", 8), used("b", 8)], ["a"]),  # one of two
        ([used("a", 9), used("b", 2, pool="large")], []),
        ([used("a", 2), used("b", 3), used("c", 11)], ["a", "b"]),  # c holds both
        ([used("a", 2), used("b", 3), used("c", 12)], ["a"]),
        ([used("a", 2), used("b", 1), used("c", 14)], ["b"]),  # the emptiest first, and c is full then for a
        ([used("a", 2, price=0.1), used("b", 3, price=0.2), used("c", 13)], ["b"]),  # most is saved
    ],
)
def test_nodes_run_dry_whose_work_would_have_room_on_others(nodes: list[PartlyUsed], expected: list[str]) -> None:
    assert closed(*nodes) == expected


def test_a_node_that_holds_what_runs_on_another_stays_open() -> None:
    found = closed(*(used(name, 4) for name in "abcd"))
    assert found == ["a", "c", "d"]


def test_it_is_told_why_and_that_work_ends_first() -> None:
    ends = Ends(partly_used=[used("a", 2), used("b", 14)], busy=2)
    (stop,) = plan(picture(ends=ends)).verdicts
    assert stop == Stop("a", ShutdownKind.UNWANTED, RunsDry(), works=True)
    assert RunsDry().goes
    assert "it takes no new jobs" in RunsDry().words(0.0)


def test_min_nodes_stay_open() -> None:
    nodes = [used("a", 2), used("b", 3), used("c", 11)]
    assert closed(*nodes, busy=3, min_nodes=2) == ["a"]
    assert closed(*nodes, busy=3, min_nodes=3) == []


def test_nothing_is_closed_while_a_job_waits_or_a_node_comes_for_one() -> None:
    nodes = [used("a", 2), used("b", 14)]
    assert closed(*nodes, jobs={ONE: [0]}) == []
    assert closed(*nodes, jobs={JobShape(cores=99): [0]}) == ["a"]  # it waits for nothing that comes


def test_where_gres_are_used_nothing_is_closed() -> None:
    has = Capacity(16, 16_000, (("gpu", 2),))
    node = PartlyUsed("a", "small", 0.8, has, Capacity(14, 14_000, (("gpu", 1),), jobs=1, whole=False))
    assert closed(node, used("b", 2)) == ["b"]


@pytest.mark.parametrize("seed", range(5))
def test_of_many_nodes_those_run_dry_that_the_rule_says_word_for_word(seed: int) -> None:
    rng = random.Random(seed)
    nodes = [
        used(f"n{number}", cpus := rng.randint(1, 15), 1000 * cpus + rng.choice([0, 500]), rng.choice(["x", "y"]))
        for number in range(60)
    ]
    room = {node.id: (node.free.cpus, node.free.ram) for node in nodes}
    hosts: set[str] = set()
    expected = []
    for node in sorted(nodes, key=lambda node: (-node.price * node.empty, node.id)):
        if node.id in hosts or node.empty < 0.5:
            continue
        cpus, ram = HAS.cpus - node.free.cpus, HAS.ram - node.free.ram
        mates = [each.id for each in nodes if each.pool == node.pool and each.id != node.id and each.id in room]
        fitting = [each for each in mates if room[each][0] >= cpus and room[each][1] >= ram]
        if fitting:
            host = min(fitting, key=lambda each: (room[each], each))
            room[host] = room[host][0] - cpus, room[host][1] - ram
            del room[node.id]
            hosts.add(host)
            expected.append(node.id)
    assert expected
    assert [stop.id for stop in run_dry(nodes, len(nodes))] == expected
