"""Which nodes the plan has for which jobs, by what it says of their groups and of the nodes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from pictures import BIG, IDLE_LONG, ONE, PAIR, T, bounds, gone, idle, kept, picture, supply

from arvnodeman.fleet.plan.picture import BOOTING, IDLE, Ends, Leaving, NodeTally, Pending, pool_of, size_of, zone_of
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.plan.vain import Memory
from arvnodeman.fleet.plan.wishlist import Supply
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.places import Place

RESTING = {size: SizeHealth(backing_off=BackOff.CAPACITY, until=T + 60) for size in ("small", "large")}
COURSE = Place(inside=("course",))
NO_COURSE = Place(outside=("course",))


def named(cores: float = 1, nodes: int = 1) -> JobShape:
    """It names the large size: no other will do."""
    return JobShape(cores=cores, size="large", nodes=nodes)


def matched(jobs: dict[JobShape, list[int]], **pools: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """Of each group the jobs that have all their nodes, and the nodes that the next one has. Nothing is booted."""
    made = plan(picture(jobs, supply(**pools), health=RESTING))
    return [(share.served, share.partly) for share in made.shares.values()]


FIRST, SECOND, LAST = named(1), named(2), named(3)
TWO, TWO_MORE, THREE = named(1, 2), named(2, 2), named(3, 3)


@pytest.mark.parametrize(
    ("jobs", "large", "expected"),
    [
        ({FIRST: [0, 1, 2]}, (3, 0, 0, 0), [(3, 0)]),
        ({FIRST: [0, 1, 2]}, (1, 1, 0, 0), [(2, 0)]),
        ({FIRST: [0, 1, 2, 3]}, (1, 1, 1, 1), [(4, 0)]),
        ({FIRST: [1], SECOND: [0]}, (1, 0, 0, 0), [(0, 0), (1, 0)]),
        ({FIRST: [0, 2], SECOND: [1, 3]}, (3, 0, 0, 0), [(2, 0), (1, 0)]),
        ({FIRST: [0, 3], SECOND: [1], LAST: [2, 4]}, (2, 0, 0, 0), [(1, 0), (1, 0), (0, 0)]),
        ({FIRST: [0, 3], SECOND: [1], LAST: [2, 4]}, (4, 0, 0, 0), [(2, 0), (1, 0), (1, 0)]),
        ({TWO: [0, 1]}, (3, 0, 0, 0), [(1, 1)]),  # what is left goes to the one whose turn is next
        ({TWO: [0]}, (1, 1, 0, 0), [(1, 0)]),
        ({TWO: [0, 1]}, (1, 1, 1, 0), [(1, 1)]),
        ({TWO: [0, 3], TWO_MORE: [1, 2]}, (3, 0, 0, 0), [(1, 0), (0, 1)]),
        ({TWO: [1, 3], TWO_MORE: [0, 2]}, (5, 0, 0, 0), [(1, 0), (1, 1)]),
        ({TWO: [0], TWO_MORE: [1]}, (1, 2, 0, 0), [(1, 0), (0, 1)]),  # it lacks one of the two, and gets no more
        ({THREE: [0], TWO: [1]}, (1, 1, 0, 0), [(0, 2), (0, 0)]),
        ({THREE: [0], TWO: [1]}, (1, 1, 1, 1), [(1, 0), (0, 1)]),
        ({THREE: [0, 1], TWO: [2]}, (1, 6, 0, 0), [(2, 0), (0, 1)]),
    ],
)
def test_nodes_of_the_size_that_jobs_name_go_to_them_in_turn(
    jobs: dict[JobShape, list[int]], large: tuple[int, int, int, int], expected: list[tuple[int, int]]
) -> None:
    assert matched(jobs, large=large) == expected


@pytest.mark.parametrize(
    ("jobs", "large", "expected"),
    [
        ({ONE: [0, 1, 2]}, (2, 0, 0, 0), [(2, 0)]),
        ({ONE: [0, 1]}, (0, 1, 0, 0), [(1, 0)]),
        ({ONE: [0, 1]}, (0, 0, 1, 0), [(1, 0)]),
        ({ONE: [0, 1]}, (0, 0, 0, 1), [(1, 0)]),
        ({ONE: [0, 1, 2, 3, 4]}, (1, 1, 1, 1), [(4, 0)]),
        ({JobShape(nodes=2): [0, 1]}, (3, 0, 0, 0), [(1, 1)]),
        ({JobShape(nodes=2): [0, 1]}, (1, 1, 1, 1), [(2, 0)]),
        ({JobShape(nodes=2): [0, 2], ONE: [1]}, (2, 2, 0, 0), [(1, 1), (1, 0)]),
        ({ONE: [0], named(): [1]}, (1, 0, 0, 0), [(0, 0), (1, 0)]),  # the one that takes no other goes first
        ({JobShape(place=COURSE): [0], ONE: [1]}, (1, 0, 0, 0), [(0, 0), (1, 0)]),
    ],
)
def test_nodes_of_another_size_go_to_jobs_that_name_none(
    jobs: dict[JobShape, list[int]], large: tuple[int, int, int, int], expected: list[tuple[int, int]]
) -> None:
    assert matched(jobs, large=large) == expected


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize(
    ("place", "zone", "served"),
    [
        (COURSE, (), 0),
        (COURSE, ("course",), 1),
        (COURSE, ("course", "window"), 1),
        (COURSE, ("window",), 0),
        (NO_COURSE, (), 1),
        (NO_COURSE, ("course",), 0),
        (NO_COURSE, ("window",), 1),
    ],
)
def test_a_node_is_for_jobs_that_may_have_its_name(size: str, place: Place, zone: tuple[str, ...], served: int) -> None:
    pool = pool_of(size, zone)
    assert matched({JobShape(place=place): [0]}, **{pool: (1, 0, 0, 0)}) == [(served, 0)]


def test_of_nodes_alike_those_in_few_reservations_are_taken_first() -> None:
    few, many = pool_of("small", ("z",)), pool_of("small", ("a", "b"))
    spare = {few: [idle("few")], many: [idle("many")]}
    ends = Ends(idle=spare, chances=dict.fromkeys(("few", "many"), IDLE_LONG))
    made = plan(picture({ONE: [0]}, supply(**{few: (1, 0, 0, 0), many: (1, 0, 0, 0)}), ends=ends))
    assert (list(kept(made)), gone(made)) == (["few"], ["many"])


def test_a_pool_keeps_names_with_spaces() -> None:
    pool = pool_of("my size", ("a course",))
    assert (size_of(pool), zone_of(pool)) == ("my size", ("a course",))
    assert (size_of("my size"), zone_of("my size")) == ("my size", ())


def test_no_more_jobs_of_a_group_have_nodes_than_may() -> None:
    """Though there are some: two groups share them, and one may have nodes for one job."""
    made = plan(picture({FIRST: [0, 1], SECOND: [2, 3]}, supply(large=(2, 0, 0, 0)), vain={FIRST: Memory(until=T)}))
    assert [share.served for share in made.shares.values()] == [1, 2]
    assert [share.booting for share in made.shares.values()] == [0, 1]


def test_wished_nodes_are_told_by_size() -> None:
    assert plan(picture({ONE: [0, 1], JobShape(ram=1): [2], PAIR: [3]})).wanted == {"small": 3, "large": 2}


def test_what_is_put_back_is_there_again() -> None:
    stock = Supply({"small": (3, 0, 1, 0)})
    assert (stock.take("small", IDLE, 2), stock.left("small", IDLE)) == (2, 1)
    stock.give("small", IDLE, 1)
    assert (stock.left("small", IDLE), stock.left("small", BOOTING), stock.left("large", IDLE)) == (2, 1, 0)
    assert (stock.take("small", IDLE, 5), stock.left("small", IDLE)) == (2, 0)


def test_a_job_keeps_a_part_of_its_nodes_where_others_have_too_few() -> None:
    """Of two pools: the first one's node is for it alone, the second's goes to the job before it."""
    first = replace(FIRST, place=NO_COURSE)
    pools = {pool_of("large", ("course",)): (1, 0, 0, 0), pool_of("large", ("a", "b")): (1, 0, 0, 0)}
    assert matched({first: [0, 1], TWO: [5]}, **pools) == [(1, 0), (0, 1)]


# ---- what a job that a limit stops has of those behind it ------------------------------------------------------------


def test_a_stopped_job_has_what_one_behind_it_holds_in_part() -> None:
    """Three large nodes are wanted and two are there; the job before wants two of any size, and no more may come."""
    two, three = JobShape(nodes=2), JobShape(cores=4, nodes=3)
    pending = [Pending(1, "large")]
    tally = supply(large=(1, 0, 1, 0))
    made = plan(picture({three: [1], two: [0]}, tally, bounds=bounds(max_nodes=2), pending=pending))
    assert [(share.served, share.partly) for share in made.shares.values()] == [(0, 0), (1, 0)]
    assert made.stopped == reasons.AtMaxNodes(wanted=3, size="large", nodes=2, max_nodes=2)
    assert not made.boots
    alone = plan(picture({three: [1], ONE: [0]}, tally, bounds=bounds(max_nodes=2), pending=pending))
    assert [(share.served, share.partly) for share in alone.shares.values()] == [(0, 1), (1, 0)]
    assert not alone.end_boots  # what it gave back and nobody took is its own again


def test_what_was_given_back_is_there_for_nobody_who_may_not_have_it() -> None:
    first, behind = JobShape(cores=4, place=COURSE), JobShape(nodes=2)
    ends = Ends(idle={"small": [idle("a")]}, chances={"a": IDLE_LONG})
    made = plan(picture({first: [0], behind: [1]}, supply(small=(1, 0, 0, 0)), bounds=bounds(max_nodes=1), ends=ends))
    assert [(share.served, share.partly) for share in made.shares.values()] == [(0, 0), (0, 0)]
    assert gone(made) == ["a"]


def test_a_stopped_job_leaves_to_those_before_it_and_to_itself_what_they_hold() -> None:
    before = plan(
        picture(
            {TWO: [0], ONE: [1]},
            supply(large=(1, 0, 0, 0)),
            bounds=bounds(max_nodes=1),
            health={"small": SizeHealth(proven=True), "large": RESTING["large"]},
        )
    )
    assert [(share.served, share.partly) for share in before.shares.values()] == [(0, 1), (0, 0)]
    itself = plan(picture({PAIR: [0]}, supply(large=(1, 0, 0, 0)), bounds=bounds(max_nodes=1)))
    assert [(share.served, share.partly) for share in itself.shares.values()] == [(0, 1)]


# ---- what is taken back, and what need not come ----------------------------------------------------------------------


def test_the_newest_shutdown_is_taken_back_whatever_the_nodes_are_called() -> None:
    leaving = [Leaving("a", 1, "small"), Leaving("b", 3, "small"), Leaving("c", 2, "small")]
    assert plan(picture({ONE: [0, 1]}, leaving=leaving)).take_back == ["b", "c"]


@pytest.mark.parametrize(
    ("booting", "up", "least", "ended"),
    [(1, 3, 0, [3]), (2, 3, 0, [3, 2]), (3, 3, 0, [3, 2, 1]), (3, 3, 1, [3, 2]), (3, 3, 3, []), (0, 3, 0, [])],
)
def test_as_many_boots_end_as_nobody_needs(booting: int, up: int, least: int, ended: list[int]) -> None:
    tally = NodeTally(supply={"small": (0, 0, booting, 0), "large": (0, 0, 0, 0)}, up=up)
    asked = picture({}, tally, pending=[Pending(number, "small") for number in (1, 2, 3)])
    assert plan(replace(asked, policy=replace(asked.policy, min_nodes=least))).end_boots == ended


def test_boots_of_another_size_do_not_end_with_them() -> None:
    tally = replace(supply(small=(0, 0, 1, 0), large=(0, 0, 1, 0)), pending=Counter(small=1, large=1))
    assert plan(picture({BIG: [0]}, tally, pending=[Pending(1, "small"), Pending(2, "large")])).end_boots == [1]
