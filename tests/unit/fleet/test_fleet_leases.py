"""Nodes are told that they are managed: all at once, four times in the shortest lease, by nobody who begins nothing."""

from __future__ import annotations

from typing import Any

import pytest
from world import EPOCH, HOUR, MINUTE, World, policy

from arvnodeman.fleet.decide.leases import EVERY
from arvnodeman.fleet.messages import SafeMode, StopAsked
from arvnodeman.fleet.operations.lease_steps import RenewLeases
from arvnodeman.fleet.values.model import ErrorKind


def world(**options: Any) -> World:
    made = World(policy(**{"renews_leases": True, "min_nodes": 2, **options}))
    made.node(slurm="alloc")
    made.node("compute2", slurm="idle")
    return made


def rounds(made: World) -> list[RenewLeases]:
    return [step for step in made.asked if isinstance(step, RenewLeases)]


def test_all_nodes_are_told_together_and_another_value_each_time() -> None:
    made = world().begin()
    made.obey(RenewLeases)
    made.cycle(every=MINUTE, times=14)
    assert len(rounds(made)) == 1
    made.cycle(every=MINUTE, times=2)
    first, second = rounds(made)
    assert sorted(first.ids) == sorted(second.ids) == ["i-compute1", "i-compute2"]
    assert sorted(second.hostnames) == ["compute1", "compute2"]
    assert first.value != second.value


def test_a_day_costs_as_many_rounds_as_it_has_quarters_of_an_hour() -> None:
    made = world().begin()
    for _ in range(24 * 12):
        made.obey(RenewLeases)
        made.cycle(every=5 * MINUTE)
    assert len(rounds(made)) == 24 * HOUR / EVERY + 1


def test_where_no_lease_is_wanted_nobody_is_told() -> None:
    made = world(renews_leases=False).begin()
    made.cycle(every=MINUTE, times=40)
    assert rounds(made) == []


def test_without_nodes_there_is_nobody_to_tell() -> None:
    made = World(policy(renews_leases=True)).begin()
    made.cycle(every=MINUTE, times=40)
    assert rounds(made) == []


def test_one_that_failed_is_tried_again_soon_and_told_of_once() -> None:
    made = world().begin()
    for _ in range(3):
        made.fail(made.one(RenewLeases), ErrorKind.TRANSIENT, "slurmctld is away")
        made.cycle(every=3 * MINUTE)
    assert len(rounds(made)) == 4
    assert len([line for line in made.log() if "renew the leases" in line]) == 1


@pytest.mark.parametrize("event", [SafeMode(EPOCH + HOUR), StopAsked()])
def test_who_begins_nothing_renews_nothing(event: Any) -> None:
    made = world()
    made.tell(event)
    made.begin()
    made.cycle(every=MINUTE, times=10)
    assert rounds(made) == []
