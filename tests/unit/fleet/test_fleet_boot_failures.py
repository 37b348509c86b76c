"""What can fail in a boot, and what follows (section 6 of the rules)."""

from __future__ import annotations

from typing import Any

import pytest
from world import NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    FindNode,
    FinishNode,
    PrepareRecord,
    ReleaseRecord,
    SetNodeDown,
    Step,
)
from arvnodeman.fleet.values.model import ErrorKind

TO_CREATE: tuple[type[Step], ...] = (PrepareRecord, DescribeNode)


def booting(count: int = 1, *, obey: tuple[type[Step], ...] = (), **options: Any) -> World:
    """Boots for small jobs, as far as these steps bring them."""
    world = World(policy(shutdown_windows=NEVER, **options)).begin(*jobs(count))
    if obey:
        world.obey(*obey)
    return world


def kinds(world: World) -> list[str]:
    return [type(step).__name__ for step in world.steps]


# ---- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (ErrorKind.TRANSIENT, ["FindNode"]),
        (ErrorKind.THROTTLED, ["CreateNode"]),
        (ErrorKind.QUOTA, ["ReleaseRecord"]),
        (ErrorKind.CAPACITY, ["ReleaseRecord"]),
        (ErrorKind.REFUSED, ["ReleaseRecord"]),
        (ErrorKind.UNEXPECTED, ["FindNode"]),
    ],
)
def test_what_follows_a_create_that_failed(kind: ErrorKind, steps: list[str]) -> None:
    """Rows A10 and D7: what may have worked is looked for, before anything else."""
    world = booting(obey=TO_CREATE)
    world.fail(world.one(CreateNode), kind)
    world.wait(1)
    assert kinds(world) == steps


def test_a_create_that_had_worked_is_found_and_no_second_node_is_made() -> None:
    """Rows D7 and D8."""
    world = booting(obey=TO_CREATE)
    step = world.one(CreateNode)
    world._create(step)
    world.fail(step)
    world.wait(1)
    world.obey()
    assert len(world.cloud) == 1
    assert world.created() == ["small"]


@pytest.mark.parametrize("found", [True, False])
def test_an_unforeseen_exception_ends_the_boot_and_releases_the_record(found: bool) -> None:
    """Rows D5 and N3: unless the node is there after all."""
    world = booting(obey=TO_CREATE)
    step = world.one(CreateNode)
    if found:
        world._create(step)
    world.fail(step, ErrorKind.UNEXPECTED, "KeyError: 'x'")
    world.jobs = ()
    world.obey()
    world.cycle()
    assert (world.records["r-new1"].slot is None) is not found
    assert len(world.cloud) == found
    assert not world.fleet.view.operations
    assert world.fleet.view.states["booting"] == 0
    assert any("KeyError" in line for line in world.log(40))


def test_retries_wait_from_1_s_doubling_up_to_max_poll_time() -> None:
    """Row A8."""
    world = booting(obey=TO_CREATE, max_poll_time=10.0, boot_attempts=99)
    for _ in range(6):
        world.fail(world.one(CreateNode))
        world.wait(10)
        world.done(world.one(FindNode), None)
    said = [line.rsplit(" ", 2)[1] for line in world.log(30) if "scheduling retry" in line]
    assert said == ["1", "2", "4", "8", "10", "10"]


def test_a_retry_comes_at_now_plus_the_wait() -> None:
    """Row A8."""
    world = booting()
    world.fail(world.one(PrepareRecord))
    world.wait(0.9)
    assert not world.steps
    world.wait(0.2)
    assert world.one(PrepareRecord)


@pytest.mark.parametrize(("asked", "wait"), [(7.0, 7), (0.2, 1), (0.0, 1), (99_999.0, 300), (None, 1)])
def test_retry_after_is_honoured_and_clamped(asked: float | None, wait: float) -> None:
    """Rows A11 and A12: 0 leaves the doubling alone."""
    world = booting(obey=TO_CREATE)
    world.fail(world.one(CreateNode), ErrorKind.THROTTLED, retry_after=asked)
    assert f"in {wait} seconds" in world.log(30)[-1]


def test_throttling_uses_up_no_attempts() -> None:
    world = booting(obey=TO_CREATE, boot_attempts=3)
    for _ in range(10):
        world.fail(world.one(CreateNode), ErrorKind.THROTTLED, retry_after=2.0)
        world.wait(2)
    assert kinds(world) == ["CreateNode"]


@pytest.mark.parametrize(
    ("kind", "before"),
    [(PrepareRecord, ()), (CreateNode, TO_CREATE), (FinishNode, (*TO_CREATE, CreateNode))],
)
def test_throttling_ends_no_boot_where_one_attempt_is_all(kind: type[Step], before: tuple[type[Step], ...]) -> None:
    """It delays requests, and changes nothing else: no size rests for it."""
    world = booting(obey=before, boot_attempts=1)
    world.fail(world.one(kind), ErrorKind.THROTTLED, retry_after=2.0)
    world.wait(2)
    assert world.one(kind)
    assert not world.fleet.view.backing_off


@pytest.mark.parametrize("kind", [PrepareRecord, CreateNode])
def test_after_boot_attempts_it_is_given_up_released_and_counted(kind: type[Step]) -> None:
    """Rows A7, D5 and N3."""
    world = booting(obey=TO_CREATE if kind is CreateNode else (), boot_attempts=4)
    for _ in range(4):
        world.fail(world.one(kind), text="503")
        world.wait(10)
        for step in world.open(FindNode):
            world.done(step, None)
    world.jobs = ()
    world.obey(ReleaseRecord)
    world.cycle(every=1)
    assert len([step for step in world.asked if isinstance(step, kind)]) == 4
    assert not world.steps
    assert world.fleet.view.states["booting"] == 0
    assert world.fleet.view.counters["boots_refused_transient"] == 1
    assert all(record.slot is None for record in world.records.values())
    assert "small" in world.fleet.view.backing_off


@pytest.mark.parametrize("kind", [ErrorKind.REFUSED, ErrorKind.UNEXPECTED, ErrorKind.SLOTS, ErrorKind.QUOTA])
def test_a_record_that_is_refused_ends_the_boot_at_once(kind: ErrorKind) -> None:
    """Row A10: other HTTP errors are not retried."""
    world = booting()
    world.fail(world.one(PrepareRecord), kind)
    world.jobs = ()
    world.wait(600)
    assert not world.open(PrepareRecord)
    world.cycle()
    assert not world.fleet.view.operations


def test_a_release_that_fails_is_tried_again() -> None:
    """Row B6: at last as a record without a node."""
    world = booting(obey=TO_CREATE, boot_attempts=3)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY)
    for _ in range(3):
        world.fail(world.one(ReleaseRecord))
        world.wait(10)
    assert not world.open(ReleaseRecord)
    world.jobs = ()
    world.cycle(every=1, times=2)
    world.obey(SetNodeDown)
    assert world.one(ReleaseRecord).uuid == "r-new1"


@pytest.mark.parametrize(("kind", "tries"), [(ErrorKind.TRANSIENT, 9), (ErrorKind.GONE, 9), (ErrorKind.UNEXPECTED, 1)])
def test_a_search_that_keeps_failing_ends_too(kind: ErrorKind, tries: int) -> None:
    """Row D5: after boot_attempts, or any unexpected exception."""
    world = booting(obey=TO_CREATE, boot_attempts=3)
    world.fail(world.one(CreateNode))
    for _ in range(tries):
        world.wait(300)
        for step in world.open(FindNode):
            world.fail(step, kind)
    assert world.open(ReleaseRecord)


@pytest.mark.parametrize("kind", [ErrorKind.REFUSED, ErrorKind.QUOTA])
def test_a_search_that_is_refused_ends_the_boot(kind: ErrorKind) -> None:
    world = booting(obey=TO_CREATE)
    world.fail(world.one(CreateNode))
    world.wait(1)
    world.fail(world.one(FindNode), kind)
    assert world.open(ReleaseRecord)


@pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.GONE, ErrorKind.THROTTLED])
def test_the_last_touches_are_tried_again(kind: ErrorKind) -> None:
    """Rows D10 and D11: a fresh instance may not be known everywhere yet."""
    world = booting(obey=(*TO_CREATE, CreateNode))
    world.fail(world.one(FinishNode), kind)
    world.wait(2)
    assert world.one(FinishNode).node.id in world.cloud


def test_when_the_last_touches_fail_for_good_the_node_is_kept() -> None:
    """Row D10."""
    world = booting(obey=(*TO_CREATE, CreateNode))
    world.fail(world.one(FinishNode), ErrorKind.REFUSED, "tags are forbidden")
    world.cycle()
    assert any("tags are forbidden" in line for line in world.log(40))
    assert not world.fleet.view.operations
    assert not world.steps
    assert world.fleet.view.states["unpaired"] == 1


def test_an_unforeseen_exception_in_the_last_touches_ends_the_boot() -> None:
    """Rows A6 and D5: a mistake in the code is not mended by trying again."""
    world = booting(obey=(*TO_CREATE, CreateNode))
    world.fail(world.one(FinishNode), ErrorKind.UNEXPECTED, "TypeError: x")
    world.wait(600)
    assert not world.open(FinishNode)


def test_a_boot_given_up_whose_node_cannot_be_looked_for_is_released() -> None:
    """Row D5: its node, if there is one, never pairs and goes."""
    world = booting(obey=TO_CREATE)
    world.fail(world.one(CreateNode), ErrorKind.UNEXPECTED)
    world.fail(world.one(FindNode), ErrorKind.UNEXPECTED)
    assert world.one(ReleaseRecord).uuid == "r-new1"
