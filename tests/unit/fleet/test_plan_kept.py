"""What a plan has for jobs is kept as long as it would come out the same, and no longer."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from pictures import IDLE_LONG, OFFERS, ONE, SECTIONS, T, bounds, idle, picture, supply
from world import policy

from arvnodeman.fleet.outlook.ahead import NOTHING_AHEAD, Names
from arvnodeman.fleet.plan.picture import Ends, Leaving, Pending
from arvnodeman.fleet.plan.plan import Allotment, plan
from arvnodeman.fleet.plan.vain import Memory
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import JobShape

JOBS = {ONE: [0, 1]}
NODES = supply(small=(1, 0, 0, 0))


def test_it_stands_while_only_time_goes_by() -> None:
    before = picture(JOBS, NODES)
    known = Allotment(before)
    later = replace(before, t=T + 600, now=T + 600, news=3, in_force=True)
    assert known.is_of(later)
    assert plan(later, known) == plan(later)
    assert plan(later, known).shares is known.shares


def test_which_nodes_go_is_decided_anew() -> None:
    before = picture({}, NODES)
    known = Allotment(before)
    ends = Ends(idle={"small": [idle("a")]}, chances={})
    later = replace(before, ends=replace(ends, chances={"a": IDLE_LONG}))
    assert known.is_of(later)
    assert [each.id for each in plan(later, known).verdicts] == ["a"]


@pytest.mark.parametrize(
    "other",
    [
        {"demand": {ONE: [0, 1]}},
        {"tally": supply(small=(1, 0, 0, 0))},
        {"policy": policy()},
        {"table": SizeTable(SECTIONS, OFFERS, 1.0)},
        {"outlook": replace(NOTHING_AHEAD)},
        {"names": Names(Counter())},
        {"vain": {ONE: Memory()}},
        {"shut_rooms": {ONE: reasons.Plain(text="no room")}},
        {"asking": "a"},
        {"other_size_may_try": True},
        {"bounds": bounds(max_nodes=98)},
        {"leaving": [Leaving("a", 1, "small")]},
        {"pending": [Pending(1, "small")]},
        {"run_times": {ONE: 60.0}},
        {"health": {size: SizeHealth(proven=size == "small") for size in ("small", "large")}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_it_is_not_that_of_a_picture_in_which_anything_is_other(other: dict[str, Any]) -> None:
    """Of the greatest tables only the very object counts as the same."""
    before = picture(JOBS, NODES)
    assert not Allotment(before).is_of(replace(before, **other))


def test_it_does_not_stand_while_a_size_rests() -> None:
    """It may be over by itself."""
    before = picture(JOBS, NODES)
    before.health["small"].rest(BackOff.CAPACITY, T)
    assert not Allotment(before).is_of(before)


def test_it_does_not_stand_once_a_size_has_proved_itself() -> None:
    before = picture(JOBS, NODES, health={size: SizeHealth() for size in ("small", "large")})
    known = Allotment(before)
    assert known.is_of(before)
    before.health["small"].came_up()
    assert not known.is_of(before)


def test_it_does_not_stand_once_names_have_other_features() -> None:
    """The sizes that jobs may have are others then."""
    table = SizeTable(SECTIONS, OFFERS, 1.0)
    before = picture(JOBS, NODES, table=table)
    known = Allotment(before)
    table.know_names(frozenset({frozenset({"rack1"})}))
    assert not known.is_of(before)


def test_the_hash_of_a_shape_is_kept_in_this_process_alone() -> None:
    """Words have other hashes in another one."""
    shape = JobShape(cores=2, partitions=("long",))
    assert hash(shape) == hash(JobShape(cores=2, partitions=("long",)))
    assert hasattr(shape, "_hash")
    sent = pickle.loads(pickle.dumps(shape))
    assert sent == shape
    assert not hasattr(sent, "_hash")
    assert not hasattr(replace(shape, cores=3), "_hash")
