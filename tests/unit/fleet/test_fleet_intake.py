"""Nodes that are gone without us, and clocks that differ (sections 3 and 7 of the rules)."""

from __future__ import annotations

import pytest
from gone_world import lost, traces_cleared, without
from world import HELD, HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    DestroyNode,
    DrainNode,
    LookAtNode,
    NodeSeen,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
)
from arvnodeman.fleet.values.model import JobShape, NodeState
from arvnodeman.slurm.words import node_work

SMALL = JobShape(size="small")


@pytest.mark.parametrize(("times", "gone"), [(1, False), (2, True)])
def test_a_node_is_gone_when_two_lists_in_a_row_lack_it(times: int, gone: bool) -> None:
    """Rows B1 and E3."""
    world = lost("idle")
    without(world, times=times)
    world.obey()
    assert traces_cleared(world) is gone
    world.poll_queue()
    assert ("nodes_disappeared" in world.fleet.view.counters) is gone


def test_a_list_that_lacks_the_record_does_not_tell_that_the_node_is_silent() -> None:
    """It would be set DOWN, and its job ended, when both lists are wrong at once. For ever it is not believed in."""
    world = lost("idle", pings=True)
    without(world, times=2)  # its ping has moved: it lives
    without(world, record=False)
    assert world.state() is not NodeState.SHUTDOWN
    without(world, record=False, times=6)
    assert world.state() is NodeState.SHUTDOWN


def test_a_node_that_is_listed_again_is_not_gone() -> None:
    """DOWN would end what it works on by now."""
    world = lost("idle")
    without(world, times=2)
    world.one(DrainNode)
    world.poll_cloud()
    world.obey()
    assert (world.slurm or {})["compute1"].state.said == "idle"
    world.cycle()
    assert world.state() is not NodeState.SHUTDOWN
    assert world.records["r-compute1"].slot is not None
    assert "nodes_disappeared" not in world.fleet.view.counters


def test_one_that_is_there_again_in_between_is_not() -> None:
    world = lost("idle")
    for _ in range(4):
        without(world)
        world.cycle()
    assert not world.steps
    assert world.state() is NodeState.IDLE


@pytest.mark.parametrize(
    ("said", "responding", "pings", "gone"),
    [
        pytest.param("alloc", True, False, False, id="Slurm calls it busy"),
        pytest.param("alloc", False, False, True, id="busy, and does not answer"),
        pytest.param("idle", True, True, False, id="it pings"),
        pytest.param("idle", True, False, True, id="it does not ping"),
    ],
)
def test_signs_of_life_keep_a_node_that_no_list_shows(said: str, responding: bool, pings: bool, gone: bool) -> None:
    """A list may lie."""
    world = lost(said, responding=responding)
    for _ in range(5):
        if pings:
            world.change_record("compute1", last_ping_at=world.now + MINUTE)
        without(world)
    world.obey()
    assert traces_cleared(world) is gone
    if not gone:
        assert any("is not listed, but gives signs of life" in line for line in world.log(30))
        assert "i-compute1" in world.fleet.view.nodes


def test_one_that_lives_unlisted_counts_for_every_limit() -> None:
    world = lost("alloc", max_nodes=2)
    without(world, times=4)
    world.poll_queue(*jobs(1))
    assert not world.prepared()
    assert "max_nodes of 2 reached with 2 node(s)" in world.reason()


def test_the_warning_comes_once_an_hour() -> None:
    world = lost("alloc")
    without(world, times=110)
    assert len([line for line in world.log(30) if "gives signs of life" in line]) == 2


def test_a_node_that_no_list_shows_is_never_destroyed() -> None:
    """The first promise: only the traces of it are cleared."""
    world = lost("idle")
    without(world, times=3)
    world.obey()
    assert traces_cleared(world)
    assert not world.destroyed()


@pytest.mark.parametrize("said", ["alloc", "mix", "comp", "drng"])
def test_slurm_is_asked_again_before_the_traces_are_cleared(said: str) -> None:
    """The first promise: a job has begun since the last node poll, and DOWN would kill it."""
    world = lost("idle")
    without(world, times=2)
    assert world.open(DrainNode)
    world.says("compute1", said)
    for _ in range(4):
        world.obey(DrainNode, LookAtNode, ResumeNode)
        assert not world.steps
        without(world)
    assert not world.destroyed()
    assert not traces_cleared(world)


def test_a_node_that_turns_out_to_work_has_not_disappeared() -> None:
    """Row D2: it is no failed boot either."""
    world = lost("idle")
    without(world, times=2)
    world.says("compute1", "alloc")
    for _ in range(4):
        world.obey(DrainNode, LookAtNode)
        without(world)
    assert "nodes_disappeared" not in world.fleet.view.counters


@pytest.mark.parametrize("said", ["alloc", "down", None])
def test_its_slurm_node_is_set_down_so_that_its_job_can_be_queued_again(said: str | None) -> None:
    world = lost("alloc", responding=False)
    without(world, times=2)
    world.obey(DrainNode)
    node = node_work("compute1", said, responding=False) if said is not None else None
    world.done(world.one(LookAtNode), NodeSeen(node))
    assert world.one(SetNodeDown).hostname == "compute1"
    world.obey(SetNodeDown)
    assert world.one(ReleaseRecord).uuid == "r-compute1"


def test_without_slurm_pings_alone_tell() -> None:
    world = World(policy(slurm=False, asks_scheduler=False, shutdown_windows=NEVER))
    world.slurm = None
    world.node(slurm=None)
    world.change_record("compute1", worker_state="busy")
    world.begin()
    world.silent.add("r-compute1")
    without(world, times=3)
    world.obey()
    assert traces_cleared(world)
    assert not world.destroyed()


def test_pings_are_looked_at_after_the_second_list_that_lacks_a_node() -> None:
    """It pings once a minute, ten seconds after the node poll."""
    world = lost("idle")
    world.poll_cloud(without=["i-compute1"])
    world.now += 1
    world.poll_records()
    world.change_record("compute1", last_ping_at=world.now + 10)
    world.now += MINUTE
    world.poll_cloud(without=["i-compute1"])
    assert not world.steps
    world.now += 1
    world.poll_records()
    assert not world.steps


def test_cloud_lists_without_a_node_poll_prove_nothing() -> None:
    """Its ping has not been looked at since."""
    world = lost("idle")
    for _ in range(3):
        world.now += MINUTE
        world.poll_cloud(without=["i-compute1"])
    assert not world.steps


# ---- stopped at the cloud --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["idle", "alloc"])
@pytest.mark.parametrize(("lists", "gone"), [(1, False), (2, True)])
def test_a_node_that_is_listed_as_stopped_twice_in_a_row_is_destroyed_and_cleared(
    said: str, lists: int, gone: bool
) -> None:
    """Spot instances, and people who stop them: it cannot be working, whatever Slurm still thinks."""
    world = lost(said, pings=True)
    world.change_cloud("compute1", stopped=True)
    world.cycle(times=lists)
    world.obey()
    assert (world.destroyed() == ["i-compute1"]) is gone
    assert traces_cleared(world) is gone


def test_one_that_is_held_is_not_destroyed_when_no_list_shows_it_any_more() -> None:
    """Lists may be wrong; its traces are cleared as those of any other."""
    world = lost("alloc", responding=False)
    world.change_cloud("compute1", stopped=True, directive=HELD)
    world.cycle()
    without(world, times=3)
    world.obey()
    assert not world.destroyed()
    assert traces_cleared(world)


def test_after_a_start_two_lists_are_enough_too() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="down", stopped=True, age=60)
    world.begin()
    assert not world.destroyed()
    world.cycle()
    assert world.destroyed() == ["i-compute1"]


def test_one_that_runs_again_is_not_gone() -> None:
    world = lost("alloc", pings=True)
    for stopped in (True, False, True, False):
        world.change_cloud("compute1", stopped=stopped)
        world.cycle()
    assert not world.steps


def test_the_wish_for_its_place_is_booted_when_it_is_gone() -> None:
    """Row B1: not before, and then at once."""
    world = lost("idle")
    world.jobs = jobs(1, SMALL)
    without(world)
    assert not world.prepared()
    without(world)
    world.obey()
    without(world)
    assert world.prepared() == ["small"]


# ---- clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "warned"), [(None, False), (0.0, False), (29.0, False), (-29.0, False), (31.0, True), (-31.0, True)]
)
@pytest.mark.parametrize("whose", ["cloud", "node record server"])
def test_clocks_that_differ_by_more_than_half_a_minute_are_a_warning_once(
    whose: str, offset: float | None, warned: bool
) -> None:
    world = World().begin()
    for _ in range(3):
        world.now += MINUTE
        world.poll_cloud(offset=offset if whose == "cloud" else None)
        world.poll_records(offset=offset if whose != "cloud" else None)
    lines = [line for line in world.log(30) if line.startswith(f"The clock of the {whose} differs")]
    assert len(lines) == warned


def test_a_window_that_ends_within_the_difference_is_shut() -> None:
    """The cloud's clock is 60 s ahead, and the window ends, by that clock, in 60 s or less."""
    for age, stopped in ((56.5, True), (57.5, False)):
        world = World(policy(shutdown_windows=(54.0, 5.0), consecutive_idle_count=1))
        world.node(age=age * MINUTE)
        world.sizes()
        world.poll_cloud(offset=60.0)
        world.poll_queue()
        world.poll_records()
        assert bool(world.drained()) is stopped


def test_ages_of_records_are_counted_by_the_servers_clock() -> None:
    """The server's clock is an hour behind ours: its stamps are no older for that."""
    world = World()
    world.node(slurm="alloc")
    world.silent.add("r-compute1")
    world.begin()
    for _ in range(130):
        world.now += MINUTE
        world.change_record("compute1", last_ping_at=world.now - HOUR, modified_at=world.now - HOUR)
        world.poll_cloud()
        world.poll_records(offset=-HOUR)
        world.poll_queue()
    assert not [line for line in world.log(30) if "has been silent" in line]


def test_a_clock_that_is_set_back_or_forward_raises_nothing_and_stops_nobody() -> None:
    world = World()
    world.node(slurm="alloc")
    world.begin()
    for jump in (-5 * HOUR, 3 * HOUR, -60.0, 24 * HOUR):
        world.now += jump
        world.cycle(times=3)
    assert world.state() is NodeState.BUSY
    assert not world.open(DestroyNode)


def test_one_that_was_never_listed_and_works_is_left_alone() -> None:
    world = World(policy(shutdown_windows=NEVER)).begin(*jobs(1))
    world.obey()
    (node,) = world.cloud
    (record,) = world.records.values()
    assert record.hostname is not None
    world.says(record.hostname, "alloc")
    for _ in range(40):
        world.now += MINUTE
        world.poll_cloud(without=[node])
        world.poll_records()
        world.poll_queue()
    assert not world.drained()
    assert any("gives signs of life" in line for line in world.log(30))


def test_a_sign_of_life_counts_until_another_list_lacks_the_node() -> None:
    """Its ping has moved between the first two lists; the second and a third are the next two in a row."""
    world = lost("idle")
    without(world)
    world.change_record("compute1", last_ping_at=world.now)
    world.poll_records()
    world.now += MINUTE
    world.poll_cloud(without=["i-compute1"])
    for _ in range(3):
        world.now += 1
        world.poll_records()
    assert any("gives signs of life" in line for line in world.log(30))
    assert not world.steps
