"""Stamps of a time that is yet to come, left by clocks that were ahead: nothing may wait for them to pass."""

from __future__ import annotations

import pytest
from world import EPOCH, HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import ReleaseRecord
from arvnodeman.fleet.values.model import BootIntent, NodeRecord

TO_COME = EPOCH + 240 * HOUR


def orphan(**fields: object) -> World:
    """A record that has a slot, and no node."""
    world = World(policy(shutdown_windows=NEVER))
    world.records["r-compute1"] = NodeRecord("r-compute1", "compute1", "zzzzz", 1, created_at=EPOCH)
    world.change_record("compute1", **fields)
    return world


@pytest.mark.parametrize(("minutes", "booted"), [(14, False), (17, True)])
def test_what_an_earlier_run_began_counts_for_a_quarter_of_an_hour_at_most(minutes: int, booted: bool) -> None:
    """A daemon whose clock was ahead, and was put right: a job must not wait for its node for days."""
    world = orphan(intent=BootIntent("small", 0.1, "earlier", TO_COME))
    world.begin(*jobs(1))
    world.cycle(times=minutes)
    assert bool(world.prepared()) is booted


@pytest.mark.parametrize(("minutes", "cleaned"), [(30, False), (34, True)])
def test_a_record_that_was_changed_in_time_to_come_rests_while_it_stays_so(minutes: int, cleaned: bool) -> None:
    world = orphan(modified_at=TO_COME)
    world.begin()
    world.cycle(times=minutes)
    assert bool(world.open(ReleaseRecord)) is cleaned


def test_and_not_while_it_changes() -> None:
    world = orphan(modified_at=TO_COME)
    world.begin()
    for minute in range(60):
        world.cycle()
        world.change_record("compute1", modified_at=TO_COME + minute)
    assert not world.open(ReleaseRecord)


@pytest.mark.parametrize(("minutes", "gone"), [(28, False), (33, True)])
def test_a_node_that_starts_in_time_to_come_is_as_old_as_we_know_it(minutes: int, gone: bool) -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(record=False, slurm=None, start_time=TO_COME)
    world.begin()
    for _ in range(minutes):
        world.cycle()
        world.obey()
    assert bool(world.destroyed()) is gone


def test_its_windows_are_counted_from_there_too() -> None:
    world = World(policy(shutdown_windows=(5, 10)))
    world.node(start_time=TO_COME, first_ping=TO_COME)
    world.begin()
    world.cycle(times=4)
    assert not world.drained()
    world.cycle(every=2 * MINUTE)
    assert world.drained() == ["compute1"]
