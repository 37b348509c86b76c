"""Jobs of several nodes that hold a part of theirs, when a limit stops one before them (section 5 of the rules)."""

from __future__ import annotations

import pytest
from world import NEVER, OFFERS, ONE, SECTIONS, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, DescribeNode, PrepareRecord, ReleaseRecord
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, ProviderSize, SizeSection

OPEN = (0.0, 60.0)


def fleet(*nodes: tuple[str, str], windows: tuple[float, ...] = OPEN) -> World:
    """Nodes of (size, Slurm's word), compute1 and on, which are all that there may be."""
    world = World(policy(max_nodes=len(nodes), shutdown_windows=windows))
    for number, (size, said) in enumerate(nodes, start=1):
        world.node(f"compute{number}", size=size, slurm=said)
    return world


def waiting(*shapes: JobShape) -> list[Job]:
    """A job of each shape, the first with the highest priority."""
    return [job for turn, shape in enumerate(shapes) for job in jobs(1, shape, priority=9 - turn, name=f"j{turn}-")]


def test_the_first_takes_what_it_lacks_and_the_next_one_what_that_leaves() -> None:
    """And none of these nodes looks as if nobody wanted it."""
    world = fleet(("small", "idle"), ("large", "idle"), ("large", "idle"), ("small", "alloc"))
    first, second, behind = JobShape(nodes=2), ONE, JobShape(cores=4, nodes=3)
    world.begin(*waiting(first, second, behind))
    assert [world.reason(shape) for shape in (first, second)] == ["", ""]
    assert world.reason(behind).startswith("3 of large wanted, max_nodes of 4 reached")
    world.cycle(times=5)
    assert not world.drained()
    assert not world.prepared()


@pytest.mark.parametrize("size", [None, "large"])
def test_what_the_first_leaves_is_kept_for_the_one_that_gave_it(size: str | None) -> None:
    """It would be booted again when the limit allows."""
    world = fleet(("small", "idle"), ("large", "idle"), ("large", "idle"), ("small", "alloc"))
    first, behind = JobShape(nodes=2), JobShape(cores=4, size=size, nodes=3)
    world.begin(*waiting(first, behind))
    assert world.reason(first) == ""
    world.cycle(times=5)
    assert not world.drained()


def test_all_of_those_behind_give_what_they_hold() -> None:
    medium = SizeSection("medium", cores=2, instance_type="medium")
    sizes = policy(sections=(*SECTIONS, medium), max_nodes=3)
    world = World(sizes, (*OFFERS, ProviderSize("medium", "medium", ram=4000, disk=20, price=0.2)))
    for number, (size, said) in enumerate([("medium", "idle"), ("large", "idle"), ("small", "alloc")], start=1):
        world.node(f"compute{number}", size=size, slurm=said)
    first, one, other = JobShape(nodes=2), JobShape(cores=2, nodes=2), JobShape(cores=4, nodes=2)
    world.begin(*waiting(first, one, other))
    assert world.reason(first) == ""
    assert world.reason(one)
    assert world.reason(other)


def test_what_nobody_before_can_use_makes_room() -> None:
    """A part of a job's nodes serves nobody while another comes first."""
    world = fleet(("small", "idle"), ("small", "idle"), ("small", "alloc"), windows=NEVER)
    world.begin(*waiting(JobShape(cores=4), JobShape(nodes=3)))
    world.cycle(times=2)
    assert "compute1" in world.drained()


def test_a_job_of_which_a_limit_stops_the_first_node_keeps_what_it_holds() -> None:
    """Nobody comes before it."""
    world = fleet(("small", "idle"), ("small", "idle"), ("small", "alloc"))
    world.begin(*waiting(JobShape(nodes=3), ONE))
    world.cycle(times=5)
    assert not world.drained()
    assert world.reason(ONE)


def test_one_whose_size_rests_gives_nothing_to_those_behind_it() -> None:
    """It comes first, and goes on when its size has rested."""
    world = fleet(("large", "idle"), ("small", "alloc"), ("small", "alloc"))
    del world.cloud["i-compute3"], world.records["r-compute3"]
    before = JobShape(cores=4, nodes=2)
    world.begin(*waiting(before))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY, "no room")
    world.obey(ReleaseRecord)
    world.node("compute3", slurm="alloc")
    world.cycle(*waiting(before, ONE), every=1)
    assert "no room" in world.reason(before)
    assert "max_nodes of 3 reached" in world.reason(ONE)
