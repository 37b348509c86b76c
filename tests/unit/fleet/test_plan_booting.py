"""What the plan boots, takes back and counts against limits, and the words of those that wait."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from pictures import BIG, OFFERS, ONE, PAIR, T, booted, bounds, gone, idle, picture, supply
from world import policy

from arvnodeman.fleet.outlook.ahead import Names, Outlook, Reservation
from arvnodeman.fleet.plan.picture import Chance, Ends, Kept, Leaving, NodeTally, pool_of
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import JobShape, SizeSection
from arvnodeman.fleet.values.obstacles import NotInside, Reserved
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.reasons_of_use import KeptInVain

PROVEN = SizeHealth(proven=True)
MAIN, GPU = ("main",), ("gpu",)
COURSE = Place(inside=("course",))
INSIDE = JobShape(place=COURSE)
IN_COURSE = pool_of("small", ("course",))


def back_off(why: BackOff = BackOff.CAPACITY, until: float = T + 60, quota_nodes: int = 0) -> SizeHealth:
    return SizeHealth(proven=True, backing_off=why, until=until, detail="none left", quota_nodes=quota_nodes)


# ---- sizes that rest, and sizes that are tried -----------------------------------------------------------------------


@pytest.mark.parametrize(("pending", "boots"), [(0, 5), (4, 1), (5, 0), (9, 0)])
def test_of_a_size_that_is_not_proven_few_are_booted(pending: int, boots: int) -> None:
    tally = NodeTally(pending=Counter(small=pending) if pending else Counter())
    made = plan(picture({ONE: list(range(9))}, tally, health={"small": SizeHealth(), "large": SizeHealth()}))
    assert len(made.boots) == boots
    assert made.shares[ONE].cause == reasons.Unproven(size="small", pending=pending + boots)


@pytest.mark.parametrize(("creating", "pending", "boots"), [(0, 0, 1), (0, 2, 1), (1, 3, 0)])
def test_a_size_that_has_rested_is_tried_with_one(creating: int, pending: int, boots: int) -> None:
    tally = NodeTally(creating=Counter(small=creating), pending=Counter(small=pending))
    made = plan(picture({ONE: [0, 1, 2]}, tally, health={"small": back_off(until=T), "large": PROVEN}))
    assert len(made.boots) == boots
    assert made.shares[ONE].cause == reasons.Unproven(size="small", pending=pending + boots, probe=True)


@pytest.mark.parametrize(("factor", "too_dear"), [(1.5, "large"), (4.0, "")])
def test_a_job_whose_sizes_all_rest_is_told_of_the_first(factor: float, too_dear: str) -> None:
    health = {"small": back_off(), "large": back_off(BackOff.REFUSED, T + 900)}
    waits = plan(picture({ONE: [0]}, health=health, policy=policy(max_price_factor=factor))).shares[ONE]
    assert waits.cause == reasons.BackingOff(
        until=T + 60, size="small", why=BackOff.CAPACITY.value, detail="none left", too_dear=too_dear
    )


@pytest.mark.parametrize(("standing", "boots"), [(3, 0), (2, 1)])
def test_a_refusal_for_quota_ends_when_nodes_have_gone(standing: int, boots: int) -> None:
    health = {"small": back_off(BackOff.QUOTA, quota_nodes=3), "large": PROVEN}
    made = plan(picture({ONE: [0, 1]}, NodeTally(nodes=standing), health=health))
    assert len(made.boots) == boots
    assert isinstance(made.shares[ONE].cause, reasons.Unproven if boots else reasons.BackingOff)


def test_of_sizes_that_a_job_names_each_will_do_whatever_it_costs() -> None:
    either = JobShape(features="instancetype=small|instancetype=large")
    health = {"small": back_off(), "large": PROVEN}
    assert booted(plan(picture({either: [0]}, health=health))) == [("large", either)]
    assert not plan(picture({ONE: [0]}, health=health)).boots


def test_one_group_has_all_its_boots_counted() -> None:
    share = plan(picture({ONE: [0, 3], BIG: [1, 2]})).shares[ONE]
    assert (share.served, share.booting) == (2, 2)


def test_where_no_limit_stops_a_job_none_is_told() -> None:
    made = plan(picture({ONE: [0]}))
    assert (made.stopped, made.stopped_size) == (None, None)


# ---- min_nodes -------------------------------------------------------------------------------------------------------


def test_min_nodes_are_filled_up_with_what_may_be_booted() -> None:
    least: dict[str, Any] = {"policy": policy(min_nodes=1)}
    assert booted(plan(picture(health={"small": back_off(), "large": PROVEN}, **least))) == [("large", None)]
    tried = {"small": back_off(until=T), "large": PROVEN}
    assert booted(plan(picture(health=tried, **least))) == [("small", None)]
    assert not plan(picture(health={"small": back_off(), "large": back_off()}, **least)).boots


def test_min_nodes_are_filled_up_with_shutdowns_taken_back() -> None:
    leaving = [Leaving("a", 1, "small"), Leaving("b", 2, "small")]
    for least, back in ((1, ["b"]), (2, ["b", "a"])):
        made = plan(picture(leaving=leaving, policy=policy(min_nodes=least), bounds=bounds(max_nodes=0)))
        assert (made.take_back, made.boots) == (back, [])


@pytest.mark.parametrize(("stood", "boots"), [(2, []), (0, [("large", None)])])
def test_min_nodes_are_not_filled_up_in_place_of_a_job_that_waits_for_quota(
    stood: int, boots: list[tuple[str, None]]
) -> None:
    """Else what has gone for its sake comes back first. Where none stood at the refusal, none is in its way. Row C5."""
    health = {"small": back_off(BackOff.QUOTA, quota_nodes=stood), "large": PROVEN}
    made = picture({JobShape(size="small"): [0]}, NodeTally(nodes=2), health=health, policy=policy(min_nodes=1))
    assert booted(plan(made)) == boots


# ---- shutdowns taken back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outside", "inside", "back"), [(1, 1, 2), (1, 2, 3), (1, 3, 3), (2, 3, 3), (0, 2, 2), (4, 1, 3)]
)
def test_a_job_takes_back_as_many_as_it_wants_from_all_pools(outside: int, inside: int, back: int) -> None:
    nodes = [Leaving(f"out{n}", n, "small") for n in range(outside)]
    nodes += [Leaving(f"in{n}", 10 + n, IN_COURSE) for n in range(inside)]
    shape = JobShape(nodes=3)
    made = plan(picture({shape: [0]}, leaving=nodes))
    assert len(made.take_back) == back
    assert booted(made) == [("small", shape)] * (3 - back)


def test_a_size_that_rests_comes_back_only_for_jobs_that_may_have_the_name() -> None:
    health = {"small": back_off(), "large": back_off()}
    for pool, back in (("small", []), (IN_COURSE, ["a"])):
        made = plan(picture({INSIDE: [0]}, leaving=[Leaving("a", 1, pool)], health=health))
        assert (made.take_back, made.boots) == (back, [])


# ---- names -----------------------------------------------------------------------------------------------------------


def course(seconds: float = 7200.0, **more: float) -> Reservation:
    return Reservation("course", more.get("start", 0.0), seconds, frozenset(("n1",)), ends="noon")


def test_no_more_is_booted_for_a_reservation_than_it_has_names() -> None:
    names = Names(Counter({((), ()): 5, (("course",), ()): 1}))
    outlook = Outlook({"course": course()})
    made = plan(picture({INSIDE: [0, 1], ONE: [2]}, names=names, outlook=outlook))
    assert [(new.place, new.shape) for new in made.boots] == [(COURSE, INSIDE), (ONE.place, ONE)]
    assert made.shares[INSIDE].cause == NotInside(reservation="course")
    assert made.shares[INSIDE].waits


def test_names_in_the_way_are_told_with_the_time_at_which_they_are_free() -> None:
    shape = JobShape(place=Place(outside=("course",)))
    names = Names(Counter({(("course",), ()): 5}))
    for now, begins in ((100.0, None), (-50.0, T + 50.0)):
        made = plan(picture({shape: [0]}, names=names, outlook=Outlook({"course": course()}), now=now))
        assert not made.boots
        expected = Reserved(until=T + 7200.0 - now, reservation="course", begins=begins, ends="noon")
        assert made.shares[shape].cause == expected


def test_a_node_that_comes_back_needs_no_name() -> None:
    shape = JobShape(nodes=2, place=COURSE)
    for free, boots in ((1, 1), (0, 0)):
        names = Names(Counter({((), ()): 1, (("course",), ()): free}))
        asked = picture(
            {shape: [0]}, names=names, outlook=Outlook({"course": course()}), leaving=[Leaving("a", 1, IN_COURSE)]
        )
        made = plan(asked)
        assert (len(made.take_back), len(made.boots)) == (boots, boots)


def test_names_are_those_of_the_partitions_that_a_size_is_for() -> None:
    sections = (SizeSection("small", 1, "small", partitions=MAIN), SizeSection("large", 4, "large", partitions=GPU))
    table = SizeTable(sections, OFFERS, 1.0)
    main, gpu = (JobShape(place=COURSE, partitions=partition) for partition in (MAIN, GPU))
    names = Names(Counter({(("course",), GPU): 2, (("course",), MAIN): 1}))
    asked = picture({main: [0, 1], gpu: [2, 3, 4]}, names=names, outlook=Outlook({"course": course()}), table=table)
    assert booted(plan(asked)) == [("small", main), ("large", gpu), ("large", gpu)]


# ---- room for jobs that a limit stops --------------------------------------------------------------------------------


def kept_spare(count: int) -> Ends:
    """Idle nodes whose windows are shut."""
    shut = Chance(reasons.WindowShut(until=T + 60), 3, enough=True)
    nodes = [idle(f"n{number}", turn=number) for number in range(count)]
    return Ends(idle={"small": nodes}, chances={node.id: shut for node in nodes})


@pytest.mark.parametrize(("why", "goes"), [(BackOff.QUOTA, ["n0", "n1"]), (BackOff.CAPACITY, [])])
def test_nodes_make_room_for_jobs_whose_size_was_refused_for_quota(why: BackOff, goes: list[str]) -> None:
    jobs = {BIG: [0], JobShape(cores=3): [1], ONE: [2]}
    health = {"small": PROVEN, "large": back_off(why, quota_nodes=4)}
    made = plan(picture(jobs, supply(small=(4, 0, 0, 0)), health=health, ends=kept_spare(4)))
    assert not made.boots
    assert gone(made) == goes


def test_each_group_that_a_limit_stops_counts_for_the_room() -> None:
    jobs = {ONE: [0], BIG: [1], JobShape(cores=3): [2]}
    made = plan(picture(jobs, supply(small=(4, 0, 0, 0)), bounds=bounds(max_nodes=4), ends=kept_spare(4)))
    assert gone(made) == ["n0", "n1"]
    assert [share.cause for share in made.shares.values()] == [None, made.stopped, reasons.Behind(limit=made.stopped)]


def test_a_job_behind_whose_own_size_rests_is_told_so_and_wants_no_room() -> None:
    jobs = {JobShape(size="small"): [0], BIG: [1]}
    tally = replace(supply(small=(0, 0, 0, 0)), nodes=1)
    health = {"small": back_off(), "large": PROVEN}
    made = plan(picture(jobs, tally, health=health, bounds=bounds(max_nodes=1), ends=kept_spare(1)))
    assert [type(share.cause) for share in made.shares.values()] == [reasons.BackingOff, reasons.AtMaxNodes]


@pytest.mark.parametrize(("over", "goes"), [(True, ["p"]), (False, [])])
def test_one_above_the_quota_counts_for_what_would_have_room_too(over: bool, goes: list[str]) -> None:
    case = Kept("p", KeptInVain(seconds=300), reasons.working("plnd"), 0.1, "large")
    tally = NodeTally(nodes=1, price=0.1)
    ends = Ends((case,), may_unplan=True)
    asked = picture({PAIR: [0]}, tally, ends=ends, bounds=bounds(quota=1), other_size_may_try=over)
    assert gone(plan(asked)) == goes


def test_what_comes_back_needs_no_room_beside_a_node_kept_in_vain() -> None:
    case = Kept("p", KeptInVain(seconds=300), reasons.working("plnd"), 0.1, "large")
    tally = NodeTally(nodes=2, price=0.5)
    asked = picture(
        {PAIR: [0]},
        tally,
        ends=Ends((case,), may_unplan=True),
        bounds=bounds(max_nodes=2),
        leaving=[Leaving("a", 1, "large")],
    )
    made = plan(asked)
    assert isinstance(made.stopped, reasons.AtMaxNodes)
    assert gone(made) == ["p"]
