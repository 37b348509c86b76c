"""Which nodes go: those that nobody needs, and those that do not work (sections 4 and 5 of the rules)."""

from __future__ import annotations

from typing import Any

import pytest
from world import HELD, HOUR, MINUTE, NEVER, ONE, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    DestroyNode,
    DrainNode,
    FinishNode,
    LookAtNode,
    Poll,
    PrepareRecord,
    ReleaseRecord,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape, NodeState, OperatorDirective

LARGE = JobShape(size="large")


def idle(*sizes: str, **options: Any) -> World:
    """Idle nodes, compute1 and on; after this, one more node poll stops what is not needed."""
    world = World(policy(**{"max_nodes": 20, **options}))
    for number, size in enumerate(sizes, start=1):
        world.node(f"compute{number}", size=size)
    return world


# ---- needed or not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "waiting", "stopped"),
    [
        pytest.param(["small"], 0, 1, id="nobody wants it"),
        pytest.param(["small"], 1, 0, id="a job wants it, row E18"),
        pytest.param(["small"] * 3, 1, 2, id="one is wanted"),
        pytest.param(["small"] * 3, 9, 0, id="all are wanted, and more, row N2"),
        pytest.param(["large"], 1, 0, id="a job that names no size takes any"),
    ],
)
def test_a_node_matched_to_nothing_is_stopped(nodes: list[str], waiting: int, stopped: int) -> None:
    """Rows E18 and N2."""
    world = idle(*nodes)
    world.begin(*jobs(waiting))
    world.cycle(times=2)
    assert len(world.drained()) == stopped


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_idle_must_be_said_by_some_polls_in_a_row(count: int) -> None:
    """Row E14: the gap between two jobs is not enough."""
    world = idle("small", consecutive_idle_count=count)
    world.begin()
    world.cycle(times=count - 2 if count > 1 else 0)
    assert not world.drained()
    world.cycle()
    assert world.drained() == ["compute1"]


@pytest.mark.parametrize("other", ["alloc", "down", "resv"])
def test_anything_else_begins_the_count_anew(other: str) -> None:
    """Row E14."""
    world = idle("small", consecutive_idle_count=3)
    world.begin()
    for said in ("idle", other, "idle", "idle"):
        world.says("compute1", said)
        world.cycle()
        assert not world.drained()
    world.cycle()
    assert world.drained() == ["compute1"]


def test_the_dearest_goes_first_then_the_longest_idle() -> None:
    world = idle("small", "large", "small", min_nodes=1)
    world.says("compute1", "alloc")
    world.begin()
    world.cycle()
    world.says("compute1", "idle")  # idle for a shorter time than compute3
    world.cycle(times=3)
    assert world.drained() == ["compute2", "compute3"]


def test_a_window_brings_the_polls_forward_when_it_opens() -> None:
    world = World(policy(shutdown_windows=(54.0, 5.0)))
    world.node(age=49 * MINUTE)
    world.begin()
    world.cycle(times=3)
    assert not world.drained()
    world.polls_asked.clear()
    world.wait(2.1 * MINUTE)
    assert world.polls_asked == [frozenset(Poll)]
    world.cycle(every=0)
    assert world.drained() == ["compute1"]


def test_a_shutdown_begun_in_a_window_may_finish_after_it() -> None:
    world = World(policy(shutdown_windows=(54.0, 5.0)))
    world.node(age=56 * MINUTE)
    world.begin()
    world.cycle()
    world.obey(DrainNode)
    world.says("compute1", "drng", reason="Node Manager shutdown (i-compute1)")
    world.obey(LookAtNode)
    for _ in range(6):
        world.cycle()
        world.obey(LookAtNode)
    world.says("compute1", "drain", reason="Node Manager shutdown (i-compute1)")
    world.cycle()
    world.wait(20)
    world.obey()
    assert world.destroyed() == ["i-compute1"]


# ---- min_nodes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "min_nodes", "stopped"),
    [
        (["idle"] * 4, 2, 2),
        (["idle"] * 2, 2, 0),
        (["idle", "idle", "alloc"], 2, 1),  # busy nodes count, row C5
        (["idle", "idle", "resv"], 2, 1),
        (["idle", "idle", "fail"], 2, 0),  # a failed one does not
        (["idle", "idle", "alloc", "alloc"], 1, 2),
    ],
)
def test_no_stop_goes_below_min_nodes(said: list[str], min_nodes: int, stopped: int) -> None:
    """Rows C4, C5 and E18."""
    world = idle(*["small"] * len(said), min_nodes=min_nodes)
    for number, word in enumerate(said, start=1):
        world.says(f"compute{number}", word)
    world.begin()
    world.cycle(times=3)
    assert len([name for name in world.drained() if said[int(name[-1]) - 1] == "idle"]) == stopped


@pytest.mark.parametrize(
    "third",
    [
        pytest.param({"directive": OperatorDirective(Directive.DRAIN)}, id="an operator said drain"),
        pytest.param({"size": "unknown"}, id="of no known size"),
        pytest.param({"slurm": None, "record": False, "age": 1740.0}, id="never paired"),
    ],
)
def test_a_removal_in_the_same_poll_counts_for_min_nodes(third: dict[str, Any]) -> None:
    """Rows C4 and E18."""
    world = idle("small", "small", min_nodes=2)
    world.begin()
    world.cycle(times=2)
    world.node("compute3", **{"size": "small", **third})
    world.cycle()
    world.cycle()
    assert "compute1" not in world.drained()
    assert "compute2" not in world.drained()


# ---- at a limit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"max_nodes": 2}, id="number"),
        pytest.param({"max_total_price": 0.5}, id="price"),
        pytest.param({"max_nodes": 2, "min_nodes": 2}, id="min_nodes or not"),
    ],
)
def test_at_a_limit_an_idle_node_makes_room_for_a_job_of_another_size(options: dict[str, Any]) -> None:
    """Window and min_nodes or not; the place is kept for that job."""
    world = idle("small", "small", shutdown_windows=NEVER, **options)
    world.says("compute2", "alloc")
    world.begin(*jobs(1, LARGE, priority=5))
    world.cycle(times=2)
    assert world.drained() == ["compute1"]
    world.cycle(*jobs(1, LARGE, priority=5), *jobs(1, JobShape(size="small"), name="late"))
    assert not world.prepared()
    world.obey()
    world.cycle(times=2)
    assert world.prepared()[:1] == ["large"]


def test_at_the_learnt_quota_too() -> None:
    world = idle("small", "large", shutdown_windows=NEVER)
    world.says("compute2", "alloc")
    world.begin(*jobs(1, LARGE))
    for _ in range(20):
        world.obey(PrepareRecord, DescribeNode)
        for step in world.open(CreateNode):
            world.fail(step, ErrorKind.QUOTA)
        world.obey(ReleaseRecord)
        world.cycle()
    assert world.drained() == ["compute1"]


def test_no_more_go_than_the_job_needs() -> None:
    world = idle(*["small"] * 4, shutdown_windows=NEVER, max_nodes=4)
    world.begin(*jobs(1, LARGE))
    world.cycle(times=3)
    assert len(world.drained()) == 1


@pytest.mark.parametrize("case", ["not idle for long enough", "held", "wanted by another job"])
def test_a_node_makes_no_room_while(case: str) -> None:
    world = idle("small", shutdown_windows=NEVER, max_nodes=1)
    waiting = jobs(1, LARGE)
    if case == "held":
        world.change_cloud("compute1", directive=HELD)
    if case == "wanted by another job":
        waiting = [*waiting, *jobs(1, JobShape(size="small"))]
    world.begin(*waiting)
    world.cycle(times=0 if case == "not idle for long enough" else 4)
    assert not world.drained()


def test_below_every_limit_nothing_makes_room() -> None:
    world = idle("small", shutdown_windows=NEVER)
    world.begin(*jobs(1, LARGE))
    world.cycle(times=4)
    assert not world.drained()


# ---- boots that nobody needs any more --------------------------------------------------------------------------------


def test_a_boot_that_nobody_needs_is_stopped_if_the_cloud_has_not_been_asked() -> None:
    """Rows D4 and N3: and it leaves no phantom."""
    world = World().begin(*jobs(2))
    world.jobs = ()
    world.cycle(every=1)
    world.poll_records()
    assert [line for line in world.log() if line.startswith("Boot stopped: nobody needs")]
    world.obey()
    world.cycle(times=2)
    assert not world.cloud
    assert not world.fleet.view.operations
    assert world.fleet.view.states["booting"] == 0
    assert {record.slot for record in world.records.values()} == {None}


def test_a_boot_that_has_reached_the_cloud_is_not_stopped() -> None:
    """Row D4."""
    world = World().begin(*jobs(1))
    world.obey(PrepareRecord, DescribeNode)
    assert world.open(CreateNode)
    world.jobs = ()
    world.cycle(times=2)
    world.obey(CreateNode, FinishNode)
    assert len(world.cloud) == 1
    assert not world.open(ReleaseRecord)


def test_boots_for_min_nodes_are_needed() -> None:
    world = World(policy(min_nodes=2)).begin()
    world.cycle(times=3)
    world.obey()
    assert world.created() == ["small", "small"]


def test_a_busy_node_is_never_stopped_even_when_nobody_wants_it() -> None:
    world = World()
    world.node(slurm="alloc", age=99 * HOUR)
    world.begin()
    world.cycle(times=99)
    assert not world.steps


# ---- those that do not work ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "age", "window", "stopped"),
    [
        ("fail", 60.0, False, True),  # always, row E17
        ("down", 2 * HOUR, False, True),
        ("drain", 2 * HOUR, False, True),
        ("inval", 2 * HOUR, False, True),
        ("drain", 600.0, False, False),  # young, outside its window: row E6
        ("drain", 600.0, True, True),
        ("resv", 2 * HOUR, True, False),
        ("maint", 2 * HOUR, True, False),
    ],
)
def test_what_does_not_work_goes_wanted_or_not(said: str, age: float, window: bool, stopped: bool) -> None:
    """Rows E6 and E17: no wish cancels it."""
    world = World(policy(shutdown_windows=(0.0, 60.0) if window else NEVER))
    world.node(slurm=said, age=age)
    world.begin(*jobs(3))
    world.cycle(times=2)
    assert bool([op for op in world.fleet.view.operations if op.kind == "shutdown"]) is stopped


def test_a_node_that_never_paired_goes_and_no_wish_cancels_that() -> None:
    """Row D1."""
    world = World(policy(shutdown_windows=NEVER))
    world.node(record=False, slurm=None, age=1750)
    world.begin(*jobs(5))
    world.cycle(times=2)
    world.obey()
    assert world.destroyed() == ["i-compute1"]


def test_a_node_that_paired_but_was_never_up_goes_and_counts_as_a_failed_boot() -> None:
    """Rows D2 and D3."""
    world = World(policy(shutdown_windows=NEVER)).begin(*jobs(1))
    world.obey()
    (identity,) = world.cloud
    (uuid,) = world.records
    world.cycle()
    world.records[uuid] = world.records[uuid].__class__(
        uuid, "compute1", "zzzzz", 1, identity, world.now, world.now, world.now, world.now
    )
    world.says("compute1", "down", responding=False)
    world.jobs = ()
    world.cycle(times=25)
    assert not world.destroyed()
    world.cycle(times=7)
    world.obey(DrainNode, LookAtNode)
    assert world.destroyed() == [identity]
    assert world.fleet.view.counters["boot_failures"] == 1


def test_a_restart_does_not_begin_the_age_of_a_boot_anew() -> None:
    """Row D3."""
    world = World(policy(shutdown_windows=NEVER))
    world.node(record=False, slurm=None, age=0)
    world.begin()
    world.cycle(times=20)
    world.restart()
    world.begin()
    world.cycle(times=9)
    assert not world.destroyed()
    world.cycle(times=2)
    world.obey()
    assert world.destroyed() == ["i-compute1"]


def test_a_destroyed_node_is_not_proposed_again_while_it_is_listed() -> None:
    """Row E10."""
    world = idle("small")
    world.begin()
    world.cycle(times=2)
    listed = dict(world.cloud)
    world.obey()
    world.cloud = listed
    world.cycle(times=10)
    assert world.destroyed() == ["i-compute1"]
    assert world.state() is NodeState.SHUTDOWN


def test_a_node_that_is_still_listed_long_after_its_destroy_is_tried_again() -> None:
    """Nothing leaks: a destroy that the cloud accepts and does not carry out."""
    world = idle("small")
    world.begin()
    world.cycle(times=2)
    listed = dict(world.cloud)
    world.obey()
    world.cloud = listed
    world.cycle(times=120)
    world.obey()
    assert len(world.destroyed()) >= 2


def test_the_view_says_why_an_idle_node_stays() -> None:
    """Row K1."""
    world = idle("small")
    world.begin(*jobs(1))
    world.cycle(times=3)
    assert "small" in world.why()
    assert world.reason(ONE) == ""


def test_a_node_that_cannot_be_destroyed_counts_as_down_and_is_tried_again_later() -> None:
    """Row E4: without a list of ids never to be touched again."""
    world = idle("small")
    world.begin()
    world.cycle(times=2)
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.REFUSED, "not allowed")
    world.cycle(*jobs(1), every=1)
    assert world.state() is NodeState.DOWN
    assert world.prepared() == ["small"]
    assert any("destroy_node failed: not allowed" in line for line in world.log(40))
    world.jobs = ()
    for _ in range(3):
        world.cycle()
        world.obey(LookAtNode)
    assert len(world.destroyed()) == 2
