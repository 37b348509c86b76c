"""Looking whether a create request that failed has worked, and searches that fail too (section 6 of the rules)."""

from __future__ import annotations

from typing import Any

import pytest
from world import NEVER, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, DescribeNode, FindNode, PrepareRecord, ReleaseRecord
from arvnodeman.fleet.values.model import CloudNode, ErrorKind


def asked(*, kind: ErrorKind = ErrorKind.TRANSIENT, works: bool = False, **options: Any) -> tuple[World, CreateNode]:
    """A boot whose create request failed; it may have worked all the same."""
    world = World(policy(shutdown_windows=NEVER, **options)).begin(*jobs(1))
    world.obey(PrepareRecord, DescribeNode)
    create = world.one(CreateNode)
    if works:
        world._create(create)
    world.fail(create, kind, "it broke")
    world.jobs = ()
    world.wait(1)
    return world, create


def made(world: World) -> CloudNode:
    (node,) = world.cloud.values()
    return node


def boots(world: World) -> int:
    return len([operation for operation in world.fleet.view.operations if operation.kind == "boot"])


def searches(world: World) -> int:
    return len([step for step in world.asked if isinstance(step, FindNode)])


RETRIED = (ErrorKind.TRANSIENT, ErrorKind.THROTTLED)
FINAL = (ErrorKind.REFUSED, ErrorKind.QUOTA, ErrorKind.CAPACITY, ErrorKind.SLOTS, ErrorKind.UNEXPECTED)


@pytest.mark.parametrize("kind", [*RETRIED, ErrorKind.GONE])
def test_a_search_that_fails_for_now_is_made_again(kind: ErrorKind) -> None:
    """Row D7: and finds the node; no second one is asked for."""
    world, _ = asked(works=True)
    world.fail(world.one(FindNode), kind)
    assert not world.open(ReleaseRecord)
    world.wait(5)
    world.done(world.one(FindNode), made(world))
    world.obey()
    assert world.created() == ["small"]
    assert world.records["r-new1"].slot is not None


@pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.GONE])
@pytest.mark.parametrize("attempts", [2, 4, 7])
def test_attempts_at_search_and_create_together_are_boot_attempts(kind: ErrorKind, attempts: int) -> None:
    """The create request was the first of them."""
    world, _ = asked(boot_attempts=attempts)
    for _ in range(attempts - 1):
        assert not world.open(ReleaseRecord)
        world.fail(world.one(FindNode), kind)
        world.wait(300)
    assert not world.open(FindNode)
    assert world.one(ReleaseRecord).uuid == "r-new1"
    assert searches(world) == attempts - 1


def test_throttling_of_a_search_uses_up_no_attempts() -> None:
    """Not even where the next one would be the last."""
    world, _ = asked(boot_attempts=2)
    for _ in range(9):
        world.fail(world.one(FindNode), ErrorKind.THROTTLED, retry_after=2.0)
        world.wait(2)
    assert world.one(FindNode)


@pytest.mark.parametrize("kind", FINAL)
def test_a_search_that_fails_for_good_ends_the_boot_with_its_kind(kind: ErrorKind) -> None:
    """Rows A10 and D5: at once; the record is given back, and the boot counts as refused for that."""
    world, _ = asked()
    world.fail(world.one(FindNode), kind, "no looking here")
    world.obey(ReleaseRecord)
    world.cycle(every=1)
    assert searches(world) == 1
    assert not boots(world)
    assert not world.steps
    assert world.records["r-new1"].slot is None
    assert world.fleet.view.counters[f"boots_refused_{kind.value}"] == 1


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (ErrorKind.REFUSED, "the cloud refuses it for good"),
        (ErrorKind.CAPACITY, "the cloud has no capacity for it"),
        (ErrorKind.QUOTA, "the cloud refused it for quota"),
        (ErrorKind.UNEXPECTED, "requests for it kept failing"),
    ],
)
def test_its_size_rests_for_what_the_cloud_said(kind: ErrorKind, why: str) -> None:
    """The refusal was the cloud's, and not the record keeper's."""
    world, _ = asked()
    world.fail(world.one(FindNode), kind, "no looking here")
    assert [line for line in world.log(30) if line.startswith("Size small rests") and f"{why} (no looking" in line]


@pytest.mark.parametrize("kind", [*RETRIED, *FINAL])
def test_a_boot_that_was_given_up_is_looked_for_until_that_is_known(kind: ErrorKind) -> None:
    """Rows D5 and D7: an unforeseen exception ends it, but for a node that is there after all."""
    world, _ = asked(kind=ErrorKind.UNEXPECTED, works=True)
    world.fail(world.one(FindNode), kind)
    assert bool(world.open(ReleaseRecord)) is (kind not in RETRIED)
    world.wait(60)
    for step in world.open(FindNode):
        world.done(step, made(world))
    world.obey()
    assert (world.records["r-new1"].slot is None) is (kind not in RETRIED)
    world.cycle(every=1)
    assert not boots(world)


def test_a_boot_that_was_given_up_is_refused_once() -> None:
    """By its create request; what its search meets is not news of the size."""
    world, _ = asked(kind=ErrorKind.UNEXPECTED)
    before = world.log(40)
    world.fail(world.one(FindNode), ErrorKind.REFUSED, "no looking here")
    world.obey(ReleaseRecord)
    world.cycle(every=1)
    assert not boots(world)
    assert world.fleet.view.counters["boots_refused_unexpected"] == 1
    assert "boots_refused_refused" not in world.fleet.view.counters
    assert world.log(40) == before


def test_one_that_was_given_up_is_looked_for_boot_attempts_times() -> None:
    world, _ = asked(kind=ErrorKind.UNEXPECTED, boot_attempts=4)
    for _ in range(4):
        assert not world.open(ReleaseRecord)
        world.fail(world.one(FindNode))
        world.wait(300)
    assert world.one(ReleaseRecord).uuid == "r-new1"
    assert searches(world) == 4
