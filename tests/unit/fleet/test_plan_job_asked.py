"""What a plan has for the one job that is asked for: is it served, by what, and which boots are before its own."""

from __future__ import annotations

from typing import Any

import pytest
from pictures import BIG, LARGE, ONE, PAIR, SMALL, T

from arvnodeman.fleet.plan.asking_for_jobs import JobAsked
from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.plan import Plan, Share
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import JobShape, NodeSize

ROOM = "it would have room on nodes that are there or on their way"
AT_MOST = reasons.AtMaxNodes(wanted=1, size="small", nodes=2, max_nodes=2)


def has(shape: JobShape, places: list[int], *boots: NewNode, **share: Any) -> Plan:
    """A plan with this share of one group."""
    return Plan(shares={shape: Share(shape, places, **share)}, boots=boots)


def new(size: NodeSize, shape: JobShape | None) -> NewNode:
    return NewNode(size, shape=shape)


def shared(size: NodeSize, **number: int) -> NewNode:
    """A node for so many jobs: of ONE, BIG, PAIR."""
    shapes = {"one": ONE, "big": BIG, "pair": PAIR}
    jobs = tuple((shapes[name], count) for name, count in number.items())
    return NewNode(size, shape=jobs[0][0], jobs=jobs)


# ---- is it served, and by what ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "served"), [(3, True), (5, True), (9, False), (12, False)])
def test_the_first_jobs_of_a_group_are_served_and_the_others_wait(place: int, served: bool) -> None:
    made = has(ONE, [3, 5, 9, 12], new(SMALL, ONE), served=2, booting=1)
    assert JobAsked(ONE, place).is_served(made) is served
    assert not JobAsked(BIG, place).is_served(made)


@pytest.mark.parametrize(
    ("place", "runs"),
    [(3, ROOM), (5, ROOM), (9, "a node of small would boot for it at once"), (12, "")],
)
def test_what_is_there_goes_to_the_first_and_the_next_have_boots(place: int, runs: str) -> None:
    made = has(ONE, [3, 5, 9, 12], new(SMALL, ONE), served=3, booting=1)
    assert JobAsked(ONE, place).would_run(made) == runs
    assert JobAsked(BIG, place).would_run(made) == ""


@pytest.mark.parametrize(
    ("shape", "boots", "words"),
    [
        (ONE, [new(SMALL, ONE)], "a node of small"),
        (ONE, [new(SMALL, ONE), new(LARGE, BIG), new(SMALL, None)], "a node of small"),
        (ONE, [new(LARGE, ONE), new(SMALL, ONE), new(LARGE, ONE)], "a node of large or small"),
        (PAIR, [new(LARGE, PAIR), new(LARGE, PAIR)], "2 nodes of large"),
        (ONE, [shared(LARGE, big=1, one=2), shared(SMALL, big=1)], "a node of large"),
        (BIG, [shared(LARGE, one=2), shared(SMALL, one=1, big=1)], "a node of small"),
        (ONE, [], "a node"),
    ],
)
def test_the_sizes_are_named_of_which_nodes_boot_for_its_group(
    shape: JobShape, boots: list[NewNode], words: str
) -> None:
    made = has(shape, [0, 1, 2], *boots, served=3, booting=3)
    assert JobAsked(shape, 0).would_run(made) == f"{words} would boot for it at once"


# ---- up to which boot ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "boots"), [(4, 1), (6, 3), (8, 4), (10, 5)])
def test_each_job_has_the_next_boot_of_its_group_after_those_that_have_nodes(place: int, boots: int) -> None:
    of_all = [new(SMALL, ONE), new(LARGE, BIG), new(SMALL, ONE), new(SMALL, ONE), new(SMALL, None)]
    made = has(ONE, [2, 4, 6, 8, 10], *of_all, served=4, booting=3)
    assert JobAsked(ONE, place).boots_up_to(made) == tuple(of_all[:boots])


def test_a_job_of_two_nodes_has_two_boots() -> None:
    boots = [new(LARGE, PAIR), new(LARGE, PAIR), new(SMALL, ONE), new(LARGE, PAIR), new(LARGE, PAIR)]
    made = has(PAIR, [0, 1], *boots, served=2, booting=2)
    assert [len(JobAsked(PAIR, place).boots_up_to(made)) for place in (0, 1)] == [2, 5]


def test_of_jobs_that_share_a_node_several_have_one_boot() -> None:
    boots = [shared(LARGE, one=2), shared(SMALL, big=1), shared(SMALL, big=1, one=1), shared(SMALL, one=9)]
    made = has(ONE, [0, 1, 2, 3], *boots, served=4, booting=4)
    assert [len(JobAsked(ONE, place).boots_up_to(made)) for place in range(4)] == [1, 1, 3, 4]
    wide = [shared(LARGE, pair=2), shared(LARGE, pair=1), shared(LARGE, pair=1)]
    made = has(PAIR, [0, 1], *wide, served=2, booting=2)
    assert [len(JobAsked(PAIR, place).boots_up_to(made)) for place in (0, 1)] == [1, 3]


def test_of_a_group_that_a_plan_does_not_know_all_boots_may_be_needed() -> None:
    made = has(ONE, [0], new(SMALL, ONE), new(SMALL, ONE), served=1, booting=1)
    assert len(JobAsked(BIG, 0).boots_up_to(made)) == 2
    assert len(JobAsked(ONE, 0).boots_up_to(made)) == 1


# ---- of jobs that can never run --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (None, "it could run, and would wait"),
        (AT_MOST, f"it could run, and would wait: {AT_MOST.words(0.0)}"),
        (reasons.AtQuota(until=T, wanted=1, size="small", nodes=2, quota=2), "it could run, and would wait"),
        (reasons.Unsatisfiable(text="too large"), ""),
    ],
)
def test_a_job_that_could_run_would_wait_for_what_does_not_end_by_itself(
    cause: reasons.Reason | None, words: str
) -> None:
    made = has(ONE, [0], cause=cause, limit=1)
    assert JobAsked(ONE, 0).might_run(made) == words
    assert JobAsked(BIG, 0).might_run(made) == ""
