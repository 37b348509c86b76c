"""Jobs that share nodes: packed as well as can be where all are served, in the order of service at a limit.

Sevens and nines fill nodes of sixteen cores in pairs, if the nines are put beside sevens. In the order of service two
sevens share a node, and each nine has one for itself: so the number of nodes shows which way was taken."""

from __future__ import annotations

from collections import Counter

import pytest
from pictures import T, bounds, gone
from test_plan_sharing import job, loads, made, room, served

from arvnodeman.fleet.outlook.ahead import Names, Outlook, Reservation
from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.picture import Ends, Kept, Leaving, NodeTally, pool_of
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.obstacles import NotInside, Reserved
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.reasons_of_use import KeptInVain

SEVEN, NINE = job(7, size="sixteen"), job(9, size="sixteen")
FOUR = job(4, size="four")
PAIRED = ("sixteen", ((7, 1), (9, 1)))
COURSE = Place(inside=("course",))


def sevens_and_nines(number: int = 2) -> dict[JobShape, list[int]]:
    return {SEVEN: list(range(number)), NINE: list(range(number, 2 * number))}


def there(nodes: int, idle: int = 0) -> NodeTally:
    """So many nodes, of which some of the large size are idle."""
    return NodeTally(supply={"sixteen": (idle, 0, 0, 0)}, nodes=nodes, up=nodes)


# ---- all are served --------------------------------------------------------------------------------------------------


def test_where_all_can_be_served_their_order_does_not_matter() -> None:
    of = made(sevens_and_nines())
    assert loads(of) == {PAIRED: 2}
    assert of.boots[0] == NewNode(of.boots[0].size, shape=SEVEN, jobs=((SEVEN, 1), (NINE, 1)))


@pytest.mark.parametrize(("most", "nodes"), [(3, 2), (2, 2)])
def test_a_limit_that_is_just_enough_stops_nobody(most: int, nodes: int) -> None:
    of = made(sevens_and_nines(), bounds=bounds(max_nodes=most))
    assert loads(of) == {PAIRED: nodes}
    assert of.stopped is None


def test_what_is_there_counts_before_a_limit_does() -> None:
    of = made(sevens_and_nines(), there(1, 1), bounds=bounds(max_nodes=2))
    assert (loads(of), served(of)) == ({PAIRED: 1}, [(2, 1, 0), (2, 1, 0)])


def test_more_nodes_than_the_limit_are_filled_as_well_as_can_be() -> None:
    tally = NodeTally(supply={"sixteen": (2, 0, 0, 0), "gpu": (2, 0, 0, 0)}, nodes=4, up=4)
    of = made(sevens_and_nines(), tally, bounds=bounds(max_nodes=1))
    assert (loads(of), served(of)) == ({}, [(2, 0, 0), (2, 0, 0)])


def test_a_job_that_names_a_size_too_small_for_it_takes_one_node_of_that() -> None:
    of = made({**sevens_and_nines(), job(99, size="four"): [4]}, bounds=bounds(max_nodes=3))
    assert loads(of) == {PAIRED: 2, ("four", ((99, 1),)): 1}


def test_a_size_that_has_not_proved_itself_is_filled_as_far_as_it_goes() -> None:
    health = {"sixteen": SizeHealth()}
    assert loads(made(sevens_and_nines(5), health=health)) == {PAIRED: 5}
    more = made(sevens_and_nines(6), health=health)
    assert [share.served for share in more.shares.values()] == [6, 2]
    assert {share.cause for share in more.shares.values()} == {None, reasons.Unproven(size="sixteen", pending=5)}
    last = made({SEVEN: [0]}, NodeTally(pending={"sixteen": 4}), health=health)
    assert loads(last) == {("sixteen", ((7, 1),)): 1}


def test_shutdowns_that_are_taken_back_are_within_the_limit() -> None:
    of = made(sevens_and_nines(), there(1), leaving=[Leaving("a", 1, "sixteen")], bounds=bounds(max_nodes=2))
    assert (of.take_back, loads(of), of.stopped) == (["a"], {PAIRED: 1}, None)


def test_a_pair_has_two_nodes_and_single_jobs_fill_what_it_leaves() -> None:
    pair, single = job(12, nodes=2, size="sixteen"), job(4, size="sixteen")
    of = made({pair: [0, 1], single: [2, 3, 4]})
    assert loads(of) == {("sixteen", ((12, 1), (4, 1))): 3, ("sixteen", ((12, 1),)): 1}
    assert served(of) == [(2, 2, 0), (3, 3, 0)]
    few = made({pair: [0], single: [1]})
    assert loads(few) == {("sixteen", ((12, 1), (4, 1))): 1, ("sixteen", ((12, 1),)): 1}
    half = job(8, nodes=2, size="sixteen")
    behind = made({job(8, size="sixteen"): [0], half: [1]})
    assert sorted(sum(number for _, number in new.jobs) for new in behind.boots) == [1, 2]
    assert served(behind) == [(1, 1, 0), (1, 1, 0)]


# ---- in the order of service -----------------------------------------------------------------------------------------


def test_nodes_of_small_sizes_reach_a_limit_that_their_cores_do_not_show() -> None:
    of = made({FOUR: list(range(8))}, bounds=bounds(max_nodes=3))
    assert loads(of) == {("four", ((4, 1),)): 3}
    stop = reasons.AtMaxNodes(wanted=5, size="four", nodes=3, max_nodes=3)
    assert (of.stopped, of.shares[FOUR].cause, of.shares[FOUR].served) == (stop, stop, 3)


def test_at_a_limit_shutdowns_are_taken_back_first() -> None:
    leaving = [Leaving("a", 1, "four"), Leaving("b", 2, "sixteen")]
    of = made({FOUR: list(range(8))}, there(2), leaving=leaving, bounds=bounds(max_nodes=4))
    assert (of.take_back, loads(of)) == (["a"], {("four", ((4, 1),)): 2})
    assert of.shares[FOUR].served == 3
    assert of.stopped == reasons.AtMaxNodes(wanted=5, size="four", nodes=4, max_nodes=4)


def test_what_is_taken_back_at_a_limit_needs_no_room() -> None:
    of = made({FOUR: list(range(8))}, there(2), leaving=[Leaving("a", 1, "four")], bounds=bounds(max_nodes=2))
    assert (of.take_back, list(of.boots), of.shares[FOUR].served) == (["a"], [], 1)


def test_nor_does_what_comes_back_for_a_job_that_a_node_kept_in_vain_stops() -> None:
    """It lacks one of its two."""
    case = Kept("p", KeptInVain(seconds=300), reasons.working("plnd"), 0.8, "sixteen")
    ends, leaving = Ends((case,), may_unplan=True), [Leaving("a", 1, "sixteen")]
    of = made({job(16, nodes=2, size="sixteen"): [0]}, there(2), ends=ends, leaving=leaving, bounds=bounds(max_nodes=2))
    assert isinstance(of.stopped, reasons.AtMaxNodes)
    assert gone(of) == ["p"]


def test_places_in_the_order_at_which_nobody_is_served_are_passed_over() -> None:
    """Jobs that no node is for stand there."""
    of = made({FOUR: [0, 3, 7], job(2, size="four"): [5]}, bounds=bounds(max_nodes=2))
    assert [share.served for share in of.shares.values()] == [2, 0]
    more = made({FOUR: [0, 3, 9], job(2, size="four"): [5, 7]}, bounds=bounds(max_nodes=3))
    assert [share.served for share in more.shares.values()] == [2, 2]


def test_single_jobs_behind_a_stopped_one_have_room_that_is_there() -> None:
    rooms = NodeTally(rooms={"sixteen": {room(4): 1}}, nodes=1, up=1)
    of = made({SEVEN: [0, 1, 2], job(2, size="sixteen"): [3]}, rooms, bounds=bounds(max_nodes=2))
    assert served(of) == [(2, 2, 0), (1, 0, 1)]


def test_a_job_of_several_nodes_behind_a_stopped_one_has_all_of_what_is_there_or_nothing() -> None:
    rooms = NodeTally(rooms={"gpu": {room(4): 2}}, nodes=2, up=2)
    pair, three = job(3, nodes=2, size="gpu"), job(3, nodes=3, size="gpu")
    of = made({FOUR: [0, 1], pair: [2]}, rooms, bounds=bounds(max_nodes=3))
    assert served(of) == [(1, 1, 0), (1, 0, 2)]
    more = made({FOUR: [0, 1], three: [2]}, rooms, bounds=bounds(max_nodes=3))
    assert served(more) == [(1, 1, 0), (0, 0, 0)]
    assert more.shares[three].partly == 0


def test_at_a_limit_a_job_of_several_nodes_has_those_that_are_there_and_boots_the_rest() -> None:
    pair = job(9, nodes=2, size="sixteen")
    of = made({pair: [0], FOUR: [1, 2]}, there(1, 1), bounds=bounds(max_nodes=3))
    assert loads(of) == {("sixteen", ((9, 1),)): 1, ("four", ((4, 1),)): 1}
    assert served(of) == [(1, 1, 0), (1, 1, 0)]


# ---- sizes that rest -------------------------------------------------------------------------------------------------


def resting(*sizes: str, ended: bool = False) -> dict[str, SizeHealth]:
    until = T - 1 if ended else T + 60
    return {size: SizeHealth(proven=True, backing_off=BackOff.CAPACITY, until=until) for size in sizes}


def test_after_its_rest_a_size_has_one_node_as_a_probe() -> None:
    of = made({job(1): [0]}, health=resting("four", ended=True), options={"max_price_factor": 9.0})
    assert loads(of) == {("four", ((1, 1),)): 1}
    two = made({job(4): [0, 1]}, health=resting("four", ended=True))
    assert loads(two) == {("four", ((4, 1),)): 1}


def test_a_job_that_names_several_sizes_has_any_of_them_at_any_price() -> None:
    named = job(1, features="instancetype=four|instancetype=gpu")
    other = resting("four", "sixteen")
    assert loads(made({named: [0]}, health=other)) == {("gpu", ((1, 1),)): 1}
    none = made({named: [0]}, health=resting("four", "sixteen", "gpu"))
    assert none.shares[named].cause == reasons.BackingOff(until=T + 60, size="four", why=BackOff.CAPACITY.value)
    dear = made({job(1): [0]}, health=other)
    assert dear.shares[job(1)].cause == reasons.BackingOff(
        until=T + 60, size="four", why=BackOff.CAPACITY.value, too_dear="sixteen"
    )


def test_a_shutdown_elsewhere_does_not_help_a_size_that_rests() -> None:
    inside, leaving = job(1, place=COURSE), [Leaving("a", 1, "four")]
    of = made({inside: [0]}, leaving=leaving, health=resting("four"))
    assert (of.take_back, list(of.boots)) == ([], [])
    assert isinstance(of.shares[inside].cause, reasons.BackingOff)
    tally = NodeTally(pending={"four": 5}, nodes=6)
    unproven = made({inside: [0]}, tally, leaving=leaving, health={"four": SizeHealth()})
    assert unproven.shares[inside].cause == reasons.Unproven(size="four", pending=5)


# ---- names -----------------------------------------------------------------------------------------------------------


def test_what_is_taken_back_needs_no_new_name() -> None:
    inside, leaving = job(1, place=COURSE), [Leaving("a", 1, pool_of("four", ("course",)))]
    names = Names(Counter({(("course",), ()): 1}))
    all_served = made({inside: list(range(8))}, there(1), leaving=leaving, names=names)
    assert (all_served.take_back, loads(all_served)) == (["a"], {("four", ((1, 4),)): 1})
    seven, nine = (job(cores, size="sixteen", place=COURSE) for cores in (7, 9))
    large = [Leaving("a", 1, pool_of("sixteen", ("course",)))]
    paired = made({seven: [0, 1], nine: [2, 3]}, there(1), leaving=large, names=names)
    assert (paired.take_back, loads(paired)) == (["a"], {PAIRED: 1})
    of = made({inside: list(range(9))}, there(1), leaving=leaving, names=names)
    assert (of.take_back, loads(of), of.shares[inside].served) == (["a"], {("four", ((1, 4),)): 1}, 8)
    assert of.shares[inside].cause == NotInside(reservation="course")


def test_a_job_waits_for_the_end_of_the_reservation_that_has_all_names() -> None:
    outside = job(1, place=Place(outside=("course",)))
    course = Reservation("course", start=900.0, end=1300.0, nodes=frozenset({"n1"}))
    of = made({outside: [0]}, names=Names(Counter()), outlook=Outlook({"course": course}), now=1000.0)
    assert of.shares[outside].cause == Reserved(
        until=T + 300.0, reservation="course", maintenance=False, begins=None, ends=""
    )


# ---- jobs that have nodes to themselves ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alone", "sharing", "boots"),
    [
        (JobShape(cores=1), {job(1): list(range(1, 17))}, {("four", ((1, 1),)): 1}),  # sixteen fill the node that comes
        (JobShape(cores=12), {job(1): [1]}, {("four", ((1, 1),)): 1}),  # it needs that node itself
        (JobShape(cores=1), {job(1): [1]}, {("four", ((1, 1),)): 1}),  # whoever has it, the other costs as much
    ],
)
def test_a_node_that_comes_is_for_whom_it_saves_most(
    alone: JobShape, sharing: dict[JobShape, list[int]], boots: dict[tuple[str, tuple[tuple[float, int], ...]], int]
) -> None:
    of = made({alone: [0], **sharing}, NodeTally(supply={"sixteen": (0, 0, 1, 0)}, nodes=1, up=1))
    assert loads(of) == boots
    assert [share.served for share in of.shares.values()] == [1, *map(len, sharing.values())]
