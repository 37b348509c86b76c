"""How many: supply against demand under the limits (section 5 of the rules)."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import pytest
from world import BIG, HELD, NEVER, ONE, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, DescribeNode, PrepareRecord, ReleaseRecord
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, NodeState

SMALL, LARGE = JobShape(size="small"), JobShape(size="large")


def fleet(*nodes: tuple[str, str], **options: Any) -> World:
    """Nodes of (size, Slurm's word), compute1 and on; windows shut, so that nothing is stopped."""
    world = World(policy(**{"max_nodes": 20, "shutdown_windows": NEVER, **options}))
    for number, (size, said) in enumerate(nodes, start=1):
        world.node(f"compute{number}", size=size, slurm=said)
    return world


def boots(world: World, *waiting: Job) -> dict[str, int]:
    world.begin(*waiting)
    return dict(Counter(world.prepared()))


# ---- supply before demand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "waiting", "expected"),
    [
        pytest.param([], [], {}, id="nothing wanted"),
        pytest.param([], jobs(2), {"small": 2}, id="the cheapest"),
        pytest.param([], jobs(2, BIG), {"large": 2}, id="the cheapest that fits"),
        pytest.param([("small", "idle")], jobs(1), {}, id="idle"),
        pytest.param([("small", "idle")], jobs(3), {"small": 2}, id="what remains is booted"),
        pytest.param([("small", "alloc")], jobs(1), {"small": 1}, id="busy is no supply, row C2"),
        pytest.param([("small", "fail")], jobs(1), {"small": 1}, id="fail is no supply"),
        pytest.param([("large", "idle")], jobs(1), {}, id="any node up that fits"),
        pytest.param([("small", "idle")], jobs(1, BIG), {"large": 1}, id="one that does not fit"),
        pytest.param([("large", "idle")], jobs(1, SMALL), {"small": 1}, id="a named size gets that one, row F17"),
        pytest.param([("large", "idle")], jobs(1, LARGE), {}, id="the named size is there"),
        pytest.param(
            [("large", "idle")], [*jobs(1, ONE, priority=9), *jobs(1, LARGE)], {"small": 1},
            id="exact first, whatever the priority",
        ),
        pytest.param(
            [("large", "idle"), ("small", "idle")], [*jobs(1, ONE), *jobs(1, BIG)], {}, id="exact first for all"
        ),
        pytest.param([("large", "idle")], jobs(2), {"small": 1}, id="a dearer one before a boot"),
        pytest.param([("small", "idle")] * 3, jobs(1, JobShape(nodes=3)), {}, id="a job of several nodes"),
        pytest.param([("small", "idle")], jobs(1, JobShape(nodes=3)), {"small": 2}, id="a part of its nodes is there"),
    ],
)  # fmt: skip
def test_supply_comes_before_demand(nodes: list[tuple[str, str]], waiting: list[Job], expected: dict[str, int]) -> None:
    """Rows C2, C5, C7 and F17."""
    assert boots(fleet(*nodes), *waiting) == expected


def test_down_nodes_are_no_supply_and_no_busy_ones() -> None:
    """Row C3."""
    world = fleet(("small", "idle"))
    world.begin()
    world.change_cloud("compute1", directive=HELD)
    world.says("compute1", "down")
    world.cycle(times=2)
    world.cycle(*jobs(1))
    assert world.prepared() == ["small"]


def test_held_nodes_are_supply() -> None:
    world = fleet(("small", "idle"))
    world.change_cloud("compute1", directive=HELD)
    assert boots(world, *jobs(1)) == {}


def test_unpaired_and_booting_nodes_are_supply() -> None:
    """Rows B1 and C17."""
    world = fleet()
    world.node("compute1", record=False, slurm=None, age=100)
    assert boots(world, *jobs(2)) == {"small": 1}
    world.cycle(times=3)
    assert world.prepared() == ["small"]
    world.obey()  # created, and listed
    world.cycle(times=3)
    assert world.prepared() == ["small"]


def test_a_node_that_never_paired_is_replaced() -> None:
    """Row C17."""
    world = fleet()
    world.node("compute1", record=False, slurm=None, age=1700)
    world.begin(*jobs(1))
    world.cycle(times=3)
    assert world.prepared() == ["small"]


@pytest.mark.parametrize("said", ["idle", "alloc", "resv", "plnd"])
def test_boots_and_stops_are_decided_on_one_state_of_each_node(said: str) -> None:
    """Row C13: nothing is booted for a wish and stopped for want of one in the same cycle."""
    world = fleet(("small", said), shutdown_windows=(0.0, 60.0))
    for _ in range(6):
        world.cycle(*jobs(1, SMALL))
    assert not world.drained()
    assert len(world.prepared()) <= 1


# ---- order -----------------------------------------------------------------------------------------------------------


def test_jobs_are_served_by_priority_and_equals_in_the_order_of_the_queue() -> None:
    """Row C19."""
    waiting = [
        Job("a", SMALL, 1), Job("b", LARGE, 5), Job("c", SMALL, 5), Job("d", LARGE, 1), Job("e", SMALL, 9)
    ]  # fmt: skip
    world = fleet()
    world.begin(*waiting)
    assert world.prepared() == ["small", "large", "small", "small", "large"]


@pytest.mark.parametrize(
    ("room", "expected"), [(0, []), (1, ["large"]), (2, ["large", "small"]), (3, ["large", "small", "small"])]
)
def test_priority_holds_under_every_limit(room: int, expected: list[str]) -> None:
    """Row C19."""
    world = fleet(max_nodes=room)
    world.begin(*jobs(2, SMALL, priority=1), *jobs(1, LARGE, priority=2, name="big"))
    assert world.prepared() == expected


def test_nothing_is_booted_for_a_job_behind_one_that_a_limit_stops() -> None:
    """Row C19: and its reason is said."""
    world = fleet(("small", "alloc"), max_total_price=0.45)
    world.begin(*jobs(1, LARGE, priority=9), *jobs(1, SMALL, name="behind"))
    assert not world.prepared()
    assert "would exceed max_total_price of 0.45" in world.reason(LARGE)
    assert world.reason(SMALL).startswith("behind a job that waits: 1 of large")


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_nodes", "expected", "reason"),
    [(3, 0, "3 of small wanted, max_nodes of 3 reached with 3 node(s)"), (4, 1, "2 of small wanted"), (6, 3, "")],
)
def test_max_nodes_counts_everything_that_exists(max_nodes: int, expected: int, reason: str) -> None:
    """Rows C6 and C7: busy, failed and of other sizes too."""
    world = fleet(("small", "alloc"), ("large", "alloc"), ("small", "fail"), max_nodes=max_nodes)
    world.begin(*jobs(3))
    assert len(world.prepared()) == expected
    assert world.reason().startswith(reason)


def test_a_job_that_wants_exactly_max_nodes_is_served() -> None:
    """Row C1."""
    world = fleet(("small", "idle"), max_nodes=4)
    assert boots(world, *jobs(1, JobShape(nodes=4))) == {"small": 3}


def test_a_job_of_several_nodes_gets_all_or_none() -> None:
    world = fleet(("small", "alloc"), max_nodes=4)
    world.begin(*jobs(1, JobShape(nodes=4)))
    assert not world.prepared()
    assert "max_nodes of 4" in world.reason(JobShape(nodes=4))


def test_two_jobs_of_several_nodes_do_not_wait_for_each_other() -> None:
    """The one behind gives its part to the one before."""
    world = fleet(*[("small", "idle")] * 2, *[("small", "alloc")] * 2, max_nodes=5, shutdown_windows=(0.0, 60.0))
    first, second = JobShape(nodes=3), JobShape(nodes=4)
    world.begin(*jobs(1, second, priority=1, name="second"), *jobs(1, first, priority=2, name="first"))
    assert world.prepared() == ["small"]
    world.cycle(times=5)
    assert not world.drained()


@pytest.mark.parametrize(("cap", "expected"), [(0, 5), (0.05, 0), (0.1, 1), (0.35, 3), (0.5, 5), (9, 5)])
def test_under_the_price_cap_as_many_are_booted_as_fit(cap: float, expected: int) -> None:
    """Row C8: 0 is no cap."""
    assert boots(fleet(max_total_price=cap), *jobs(5)).get("small", 0) == expected


def test_the_price_cap_counts_everything_and_says_so_in_one_line() -> None:
    """Row C8."""
    world = fleet(("large", "alloc"), ("small", "fail"), max_total_price=0.65)
    assert boots(world, *jobs(3)) == {"small": 1}
    lines = [line for line in world.log() if "max_total_price" in line and line.startswith("Not booting small")]
    assert lines == [
        "Not booting small (price 0.1) because with it would exceed max_total_price of 0.65"
        " (current total_price is 0.6)"
    ]


def test_a_node_being_shut_down_counts_once_and_serves_nobody() -> None:
    """Rows C6 and C12."""
    world = fleet(("small", "fail"), ("small", "alloc"), max_nodes=3)
    world.begin()
    world.cycle()
    assert world.state("compute1") is NodeState.SHUTDOWN
    world.cycle(*jobs(3))
    assert world.prepared() == ["small"]


def test_a_destroyed_node_that_is_still_listed_counts_as_in_shutdown() -> None:
    """Rows C15 and E10."""
    world = fleet(("small", "fail"), max_nodes=1)
    world.begin()
    world.cycle()
    listed = dict(world.cloud)
    world.obey()
    world.cloud = listed
    world.cycle(*jobs(1), times=3)
    assert world.state() is NodeState.SHUTDOWN
    assert world.destroyed() == ["i-compute1"]
    assert not world.prepared()


def test_what_is_booting_counts_for_the_limits() -> None:
    """Row C11: with its size, before any answer has come."""
    world = fleet(max_nodes=3)
    world.begin(*jobs(9))
    world.cycle(times=3)
    assert world.prepared() == ["small"] * 3
    assert world.fleet.view.price == pytest.approx(0.3)


def test_a_wish_longer_than_the_room_makes_no_wanted_node_superfluous() -> None:
    """Row N2: at a full quota, and above it."""
    for max_nodes in (2, 1):
        world = fleet(("small", "idle"), ("small", "idle"), max_nodes=max_nodes, shutdown_windows=(0.0, 60.0))
        world.begin(*jobs(9))
        world.cycle(times=4)
        assert not world.steps


# ---- min_nodes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "waiting", "expected"),
    [
        pytest.param([], [], {"small": 3}, id="filled up with the cheapest"),
        pytest.param([("large", "alloc")] * 3, [], {}, id="busy nodes count, row C5"),
        pytest.param([("small", "idle"), ("small", "resv")], [], {"small": 1}, id="idle and reserved count"),
        pytest.param([("small", "fail")] * 3, [], {"small": 3}, id="failed ones do not"),
        pytest.param([], jobs(1, BIG), {"large": 1, "small": 2}, id="after all wishes"),
        pytest.param([], jobs(5), {"small": 5}, id="wishes are enough"),
    ],
)
def test_fewer_than_min_nodes_are_filled_up(
    nodes: list[tuple[str, str]], waiting: list[Job], expected: dict[str, int]
) -> None:
    """Rows C4 and C5."""
    assert boots(fleet(*nodes, min_nodes=3), *waiting) == expected


def test_min_nodes_is_filled_only_as_far_as_the_limits_allow() -> None:
    assert boots(fleet(min_nodes=3, max_total_price=0.25)) == {"small": 2}


def test_min_nodes_takes_the_cheapest_size_that_does_not_rest() -> None:
    """Row C5."""
    world = fleet(min_nodes=1)
    world.begin()
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY)
    world.obey(ReleaseRecord)
    world.cycle(every=1)
    assert world.prepared() == ["small", "large"]


def test_a_job_stopped_by_a_limit_takes_what_one_behind_it_holds() -> None:
    """A part of a job's nodes serves nobody; the one before can start with it."""
    world = fleet(("large", "idle"), ("small", "alloc"), ("small", "alloc"), max_nodes=5)
    before, behind = JobShape(nodes=3), JobShape(cores=4, nodes=2)
    world.begin(*jobs(1, before, priority=2, name="before"), *jobs(1, behind, priority=1, name="behind"))
    assert world.prepared() == ["small", "small"]
    assert world.reason(before) == ""
    assert "max_nodes of 5" in world.reason(behind)


@pytest.mark.parametrize("nodes", [0, -1])
def test_a_job_that_asks_for_no_node_is_passed_over(nodes: int) -> None:
    """One malformed item never costs the list, nor hangs whoever reads it."""
    world = fleet(("small", "idle"))
    assert boots(world, *jobs(2, JobShape(nodes=nodes)), *jobs(2, SMALL)) == {"small": 1}


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_shapes_of_jobs_that_are_gone_are_forgotten() -> None:
    """Where every job asks for another number of bytes, each has a shape of its own."""
    world = fleet(max_nodes=0)
    world.begin()

    def shapes() -> int:
        gc.collect()
        return sum(isinstance(each, JobShape) for each in gc.get_objects())

    before = shapes()
    for ram in range(1000):
        world.poll_queue(Job("job", JobShape(ram=ram), 0, "Resources"))
    assert shapes() - before < 200
