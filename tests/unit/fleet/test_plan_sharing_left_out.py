"""Jobs that share nodes: a node whose jobs have room on the others that come is not booted."""

from __future__ import annotations

import pytest
from pictures import bounds
from test_plan_sharing import job, loads, made, room, served, sizes

from arvnodeman.fleet.plan.picture import Leaving, NodeTally
from arvnodeman.fleet.sizes.limits import SizeHealth
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.places import Place

EIGHTS = sizes(eight=(8, 16_000, 0.3, ()), sixteen=(16, 64_000, 0.8, ()))


def large(cores: int, *places: int) -> dict[JobShape, list[int]]:
    """Jobs that name the large size."""
    return {job(cores, size="sixteen"): list(places)}


# ---- single jobs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cores", [12, 15])
def test_a_small_job_goes_to_what_a_later_one_leaves(cores: int) -> None:
    of = made({job(1): [0], **large(cores, 1)})
    assert loads(of) == {("sixteen", ((cores, 1), (1, 1))): 1}
    assert served(of) == [(1, 1, 0), (1, 1, 0)]


def test_what_is_full_takes_nothing() -> None:
    assert loads(made({job(1): [0], **large(16, 1)})) == {("four", ((1, 1),)): 1, ("sixteen", ((16, 1),)): 1}


def test_of_several_nodes_that_are_alike_each_is_left_out_whose_jobs_have_room() -> None:
    assert loads(made({job(3): [0, 1], **large(12, 2, 3)})) == {("sixteen", ((12, 1), (3, 1))): 2}
    assert loads(made({job(3): [0, 1, 2], **large(12, 3, 4)})) == {
        ("sixteen", ((12, 1), (3, 1))): 2,
        ("four", ((3, 1),)): 1,
    }


def test_the_jobs_of_one_node_may_go_to_several() -> None:
    beside = made({job(1): [0, 1], job(2): [2], **large(14, 3, 4)})
    assert loads(beside) == {("sixteen", ((14, 1), (1, 2))): 1, ("sixteen", ((14, 1), (2, 1))): 1}
    assert loads(made({job(1): [0, 1, 2], **large(14, 3, 4)})) == {
        ("sixteen", ((14, 1), (1, 2))): 1,
        ("sixteen", ((14, 1), (1, 1))): 1,
    }
    assert loads(made({job(2): [0, 1, 2], job(1): [3, 4], **large(11, 5, 6)}, table=EIGHTS)) == {
        ("sixteen", ((11, 1), (2, 2), (1, 1))): 1,
        ("sixteen", ((11, 1), (2, 1), (1, 1))): 1,
    }


def test_two_kinds_of_jobs_of_a_node_go_to_one() -> None:
    of = made({job(1): [0], job(2): [1], **large(12, 2)})
    ((size, load),) = loads(of)
    assert (size, dict(load)) == ("sixteen", {12: 1, 1: 1, 2: 1})


def test_all_jobs_of_a_node_go_or_none() -> None:
    of = made({job(1): [0, 1, 2], **large(14, 3)})
    assert loads(of) == {("four", ((1, 3),)): 1, ("sixteen", ((14, 1),)): 1}


def test_jobs_that_are_moved_count_once_as_those_for_which_nodes_boot() -> None:
    """One of the two has room where others work."""
    tally = NodeTally(rooms={"four": {room(1): 1}}, nodes=1, up=1)
    assert served(made({job(1): [0, 1], **large(12, 2)}, tally)) == [(2, 1, 1), (1, 1, 0)]


def test_a_node_at_another_place_has_no_room_for_them() -> None:
    inside = job(1, place=Place(inside=("course",)))
    assert len(made({inside: [0], **large(12, 1)}).boots) == 2


# ---- jobs of several nodes -------------------------------------------------------------------------------------------


def test_parts_of_one_job_stay_on_different_nodes() -> None:
    of = made({job(2, nodes=2): [0], **large(12, 1)})
    assert loads(of) == {("sixteen", ((12, 1), (2, 1))): 1, ("four", ((2, 1),)): 1}
    both = made({job(2, nodes=2): [0], **large(12, 1, 2)})
    assert loads(both) == {("sixteen", ((12, 1), (2, 1))): 2}


def test_parts_of_as_many_jobs_as_there_are_may_be_on_one_node() -> None:
    of = made({job(2, nodes=2): [0, 1], **large(12, 2)})
    assert sum(dict(new.jobs).get(job(2, nodes=2), 0) for new in of.boots) == 4
    assert loads(of) == {("sixteen", ((12, 1), (2, 2))): 1, ("four", ((2, 2),)): 1}


# ---- how long they run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "nodes"), [(100.0, 1), (199.0, 1), (200.0, 1), (201.0, 2), (50.0, 1), (1.0, 1)])
def test_a_job_that_would_keep_the_other_node_alive_is_not_moved(seconds: float, nodes: int) -> None:
    small, big = job(1), job(12, size="sixteen")
    assert len(made({small: [0], big: [1]}, run_times={small: seconds, big: 100.0}).boots) == nodes


def test_what_has_moved_there_counts_for_who_keeps_it_alive() -> None:
    """The second may be moved because the first runs as long."""
    first, second, big = job(2), job(1), job(12, size="sixteen")
    times = {first: 200.0, second: 400.0, big: 100.0}
    assert len(made({first: [0], second: [1], big: [2]}, run_times=times).boots) == 1


# ---- what is booted beside the jobs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "boots"), [(99, ["four", "sixteen"]), (6, ["four"]), (5, [])])
def test_what_is_left_out_makes_room_within_the_limits(most: int, boots: list[str]) -> None:
    """Of a size that has not proved itself one more may come, and seven nodes are to be there."""
    tally = NodeTally(nodes=4, up=4, pending={"four": 4}, creating={"four": 4})
    of = made(
        {job(1): [0], **large(12, 1)},
        tally,
        health={"four": SizeHealth()},
        options={"min_nodes": 7},
        bounds=bounds(max_nodes=most),
    )
    assert of.boots[0].jobs
    assert [new.size.id for new in of.boots[1:] if new.shape is None] == boots


def test_nodes_whose_shutdown_is_taken_back_stay() -> None:
    leaving = [Leaving("a", 1, "four")]
    of = made({job(1): [0], **large(12, 1)}, NodeTally(nodes=1), leaving=leaving)
    assert of.take_back == ["a"]
    assert loads(of) == {("sixteen", ((12, 1),)): 1}
    more = made({job(4): [0, 1], **large(12, 2, 3)}, NodeTally(nodes=1), leaving=leaving)
    assert more.take_back == ["a"]
    assert loads(more) == {("sixteen", ((12, 1), (4, 1))): 1, ("sixteen", ((12, 1),)): 1}
