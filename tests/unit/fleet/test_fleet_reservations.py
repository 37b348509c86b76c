"""Slurm's reservations and licences: nothing is booted that Slurm would not use, and every job is told why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from test_fleet_names import cloud, given, name, world
from world import HOUR, MINUTE, ONE, World, jobs, policy

from arvnodeman.fleet.messages import DestroyNode, DrainNode, PrepareRecord
from arvnodeman.fleet.outlook.ahead import Outlook, Reservation
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.slurm.foresee import kinds_of
from arvnodeman.slurm.words import node_work

NAMES = ("c1", "c2", "c3", "c4")


def names(*reserved: str) -> list[Any]:
    return [name(each, reserved=each in reserved) for each in NAMES]


def reservation(now: float, nodes: tuple[str, ...] = NAMES, begins: float = HOUR, *flags: str, **more: Any) -> Outlook:
    """One, for four hours."""
    made = Reservation("window", now + begins, now + begins + 4 * HOUR, frozenset(nodes), **kinds_of(flags))
    return Outlook({"window": replace(made, ends="2026-11-29 18:00", **more)})


def lasting(seconds: float, count: int = 1, shape: JobShape = ONE) -> list[Job]:
    return [replace(job, time_limit=seconds) for job in jobs(count, shape)]


def booted(made: World) -> list[str | None]:
    """The names that boots have asked for."""
    return [step.reuse for step in made.asked if isinstance(step, PrepareRecord)]


def why(made: World) -> str:
    """Why the first job that has no node waits."""
    return next(
        waiting.cause.words(made.fleet.view.t)
        for waiting in made.fleet.view.waiting.values()
        if waiting.cause is not None
    )


@pytest.mark.parametrize("begins", [HOUR, -MINUTE])
def test_no_node_for_a_job_that_cannot_begin_before_the_end_of_a_maintenance(begins: float) -> None:
    made = world(*names()).begin()
    made.outlook = reservation(made.now, NAMES, begins, "MAINT")
    made.cycle(*lasting(2 * HOUR, 3), times=5)
    assert booted(made) == []
    assert "the reservation 'window' (maintenance)" in why(made)
    assert "ends at 2026-11-29 18:00" in why(made)
    assert ("begins in" in why(made)) is (begins > 0)
    # it is over: the next poll boots, and the Fleet itself asks for that poll
    made.outlook = Outlook()
    made.cycle(*lasting(2 * HOUR, 3))
    assert len(booted(made)) == 3


def test_a_queue_that_comes_before_the_first_list_of_names() -> None:
    made = world(*names())
    made.sizes()
    made.outlook = reservation(made.now, NAMES, HOUR, "MAINT")
    made.poll_queue(*lasting(2 * HOUR))
    made.cycle(*lasting(2 * HOUR), times=3)
    assert booted(made) == []


def test_the_polls_are_brought_forward_to_the_end_of_a_maintenance() -> None:
    made = world(*names()).begin()
    made.outlook = reservation(made.now, NAMES, -MINUTE)
    made.cycle(*lasting(2 * HOUR))
    wakeup = made.fleet.next_wakeup()
    assert wakeup is not None
    assert wakeup == pytest.approx(made.outlook.reservations["window"].end)


@pytest.mark.parametrize("seconds", [30 * MINUTE, None])
def test_a_job_that_ends_before_is_served(seconds: float | None) -> None:
    made = world(*names()).begin()
    made.outlook = reservation(made.now)
    made.cycle(*[replace(job, time_limit=seconds) for job in jobs(2)], times=2)
    assert len(booted(made)) == 2


def test_names_outside_are_booted_and_no_more_than_there_are() -> None:
    made = world(*names()).begin()
    made.outlook = reservation(made.now, ("c1", "c3"))
    made.cycle(*lasting(math.inf, 4), times=3)
    assert booted(made) == ["c2", "c4"]
    assert "window" in why(made)


def test_a_job_of_several_nodes_gets_all_or_none() -> None:
    made = world(*names()).begin()
    made.outlook = reservation(made.now, ("c1", "c2", "c3"))
    made.cycle(*lasting(math.inf, 1, JobShape(nodes=2)), times=3)
    assert booted(made) == []


def test_short_jobs_leave_the_names_inside_to_the_last() -> None:
    made = world(*names()).begin()
    made.outlook = reservation(made.now, ("c1", "c2"))
    made.cycle(*lasting(MINUTE, 3), times=2)
    assert booted(made) == ["c3", "c4", "c1"]


def test_a_job_in_a_reservation_gets_a_name_inside() -> None:
    made = world(*names("c3", "c4")).begin()
    made.outlook = reservation(made.now, ("c3", "c4"), -MINUTE)
    made.cycle(*lasting(math.inf, 3, replace(ONE, reservation="window")), times=3)
    assert booted(made) == ["c3", "c4"]
    assert why(made) == "it asks for the reservation 'window', and no name in that is free to be booted"


@pytest.mark.parametrize("flag", ["FLEX", "ANY_NODES"])
def test_a_job_in_a_reservation_that_does_not_bind_it(flag: str) -> None:
    made = world(*names("c4")).begin()
    made.outlook = reservation(made.now, ("c4",), -MINUTE, flag)
    made.cycle(*lasting(math.inf, 4, replace(ONE, reservation="window")), times=3)
    assert booted(made) == ["c1", "c2", "c3", "c4"]


def test_a_name_that_slurm_shows_reserved_by_nobody_knows_whom_is_left_alone() -> None:
    """What the reservations are could not be read, or it has begun since."""
    made = world(*names("c1", "c2")).begin()
    made.cycle(*jobs(4), times=2)
    assert booted(made)[:2] == ["c3", "c4"]
    assert "c1" not in booted(made)


def test_an_idle_node_in_the_way_is_no_supply_and_goes() -> None:
    """It would stand idle until the end of the maintenance; a node outside is booted for the job."""
    record = given("c1", "i-1", "10.0.0.1")
    made = world(record, *names()[1:], nodes=(cloud("i-1", "c1"),), shutdown_windows=(0.0, 1.0)).begin()
    made.outlook = reservation(made.now, ("c1", "c2"))
    made.cycle(*lasting(2 * HOUR), times=3)
    assert booted(made) == ["c3"]
    assert [step.hostname for step in made.asked if isinstance(step, DrainNode)] == ["c1"]


def test_a_shutdown_is_not_taken_back_for_a_job_that_cannot_use_the_node() -> None:
    record = given("c1", "i-1", "10.0.0.1")
    made = world(record, *names()[1:], nodes=(cloud("i-1", "c1"),), shutdown_windows=(0.0, 1.0)).begin()
    made.cycle(times=3)
    (drain,) = made.open(DrainNode)
    made.outlook = reservation(made.now, NAMES)
    made.cycle(*lasting(2 * HOUR))
    made.done(drain)
    assert made.slurm is not None
    made.slurm["c1"] = node_work("c1", "drain", reason=drain.reason)
    made.wait(MINUTE)
    made.cycle(*lasting(2 * HOUR))
    made.obey()
    assert any(isinstance(step, DestroyNode) for step in made.asked)


def test_where_records_are_no_names_nothing_is_booted_when_all_of_slurms_are_in_the_way() -> None:
    made = World(policy(shutdown_windows=(0.0, 1.0)))
    made.slurm = {each: node_work(each, "down") for each in ("compute0", *NAMES)}
    made.begin()
    made.outlook = replace(reservation(made.now), never_ours=frozenset({"compute0"}))
    made.cycle(*lasting(2 * HOUR, 3), times=3)
    assert booted(made) == []
    assert "window" in why(made)
    made.outlook = replace(reservation(made.now, NAMES[1:]), never_ours=frozenset({"compute0"}))
    made.cycle(*lasting(2 * HOUR, 3))
    assert len(booted(made)) == 3  # which names they will have is not known


# ---- licences --------------------------------------------------------------------------------------------------------


def licensed(*choices: Mapping[str, int], **more: Any) -> JobShape:
    return JobShape(licences=tuple(tuple(sorted(choice.items())) for choice in choices), **more)


@pytest.mark.parametrize(
    ("free", "shape", "served"),
    [
        ({"solver": 2}, licensed({"solver": 1}), 2),
        ({"solver": 5}, licensed({"solver": 2}), 2),
        ({"solver": 0}, licensed({"solver": 1}), 0),
        ({"solver": 9, "matlab": 3}, licensed({"solver": 1, "matlab": 1}), 3),
        ({"solver": 1, "matlab": 3}, licensed({"solver": 1}, {"matlab": 1}), 4),  # one of them will do
        ({"solver": 2}, licensed({"other": 1}), 5),  # not known: nothing is said
        ({}, licensed({"solver": 1}), 5),
        ({"solver": 9}, licensed({"solver": 1}), 5),
    ],
)
def test_so_many_jobs_have_nodes_as_there_are_licences_for(free: dict[str, int], shape: JobShape, served: int) -> None:
    made = World().begin()
    made.outlook = Outlook(licences=free)
    made.cycle(*jobs(5, shape), times=2)
    made.obey()
    made.cycle(times=2)
    assert len(booted(made)) == served
    if served < 5:
        assert "no licence of " in why(made)


def test_licences_go_to_the_first_in_turn_and_others_are_not_behind() -> None:
    made = World(policy(max_nodes=20)).begin()
    made.outlook = Outlook(licences={"solver": 3})
    first = jobs(2, licensed({"solver": 1}), priority=9, name="first")
    then = jobs(3, licensed({"solver": 1}, cores=2), priority=5, name="then")
    made.cycle(*then, *first, *jobs(2, name="none"), times=1)
    assert len(booted(made)) == 5
    assert why(made) == "no licence of solver is free for it: 3 are, for jobs before it"
    assert sum(waiting.cause is not None for waiting in made.fleet.view.waiting.values()) == 1


def test_an_idle_node_is_not_kept_for_a_job_without_a_licence() -> None:
    made = World(policy(shutdown_windows=(0.0, 1.0)))
    made.node()
    made.begin()
    made.outlook = Outlook(licences={"solver": 0})
    made.cycle(*jobs(1, licensed({"solver": 1})), times=4)
    assert [step.hostname for step in made.asked if isinstance(step, DrainNode)] == ["compute1"]


def test_licences_that_its_own_reservation_keeps_are_not_counted() -> None:
    made = World().begin()
    kept = Reservation("window", made.now - 1, made.now + HOUR, licences=(("solver", 2),))
    made.outlook = Outlook({"window": kept}, {"solver": 0})
    made.cycle(*jobs(2, licensed({"solver": 1}, reservation="window")), times=2)
    assert len(booted(made)) == 2
