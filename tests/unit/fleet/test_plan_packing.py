"""Bins and who looks for room in them: by the rules of what fits, largest first."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from pictures import bounds, picture
from test_plan_sharing import ALL, job, loads, made, room, served, sizes

from arvnodeman.fleet.plan.packing import Bins, Seeker
from arvnodeman.fleet.plan.picture import IDLE, ROOM, NodeTally, Pending
from arvnodeman.fleet.plan.traits import KnownTraits, declared_by
from arvnodeman.fleet.plan.wishlist import Group
from arvnodeman.fleet.sizes.fit import how_many, less
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.spares import Spare


def seeker(shape: JobShape, *places: int) -> Seeker:
    of_all = picture(table=ALL)
    return Seeker(Group(shape, places or [0], ALL.choices(shape)), of_all, KnownTraits(of_all).of(shape))


SHAPES = (
    job(1),
    job(3, 1500),
    job(2, math.inf),
    JobShape(cores=3, ram=700, takes=Footprint(1, 500)),
    JobShape(cores=3, ram=900, takes=Footprint(3, 900, ram_by_cpu=True)),
    JobShape(cores=4, takes=Footprint(4, apart=4)),
    JobShape(cores=1, ram=100, gres=(("gpu", 1),), takes=Footprint(1, 100)),
)
FREE = tuple(
    Capacity(cpus, ram, gres, threads, whole=whole)
    for cpus, ram, gres, threads, whole in itertools.product(
        (1, 3, 4, 8), (499.0, 1500.0, 4000.0, math.inf), ((), (("gpu", 2),)), (1, 2), (True, False)
    )
)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_fits_is_what_the_one_rule_says(shape: JobShape) -> None:
    """Wherever a bin is, what may begin there and what is left then."""
    looks = seeker(shape)
    pool = looks.group.choices[0].id
    for free in FREE:
        kind = IDLE if free.whole else ROOM
        bins = Bins(pool, kind, free, 1)
        fitting = how_many(shape, free, 99)
        assert looks.fit(bins) == fitting, free
        assert looks.fit(bins, 1) == min(1, fitting)
        for _ in range(fitting):
            looks.take(bins, 1)
            free = less(free, shape)  # noqa: PLW2901 - what is left
        assert bins.free == free
        at_once = Bins(pool, kind, FREE[0], 1)
        assert looks.fit(at_once) == how_many(shape, FREE[0], 99)


def test_many_are_taken_at_once_as_one_after_the_other() -> None:
    for shape in (job(3, 1000), SHAPES[-1]):
        looks = seeker(shape)
        one, many = (Bins("gpu", IDLE, Capacity(16, 8000, (("gpu", 2),)), 1) for _ in range(2))
        looks.take(many, 2)
        looks.take(one, 1)
        looks.take(one, 1)
        assert one.free == many.free


def test_the_largest_come_first() -> None:
    """Who may have few sizes, who needs nodes whole or several, then by cores or memory, and by turn."""
    shapes = [
        job(1, size="sixteen", nodes=2),
        job(1, size="sixteen"),
        JobShape(cores=9),
        job(9, math.inf),
        job(9, nodes=3),
        job(5, 40_000),
        job(12),
        job(11),
        JobShape(cores=3),
        job(3, nodes=2),
        job(2, 7500),
        job(3, 10),
        job(2),
    ]
    looks = [seeker(shape) for shape in shapes]
    by_choices = sorted(looks, key=lambda each: each.bulk)
    assert [len(each.group.choices) for each in by_choices] == sorted(len(each.group.choices) for each in looks)
    named = [each.shape for each in by_choices if each.shape.size == "sixteen"]
    assert named == [shapes[0], shapes[1]]
    wide = [each.shape for each in by_choices if each.shape.cores in (9, 11, 12) and each.shape.size is None]
    assert wide == [JobShape(cores=9), job(9, math.inf), job(9, nodes=3), job(12), job(11)]
    small = [each.shape for each in by_choices if len(each.group.choices) == 3]
    assert small == [JobShape(cores=3), job(3, nodes=2), job(3, 10), job(2, 7500), job(2)]
    assert seeker(job(1), 4).bulk > seeker(job(1), 3).bulk
    assert seeker(job(1, 60_000)).bulk[0][3] == -60_000 / 64_000
    assert seeker(job(8)).bulk[0][3] == -0.5


def test_of_several_words_on_what_nodes_of_a_size_have_the_least_counts() -> None:
    tally = NodeTally(
        whole={
            ("a", 0): {Capacity(8, 900): 1, Capacity(7, 950): 2},
            ("a\ncourse", 0): {Capacity(7, 900): 1},
            ("a", 2): {Capacity(16, 100): 1},
            ("b", 1): {Capacity(4, 50): 1},
        }
    )
    assert declared_by(tally) == {"a": Capacity(7, 900), "b": Capacity(4, 50)}


def test_nodes_of_which_nothing_is_said_count_by_their_size() -> None:
    nodes = NodeTally(supply={"sixteen": (3, 0, 0, 0)}, whole={("sixteen", 0): {Capacity(20, 60_000): 1}}, nodes=3)
    assert served(made({job(1, size="sixteen"): list(range(60))}, nodes)) == [(60, 0, 0)]
    declared = NodeTally(supply={"sixteen": (1, 0, 0, 0)}, whole={("sixteen", 0): {Capacity(15, 60_000): 1}}, nodes=1)
    assert loads(made({job(1, size="sixteen"): list(range(16))}, declared)) == {("sixteen", ((1, 1),)): 1}


def test_a_node_that_is_there_serves_who_names_its_size_whatever_its_figures_say() -> None:
    nodes = NodeTally(supply={"four": (1, 0, 1, 0)}, nodes=2)
    assert served(made({job(9, 99_000, size="four"): [0, 1]}, nodes)) == [(2, 0, 0)]
    assert made({job(9, size="four"): [0]}).wanted == {"four": 1}


def test_of_nodes_that_are_not_known_each_is_had_whole() -> None:
    unknown = sizes(any=(0, 0, 0.1, ()))
    nodes = NodeTally(supply={"any": (3, 0, 0, 0)}, nodes=3)
    of = made({job(1): [0, 1], job(2): [2, 3]}, nodes, table=unknown)
    assert [share.served for share in of.shares.values()] == [2, 2]
    assert len(of.boots) == 1
    assert of.wanted == {"any": 4}


def test_parts_of_nodes_that_come_are_at_the_place_of_all() -> None:
    course = Place(inside=("course",))
    pair, single = job(12, nodes=2, size="sixteen", place=course), job(4, size="sixteen", place=course)
    of = made({pair: [0], single: [1, 2]}, bounds=bounds(max_nodes=2))
    assert loads(of) == {("sixteen", ((12, 1), (4, 1))): 2}
    again = made({pair: [0], single: [1, 2, 3]}, bounds=bounds(max_nodes=2))
    assert [share.served for share in again.shares.values()] == [1, 2]


def test_a_job_of_several_nodes_completes_what_it_has_from_the_next_pools() -> None:
    nodes = NodeTally(rooms={"sixteen": {room(8): 1}}, supply={"sixteen": (1, 0, 1, 0)}, nodes=3)
    assert served(made({job(8, nodes=3, size="sixteen"): [0]}, nodes)) == [(1, 0, 1)]
    short = made({job(8, nodes=4, size="sixteen"): [0]}, nodes)
    assert loads(short) == {("sixteen", ((8, 1),)): 1}
    assert served(short) == [(1, 1, 1)]


def test_the_fullest_room_is_filled_first() -> None:
    rooms = {"sixteen": {room(4): 1, room(2): 1, room(3, 500): 1, room(3, 400): 1}}
    of = made({job(2, size="sixteen"): [0], job(3, 500, size="sixteen"): [1]}, NodeTally(rooms=rooms, nodes=4))
    assert served(of) == [(1, 0, 1), (1, 0, 1)]
    assert Counter(len(new.jobs) for new in of.boots) == {}


def test_parts_are_taken_as_many_as_a_job_lacks() -> None:
    nodes = NodeTally(supply={"sixteen": (1, 0, 3, 0)}, nodes=4, up=4)
    pending = [Pending(number, "sixteen") for number in (1, 2, 3)]
    of = made({job(16, nodes=3, size="sixteen"): [0]}, nodes, pending=pending)
    assert served(of) == [(1, 0, 0)]
    assert of.end_boots == [3]


def test_parts_go_where_jobs_like_it_have_some() -> None:
    """Four nodes whole, and two jobs: the second shares the nodes of the first."""
    nodes = NodeTally(supply={"sixteen": (1, 0, 4, 0)}, nodes=5, up=5)
    pending = [Pending(number, "sixteen") for number in (1, 2, 3, 4)]
    of = made({job(8, nodes=3, size="sixteen"): [0, 1]}, nodes, pending=pending)
    assert served(of) == [(2, 0, 0)]
    assert of.end_boots == [4, 3]


@pytest.mark.parametrize("gres", [(), (("gpu", 1),)])
def test_jobs_that_are_there_count_to_the_most_on_a_node(gres: Gres) -> None:
    free = Capacity(8, 9000, (("gpu", 2),), jobs=1, whole=False)
    nodes = NodeTally(rooms={"gpu": {free: 1}}, nodes=1)
    of = made({job(1, gres=gres, size="gpu"): [0, 1]}, nodes, options={"max_jobs_per_node": 2})
    assert served(of) == [(2, 1, 1)]
    full = made({job(1, gres=gres, size="gpu"): [0, 1]}, nodes, options={"max_jobs_per_node": 1})
    assert served(full) == [(2, 2, 0)]


# ---- which bins are taken --------------------------------------------------------------------------------------------


def idle_left(jobs: dict[JobShape, list[int]], tally: NodeTally, size: str) -> int:
    """Whole nodes of a size that no job has."""
    (share,) = made(jobs, tally, options={"spares": (Spare("ready", size, 9),)}, bounds=bounds(max_nodes=0)).spares
    return share.idle


def test_the_cheapest_size_is_taken_first() -> None:
    """Whatever the sizes are called."""
    nodes = NodeTally(supply={"gpu": (1, 0, 0, 0), "sixteen": (1, 0, 0, 0)}, nodes=2, up=2)
    assert idle_left({job(1): [0]}, nodes, "gpu") == 1
    assert idle_left({job(1): [0]}, nodes, "sixteen") == 0


def test_parts_go_where_most_jobs_have_room_so_that_few_nodes_are_begun() -> None:
    has = {Capacity(4, 60_000): 1, Capacity(5, 60_000): 1, Capacity(16, 60_000): 2}
    nodes = NodeTally(supply={"sixteen": (4, 0, 0, 0)}, whole={("sixteen", IDLE): has}, nodes=4, up=4)
    pair = job(4, nodes=2, size="sixteen")
    assert idle_left({pair: [0, 1, 2, 3]}, nodes, "sixteen") == 2
    assert idle_left({pair: [0, 1, 2, 3, 4]}, nodes, "sixteen") == 0


def test_the_rest_of_a_job_goes_to_what_comes_for_another() -> None:
    nodes = NodeTally(rooms={"sixteen": {room(3): 1}}, nodes=1, up=1)
    of = made({job(12, size="sixteen"): [0], job(3, nodes=2, size="sixteen"): [1]}, nodes)
    assert loads(of) == {("sixteen", ((12, 1), (3, 1))): 1}
    assert served(of) == [(1, 1, 0), (1, 1, 1)]


def test_nodes_that_are_parted_keep_their_place() -> None:
    """One of the two nodes has a job more; the other is no place for jobs from outside, either."""
    inside, outside = Place(inside=("course",)), Place(outside=("course",))
    pair, beside = job(12, nodes=2, size="sixteen", place=inside), job(2, size="sixteen", place=inside)
    of = made({pair: [0], beside: [1], job(2, size="sixteen", place=outside): [2]})
    assert sorted((new.place == outside, len(new.jobs)) for new in of.boots) == [(False, 1), (False, 2), (True, 1)]
