"""Where Slurm places jobs: which name is powered up for a job that cannot start yet, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from placed_world import IDLE, MIX, PlacedWorld, begun, places

from arvnodeman.fleet.messages import CreateNode, QueueListed
from arvnodeman.fleet.operations.name_steps import GiveBack, PowerUp
from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Outlook, Reservation
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape
from arvnodeman.fleet.values.places import Needs, Place
from arvnodeman.fleet.values.reasons_of_spares import Readied, StaysAhead
from arvnodeman.fleet.values.work import Power

ONE = JobShape()
SHARED = JobShape(takes=Footprint(1, 500))


def later(world: PlacedWorld, job: str = "17", shape: JobShape = ONE, seconds: float = 200.0) -> LaterJob:
    return LaterJob(job, shape, world.now + seconds, why="its begin time comes")


def hears(world: PlacedWorld, *jobs: LaterJob, outlook: Outlook = NOTHING_AHEAD) -> None:
    """A queue comes, with these."""
    world.tell(QueueListed(tuple(world.jobs), world.now, outlook=outlook, later=jobs))


def boots(world: PlacedWorld, *jobs: LaterJob) -> None:
    """What is asked for is done, and the lists show it."""
    hears(world, *jobs)
    world.settle()
    for _ in range(2):
        world.poll_cloud()
        world.poll_records()
        hears(world, *jobs)
        world.settle()


def counted(world: PlacedWorld) -> tuple[int, int, int]:
    counters = world.fleet.view.counters
    return tuple(counters.get(f"ahead_{name}", 0) for name in ("boots", "used", "in_vain"))  # type: ignore[return-value]


def test_a_name_is_powered_up_and_booted_once() -> None:
    world = begun()
    job = later(world)
    hears(world, job)
    assert world.told(PowerUp) == ["small-1"]
    hears(world, job)
    assert world.told(PowerUp) == ["small-1"], "it is asked for already"
    boots(world, job)
    boots(world, job)
    assert (world.told(PowerUp), world.booted(), counted(world)) == (["small-1"], ["small-1"], (1, 0, 0))
    assert isinstance(world.fleet.view.ahead["17"], Readied)


def test_the_job_has_it_and_it_is_known_as_used() -> None:
    world = begun()
    job = later(world)
    boots(world, job)
    world.registers("small-1", IDLE)
    world.poll_records()
    assert [type(node.why) for node in world.fleet.view.nodes.values()] == [StaysAhead]
    world.word("small-1", Power.ON, MIX, placed=True)
    hears(world)
    world.poll_records()
    assert (counted(world), world.told(PowerUp)) == ((1, 1, 0), ["small-1"])


def test_a_job_that_comes_meanwhile_may_have_it_and_another_is_powered_up() -> None:
    world = begun()
    job = later(world)
    hears(world, job)
    world.settle()
    world.place("1", "small-1")
    boots(world, job)
    assert (world.told(PowerUp), world.booted()) == (["small-1", "small-2"], ["small-1", "small-2"])
    assert counted(world)[0] == 1


def test_a_name_for_nobody_is_given_back_after_a_cancel() -> None:
    world = begun(max_nodes=1)
    job = later(world)
    hears(world, job)
    world.obey(PowerUp)
    hears(world)
    for _ in range(3):
        world.wait(10.0)
        world.poll_records()
        hears(world)
    assert (world.told(GiveBack), world.booted()) == (["small-1"], [])


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        (JobShape(partitions=("gpu",)), "small-2"),
        (JobShape(place=Place(inside=("course",))), "small-3"),
        (JobShape(place=Place(outside=("other",))), "small-2"),
        (JobShape(place=Place(needs=Needs(required=("small-3",)))), "small-3"),
        (JobShape(size="large"), "large-1"),
    ],
)
def test_it_is_a_name_that_the_job_may_have(shape: JobShape, name: str) -> None:
    world = begun()
    world.records["small-1"] = replace(world.records["small-1"], partitions=("main",))
    world.poll_records()
    now = world.now
    held = {"course": "small-3", "other": "small-1"}
    known = {each: Reservation(each, now + 100, now + 9000, frozenset({where})) for each, where in held.items()}
    hears(world, later(world, shape=shape), outlook=Outlook(known))
    assert world.told(PowerUp) == [name]


def test_that_no_name_is_left_is_said() -> None:
    world = begun()
    job = later(world, shape=JobShape(partitions=("gpu",)))
    world.records |= {name: replace(each, partitions=("main",)) for name, each in world.records.items()}
    world.poll_records()
    hears(world, job)
    assert world.told(PowerUp) == []
    why = world.fleet.view.ahead["17"].words(0.0)
    assert why == "its begin time comes; no name of small that it may have is off and free, for a node of its own"


def test_an_idle_node_under_a_name_that_the_job_may_not_have_is_not_enough() -> None:
    world = PlacedWorld(places())
    world.machine("small-1")
    world.begin()
    known = Outlook({"other": Reservation("other", world.now, world.now + 9000, frozenset({"small-1"}))})
    hears(world, later(world, shape=JobShape(place=Place(outside=("other",)))), outlook=known)
    assert world.told(PowerUp) == ["small-2"]


@pytest.mark.parametrize(("free", "asked"), [(2, []), (0, ["small-2", "small-3"])])
@pytest.mark.parametrize("comes", [False, True])
def test_room_on_a_node_with_other_jobs_is_enough(free: int, asked: Sequence[str], comes: bool) -> None:
    """At work, or coming for a job. A node of this size has one core."""
    world = PlacedWorld(places())
    has: dict[str, Any] = {
        "has": Capacity(2, 2000),
        "free": Capacity(free, 2000 * free, jobs=1, whole=False),
        "placed": True,
    }
    if comes:
        world.place("1", "small-1")
        world.word("small-1", Power.STARTING, **has)
    else:
        world.machine("small-1")
        world.word("small-1", Power.ON, MIX, **has)
    world.begin()
    hears(world, later(world, "17", SHARED), later(world, "18", SHARED))
    assert world.told(PowerUp) == asked
    assert world.fleet.view.ahead["18"].words(world.fleet.view.t).endswith("have room for it") is False
    assert ("1 with other jobs has room for it" in world.fleet.view.ahead["18"].words(0.0)) is bool(free)


def test_a_job_that_was_given_back_and_may_not_be_placed_for_a_while_is_none() -> None:
    """Its start time is ours."""
    world = begun()
    world.place("1", "small-1")
    world.poll_records()
    world.poll_queue()
    world.obey_up_to(CreateNode)
    world.refuse(ErrorKind.CAPACITY)
    world.settle()
    assert world.given_back() == ["small-1"]
    hears(world, later(world, "1"))
    assert world.told(PowerUp) == []


@pytest.mark.parametrize("more", [{"max_nodes": 1}, {"max_total_price": 0.15}])
def test_limits_stop_it_and_a_placed_job_comes_first(more: dict[str, Any]) -> None:
    world = begun(**more)
    job = later(world)
    world.place("1", "large-1" if "max_nodes" in more else "small-2")
    boots(world, job)
    assert world.told(PowerUp) == []
    assert "would exceed" in (why := world.fleet.view.ahead["17"].words(0.0)) or "max_nodes" in why


def test_nothing_begins_while_the_gate_is_shut() -> None:
    world = begun()
    world.wait(700.0)  # the lists are too old
    hears(world, later(world))
    assert world.told(PowerUp) == []


# ---- once it may start -----------------------------------------------------------------------------------------------


def ready(world: PlacedWorld) -> None:
    """A node is idle for a job whose begin time is now."""
    job = later(world, seconds=100.0)
    boots(world, job)
    world.registers("small-1", IDLE)
    world.poll_records()


def stays(world: PlacedWorld) -> bool:
    world.poll_cloud()
    world.poll_records()
    world.settle()
    return any(isinstance(node.why, StaysAhead) for node in world.fleet.view.nodes.values())


def test_until_the_queue_tells_its_new_reason_its_node_stays_and_then_while_it_waits() -> None:
    world = begun(consecutive_idle_count=1, shutdown_windows=(0.0, 60.0), ahead_max_idle=10.0)
    ready(world)
    hears(world)
    assert stays(world)
    world.jobs = [Job("17", JobShape(), 0, "Priority")]
    for _ in range(4):
        world.wait(60.0)
        hears(world)
        assert stays(world)
    world.wait(600.0)
    hears(world)
    assert not stays(world)


def test_of_a_job_that_is_gone_its_node_is_free_after_a_minute() -> None:
    world = begun(consecutive_idle_count=1, shutdown_windows=(0.0, 60.0))
    ready(world)
    hears(world)
    assert stays(world)
    world.wait(70.0)
    hears(world)
    assert not stays(world)


def test_a_job_that_has_begun_keeps_no_second_node() -> None:
    world = PlacedWorld(places(consecutive_idle_count=1, shutdown_windows=(0.0, 60.0)))
    world.begin()
    ready(world)
    world.machine("small-2")
    hears(world)
    world.word("small-1", Power.ON, MIX, placed=True)
    assert not stays(world)
    assert counted(world) == (1, 1, 0)


def test_one_that_has_begun_since_the_queue_was_read_takes_nothing_from_the_next() -> None:
    """A list of names is newer than the queue, which gives the job as one that cannot start yet."""
    world = begun()
    first, second = later(world, "17", seconds=100.0), later(world, "18", seconds=130.0)
    boots(world, first, second)
    for name in ("small-1", "small-2"):
        world.registers(name, IDLE)
    world.poll_records()
    world.wait(101.0)
    world.word("small-1", Power.ON, MIX, placed=True)
    for _ in range(2):
        world.poll_cloud()
        world.poll_records()
        world.settle()
    assert world.booted() == ["small-1", "small-2"]
    assert world.told(PowerUp) == ["small-1", "small-2"]
