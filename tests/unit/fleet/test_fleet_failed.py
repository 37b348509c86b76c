"""A node that the cloud itself calls failed goes at once, and its size learns from what the cloud says of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from world import BIG, HELD, ONE, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, Decided
from arvnodeman.fleet.values.model import ErrorKind, NodeState

NO_HOST = "No valid host was found. There are not enough hosts available."
NO_IP = "No more IP addresses available on network 1111."


def asked_for(count: int = 1, **options: Any) -> World:
    """Jobs wait, and the cloud has taken the requests for their nodes."""
    world = World(policy(**options))
    world.begin(*jobs(count))
    world.obey()
    return world


def fails(world: World, fault: str = "", kind: ErrorKind | None = None) -> None:
    """The cloud shows all its nodes as failed."""
    for identity, node in world.cloud.items():
        world.cloud[identity] = replace(node, broken=True, failed=True, fault=fault, fault_kind=kind)


def rounds(world: World, count: int, *waiting: Any) -> None:
    for _ in range(count):
        world.cycle(*waiting, every=10)
        world.obey()


def test_it_is_destroyed_after_two_lists_and_the_next_size_is_tried() -> None:
    """It stood for boot_fail_after, and its job waited for it; the size rests as when a create is refused."""
    world = asked_for(max_price_factor=4.0)
    fails(world, NO_HOST, ErrorKind.CAPACITY)
    world.cycle(every=10)
    assert not world.destroyed()
    world.cycle(every=10)
    world.obey()
    assert world.destroyed() == ["i-new2"]
    assert "small" in world.fleet.view.backing_off
    world.poll_queue()
    world.obey()
    assert world.created() == ["small", "large"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (ErrorKind.CAPACITY, "the cloud has no capacity for it"),
        (ErrorKind.QUOTA, "the cloud refused it for quota"),
        (ErrorKind.REFUSED, "the cloud refuses it for good"),
    ],
)
def test_the_words_of_the_cloud_are_in_the_log_the_decisions_and_the_reason(kind: ErrorKind, why: str) -> None:
    world = asked_for(max_price_factor=1.0)
    fails(world, NO_HOST, kind)
    rounds(world, 2)
    world.poll_queue()
    assert f"The cloud calls node compute1.zzzzz failed: {NO_HOST}" in world.log(30)
    failed = [note.text % note.args for note in world.notes if note.kind is Decided.BOOT_FAILED]
    assert failed == [f"Cloud node compute1.zzzzz did not come up: the cloud calls it failed: {NO_HOST}"]
    assert why in world.reason()
    assert NO_HOST in world.reason()
    assert world.fleet.view.counters["boot_failures"] == world.fleet.view.counters["boots_failed_" + kind.value] == 1


def test_a_size_whose_creates_are_taken_and_then_fail_rests_longer_each_time() -> None:
    """A yes to the create proves nothing: it is followed by the same failure."""
    world = asked_for(max_price_factor=1.0)
    begun = []
    for _ in range(400):
        fails(world, NO_HOST, ErrorKind.CAPACITY)
        before = len(world.created())
        rounds(world, 1)
        if len(world.created()) > before:
            begun.append(world.now)
    waits = [later - earlier for earlier, later in itertools.pairwise(begun)]
    assert waits[0] > 60
    assert sorted(waits) == waits
    assert waits[-1] > 800


def test_want_of_addresses_lowers_the_quota_of_all_sizes() -> None:
    world = asked_for(3)
    for identity in sorted(world.cloud)[:1]:
        world.cloud[identity] = replace(world.cloud[identity], failed=True, fault=NO_IP, fault_kind=ErrorKind.QUOTA)
    world.cycle(every=10, times=2)
    assert world.fleet.view.quota == 2


def test_a_fault_that_says_nothing_counts_as_a_failed_boot_like_any_other() -> None:
    world = asked_for(max_price_factor=1.0)
    fails(world)
    rounds(world, 3)
    assert world.destroyed() == ["i-new2"]
    assert "small" not in world.fleet.view.backing_off
    for _ in range(20):
        fails(world)
        rounds(world, 1)
    assert world.fleet.view.counters["boot_failures"] >= 5
    assert "small" in world.fleet.view.backing_off


def test_one_that_recovers_in_between_stays() -> None:
    world = asked_for()
    before = dict(world.cloud)
    for _ in range(3):
        fails(world, NO_HOST, ErrorKind.CAPACITY)
        rounds(world, 1)
        world.cloud = dict(before)
        rounds(world, 1)
    assert not world.destroyed()


@pytest.mark.parametrize("state", ["alloc", "mix", "comp", "drng"])
def test_one_that_slurm_calls_busy_stays(state: str) -> None:
    """Row C16."""
    world = World()
    world.node(slurm=state, broken=True, failed=True, fault=NO_HOST, fault_kind=ErrorKind.CAPACITY)
    world.begin()
    rounds(world, 5)
    assert not world.destroyed()
    assert world.state() is NodeState.BUSY


def test_one_that_is_held_stays() -> None:
    world = World()
    world.node(failed=True, directive=HELD)
    world.begin()
    rounds(world, 5)
    assert not world.destroyed()


@pytest.mark.parametrize("state", ["idle", "down", "drain", "maint", "unk"])
def test_one_that_was_up_goes_and_is_no_failed_boot(state: str) -> None:
    """Row C16: whatever the windows say, and whoever wants it: it will not work again."""
    world = World(policy(shutdown_windows=(1e9, 1.0)))
    world.node(slurm=state, failed=True, fault=NO_HOST, fault_kind=ErrorKind.CAPACITY)
    world.begin(*jobs(1))
    rounds(world, 2)
    world.says("compute1", "drain", reason="Node Manager removal (i-compute1)")
    rounds(world, 2)
    assert world.destroyed()[:1] == ["i-compute1"]
    assert "boot_failures" not in world.fleet.view.counters
    assert not world.fleet.view.backing_off


def test_after_a_restart_it_goes_too() -> None:
    world = asked_for()
    fails(world, NO_HOST, ErrorKind.CAPACITY)
    world.restart()
    world.begin(*jobs(1))
    rounds(world, 2)
    assert "i-new2" in world.destroyed()


def test_a_job_that_names_the_size_is_told_why_it_waits() -> None:
    named = replace(BIG, size="large")
    world = World()
    world.begin(*jobs(1, named))
    world.obey()
    fails(world, NO_HOST, ErrorKind.CAPACITY)
    rounds(world, 2)
    world.poll_queue()
    assert NO_HOST in world.reason(named)
    assert not world.open(CreateNode)
    assert ONE not in world.fleet.view.waiting
