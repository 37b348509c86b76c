"""Nodes that come up, and short troubles of those that have (section 3 of the rules)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import HELD, HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, DescribeNode, FinishNode, PrepareRecord
from arvnodeman.fleet.values.model import NodeState


def quiet(said: str = "alloc") -> World:
    """A node that no rule shuts down, seen twice."""
    world = World()
    world.node(slurm=said, directive=HELD)
    world.begin()
    world.cycle()
    return world


def booted(**options: Any) -> World:
    """A node that we booted, and that has not pinged."""
    world = World(policy(shutdown_windows=NEVER, **options))
    if not world.policy.asks_scheduler:
        world.slurm = None
    world.begin(*jobs(1))
    world.obey(PrepareRecord, DescribeNode, CreateNode)
    world.done(world.one(FinishNode))
    world.jobs = ()
    world.cycle()
    return world


def pings(world: World, **fields: Any) -> None:
    """The node that we booted pings from now on."""
    (node,) = world.cloud.values()
    ping: dict[str, Any] = {"instance_id": node.id, "first_ping_at": world.now, "last_ping_at": world.now}
    world.records["r-new1"] = replace(world.records["r-new1"], **{**ping, **fields})


def counted(world: World, name: str) -> int:
    return world.fleet.view.counters.get(name, 0)


# ---- a busy node is passed over, but for what is being counted -------------------------------------------------------


def test_a_node_that_works_before_it_pings_has_come_up_when_it_pairs() -> None:
    """Row D2: its boot has not failed, whatever becomes of it."""
    world = booted()
    world.says("compute1", "alloc")
    world.cycle()
    assert world.fleet.view.states["busy"] == 1
    assert not counted(world, "boots_up")
    pings(world)
    world.cycle(times=2)
    assert (counted(world, "nodes_came_up"), counted(world, "boots_up")) == (1, 1)
    world.says("compute1", "down")
    world.cycle(times=40)
    assert world.drained() == ["compute1"]
    assert not counted(world, "boot_failures")


def test_work_between_two_polls_that_find_it_down_begins_the_count_anew() -> None:
    """Down must be said by polls in a row."""
    world = quiet()
    for said in ("down", "alloc", "down", "alloc", "down"):
        world.says("compute1", said)
        world.cycle()
        assert world.state() is NodeState.BUSY
    world.cycle()
    assert world.state() is NodeState.DOWN


@pytest.mark.parametrize(("minutes", "state"), [(25, NodeState.IDLE), (41, NodeState.DOWN)])
def test_the_last_of_many_busy_polls_counts_for_boot_fail_after(minutes: int, state: NodeState) -> None:
    """A third of the polls found it down, and none busy: that is counted from the end of its work."""
    world = quiet()
    world.cycle(times=60)
    for number in range(minutes):
        world.says("compute1", "idle" if number % 2 else "down")
        world.cycle()
    assert world.state() is state


def test_one_that_comes_back_within_its_grace_period_has_none() -> None:
    """When many had went down at once: the next time it is down for itself."""
    world = World()
    for number in range(1, 6):
        world.node(f"compute{number}", slurm="alloc", directive=HELD)
    world.begin()
    world.cycle()
    for said, times in (("down", 1), ("alloc", 1), ("alloc", 1)):
        for number in range(1, 6):
            world.says(f"compute{number}", said)
        world.cycle(times=times)
    assert world.why() == "held by an operator (to be looked at)"
    world.says("compute1", "down")
    world.cycle()
    assert world.state() is NodeState.BUSY
    world.cycle()
    assert world.state() is NodeState.DOWN


# ---- the first time that it is up ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "responding", "up"),
    [
        ("idle", True, True),
        ("idle", False, False),  # Slurm has it from its file, and has not heard of it
        ("alloc", True, True),
        ("mix", False, True),  # it could not have been given work before
        ("down", True, False),
        ("drain", True, False),
        ("resv", True, False),
        (None, True, False),
    ],
)
def test_it_is_up_when_slurm_calls_it_idle_or_busy(said: str | None, responding: bool, up: bool) -> None:
    """Row D2."""
    world = booted()
    pings(world)
    assert world.slurm is not None
    if said is None:
        del world.slurm["compute1"]
    else:
        world.says("compute1", said, responding=responding)
    world.cycle(times=3)
    assert counted(world, "nodes_came_up") == counted(world, "boots_up") == up


@pytest.mark.parametrize(
    ("worker", "hours", "up"),
    [
        ("busy", 0, True),
        ("idle", 0, True),
        ("down", 0, False),  # what newer servers say of every node
        (None, 0, False),
        ("busy", 3, True),
        ("idle", 3, False),  # it was, before it fell silent
    ],
)
def test_without_slurm_it_is_up_when_its_record_calls_it_idle_or_busy(worker: str | None, hours: int, up: bool) -> None:
    """Rows B13 and D2."""
    world = World(policy(slurm=False, asks_scheduler=False))
    world.slurm = None
    world.begin()
    world.cycle(every=5 * MINUTE, times=36)
    world.node(slurm=None, directive=HELD, age=4 * HOUR)
    world.silent.add("r-compute1")
    world.change_record("compute1", worker_state=worker, last_ping_at=world.now - hours * HOUR)
    world.cycle(times=3)
    assert counted(world, "nodes_came_up") == up


@pytest.mark.parametrize(("worker", "proven"), [("idle", True), ("busy", True), ("down", False)])
def test_without_slurm_too_a_size_is_proven_by_the_first_node_that_is_up(worker: str, proven: bool) -> None:
    """Row D2: before that only a few of a size are booted at once."""
    world = booted(slurm=False, asks_scheduler=False, max_nodes=64)
    pings(world, worker_state=worker)
    world.cycle()
    assert counted(world, "boots_up") == proven
    world.cycle(*jobs(40))
    assert (len(world.prepared()) > 30) is proven


# ---- the state before anything is settled ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pinged", "state"),
    [
        pytest.param(0.0, NodeState.IDLE, id="it pings"),
        pytest.param(7100.0, NodeState.IDLE, id="not lately"),
        pytest.param(7300.0, NodeState.UNPAIRED, id="not for longer than node_stale_after"),
        pytest.param(None, NodeState.UNPAIRED, id="a record with a first ping and no last one"),
    ],
)
def test_until_down_is_settled_a_new_node_is_idle_when_it_pings_else_unpaired(
    pinged: float | None, state: NodeState
) -> None:
    world = World(policy(shutdown_windows=NEVER, consecutive_idle_count=3))
    world.begin()
    world.cycle(every=5 * MINUTE, times=36)
    world.node(slurm="inval", age=3 * HOUR, directive=HELD)
    world.silent.add("r-compute1")
    ping = None if pinged is None else world.now + MINUTE - pinged
    world.change_record("compute1", last_ping_at=ping)
    world.cycle()
    assert world.state() is state
    world.cycle(times=2)
    assert world.state() is NodeState.DOWN


def test_right_after_a_start_a_node_without_a_last_ping_is_unpaired() -> None:
    """No ping is called old then; and none has come."""
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="inval")
    world.silent.add("r-compute1")
    world.change_record("compute1", last_ping_at=None)
    world.begin()
    assert world.state() is NodeState.UNPAIRED


@pytest.mark.parametrize(("pinged", "state"), [(True, NodeState.IDLE), (False, NodeState.UNPAIRED)])
def test_one_that_no_list_shows_yet_is_booting_no_more_when_it_has_paired(pinged: bool, state: NodeState) -> None:
    world = World(policy(shutdown_windows=NEVER)).begin(*jobs(1))
    world.obey()
    assert world.created() == ["small"]
    pings(world, last_ping_at=world.now if pinged else None)
    world.silent.add("r-new1")
    world.says("compute1", "inval")
    world.poll_records()
    assert [node.state for node in world.fleet.view.nodes.values()] == [state]
