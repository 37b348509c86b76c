"""Many nodes that turn down at once, and states without Slurm (section 3 of the rules)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import HELD, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.model import NodeState


def held(**node: Any) -> World:
    """A world with one held node, which has been idle for a while."""
    world = World()
    world.node(directive=HELD, **node)
    world.begin()
    world.cycle(times=2)
    return world


# ---- many at once ----------------------------------------------------------------------------------------------------


def many(count: int, **options: Any) -> World:
    world = World(policy(max_nodes=64, **options))
    for number in range(1, count + 1):
        world.node(f"compute{number}", slurm="alloc")
    world.begin()
    world.cycle(times=2)
    return world


def turn_down(world: World, count: int, said: str = "down") -> None:
    for number in range(1, count + 1):
        world.says(f"compute{number}", said, responding=False)


def states(world: World) -> dict[str, int]:
    return {state: count for state, count in world.fleet.view.states.items() if count}


@pytest.mark.parametrize(
    ("nodes", "down", "kept"), [(7, 4, True), (8, 4, False), (8, 5, True), (5, 3, False), (4, 4, True), (3, 3, False)]
)
def test_when_more_than_half_and_three_turn_down_at_once_they_keep_their_state(
    nodes: int, down: int, kept: bool
) -> None:
    world = many(nodes, shutdown_windows=NEVER)
    turn_down(world, down)
    world.cycle(times=3)
    assert (states(world) == {"busy": nodes}) is kept
    assert bool(world.drained()) is not kept
    assert any("went down at once" in line for line in world.log(30)) is kept


def test_they_are_down_after_boot_fail_after_a_few_in_each_poll() -> None:
    world = many(20)
    turn_down(world, 16)
    world.cycle(times=29)
    assert states(world) == {"busy": 20}
    gone = []
    for _ in range(8):
        world.cycle()
        gone.append(states(world).get("shutdown", 0))
    steps = [later - earlier for earlier, later in zip([0, *gone], gone, strict=False)]
    assert max(steps) == 4  # a quarter of those that are left; then three
    assert gone[-1] == 16


def test_those_that_come_back_are_as_before() -> None:
    world = many(8, shutdown_windows=NEVER)
    turn_down(world, 8)
    world.cycle(times=20)
    turn_down(world, 8, said="alloc")
    world.cycle(times=20)
    assert states(world) == {"busy": 8}
    world.says("compute1", "down")
    world.cycle(times=2)
    assert world.drained() == ["compute1"]


def test_nothing_is_booted_in_their_place_for_poll_stale_after() -> None:
    world = many(8)
    turn_down(world, 8)
    world.cycle(*jobs(3), times=9)
    assert not world.prepared()
    world.cycle(times=3)
    assert world.prepared() == ["small"] * 3


def test_idle_ones_are_no_supply_after_that_either() -> None:
    """A job that is matched to a node that is down waits without a reason."""
    world = World(policy(max_nodes=64))
    for number in range(1, 9):
        world.node(f"compute{number}")
    world.begin(*jobs(8))
    turn_down(world, 8)
    world.cycle(*jobs(3), times=9)
    assert not world.prepared()
    world.cycle(times=3)
    assert world.prepared() == ["small"] * 3
    assert states(world)["idle"] == 8
    assert not world.drained()


def test_healthy_nodes_are_matched_before_those_that_turned_down_together() -> None:
    """Rows E18 and N2: no node that the queue wants looks superfluous."""
    world = World(policy(max_nodes=9))
    for number in range(1, 10):
        world.node(f"compute{number}")
    world.begin(*jobs(9))
    turn_down(world, 6)
    world.cycle(*jobs(3), times=3)
    assert not world.drained()


@pytest.mark.parametrize(("polls_after", "kept"), [(0, True), (1, True), (2, False)])
def test_in_the_first_two_polls_after_slurm_was_away_nobody_is_down(polls_after: int, kept: bool) -> None:
    world = many(8, shutdown_windows=NEVER)
    world.poll_fails(Poll.RECORDS, slurm=True)
    world.cycle(times=polls_after)
    turn_down(world, 1)
    world.cycle(times=2)
    assert (states(world) == {"busy": 8}) is kept


def test_a_failure_of_the_api_alone_is_none_of_slurms() -> None:
    world = many(8, shutdown_windows=NEVER)
    world.poll_fails(Poll.RECORDS)
    turn_down(world, 1)
    world.cycle(times=2)
    assert states(world) == {"busy": 7, "shutdown": 1}


# ---- without Slurm ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worker_state", "state"), [("busy", NodeState.BUSY), ("idle", NodeState.IDLE), ("down", NodeState.RESERVED)]
)
def test_without_slurm_the_record_tells_and_its_down_is_unknown(worker_state: str, state: NodeState) -> None:
    """Row B13: API servers since 2.0 always say down."""
    world = World(policy(slurm=False, asks_scheduler=False))
    world.slurm = None
    world.node(slurm=None)
    world.change_record("compute1", worker_state=worker_state)
    world.begin()
    assert world.state() is state
    world.cycle(times=3)
    assert bool(world.destroyed()) is (worker_state == "idle")


def test_without_slurm_the_ages_decide() -> None:
    world = World(policy(slurm=False, asks_scheduler=False))
    world.slurm = None
    world.node(slurm=None, directive=HELD)
    world.change_record("compute1", worker_state="idle")
    world.silent.add("r-compute1")
    world.begin()
    world.cycle(times=130)
    assert world.state() is NodeState.DOWN


def test_a_node_keeps_its_idle_count_when_its_record_loses_the_hostname() -> None:
    """Row N15: the count belongs to the node."""
    world = held()
    before = world.status()
    world.records["r-compute1"] = replace(world.records["r-compute1"], hostname=None)
    world.poll_cloud()
    assert world.status().idle_since == before.idle_since
