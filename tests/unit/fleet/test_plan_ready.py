"""What is booted for nobody who waits: for jobs that may start soon, as spares, and to fill up min_nodes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from pictures import BIG, IDLE_LONG, LARGE, ONE, SMALL, T, bounds, idle, picture, supply
from world import policy

from arvnodeman.fleet.outlook.ahead import Names, Outlook, Reservation
from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.picture import AheadWish, Ends, Leaving, NodeTally, Picture, pool_of
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.plan.purses import Funds
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.budgets import Budget, BudgetStanding, Period
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.fleet.values.obstacles import NotInside, Reserved
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.reasons_of_budgets import OverBudget
from arvnodeman.fleet.values.reasons_of_spares import JobsFirst, StaysAhead
from arvnodeman.fleet.values.spares import Spare

COURSE, NO_COURSE = Place(inside=("course",)), Place(outside=("course",))
IN_COURSE = pool_of("small", ("course",))
PHYSICS = JobShape(owner=JobOwner("ada", "physics"))
PROVEN = SizeHealth(proven=True)
RESTING = {"small": SizeHealth(proven=True, backing_off=BackOff.CAPACITY, until=T + 60), "large": PROVEN}
AT_MOST = reasons.AtMaxNodes(size="small", nodes=1, max_nodes=1)


def soon(shape: JobShape = ONE, nodes: int = 1) -> AheadWish:
    return AheadWish("17", shape, nodes, T + 120, "it begins at 14:00")


def names(*zone: str, count: int = 1) -> Names:
    """So many free names, all in these reservations."""
    return Names(Counter({(zone, ()): count}))


def money(left: float, *accounts: str) -> Funds:
    """A budget with so much left; a node runs for an hour: $0.10 for a small one. No accounts: it pays for all."""
    standing = BudgetStanding(
        Budget("b", 1.0, Period.MONTH, accounts=accounts), 1.0, known=True, spent=0.5, committed=0.5 - left
    )
    return Funds((standing,), lives={"": 3600.0})


def spares(nodes: int, size: str = "small", **more: Any) -> Picture:
    return picture(more.pop("jobs", None), policy=policy(spares=(Spare("ready", size, nodes),)), **more)


# ---- for jobs that may start soon ------------------------------------------------------------------------------------


def test_nodes_for_a_job_are_at_its_place_as_far_as_there_are_names() -> None:
    wish = soon(JobShape(place=COURSE), 2)
    made = plan(picture(ahead=[wish], names=names("course")))
    assert list(made.boots) == [NewNode(SMALL, COURSE, ahead="17")]
    (share,) = made.ahead
    assert (share.wish, share.begun, share.cause) == (wish, 1, NotInside(reservation="course"))


def test_a_reservation_that_has_all_names_is_told_with_its_end() -> None:
    course = Reservation("course", 0.0, 7200.0, frozenset(("n1",)), ends="noon")
    wish = soon(JobShape(place=NO_COURSE))
    made = plan(picture(ahead=[wish], names=names("course"), outlook=Outlook({"course": course}), now=200.0))
    assert made.ahead[0].cause == Reserved(until=T + 7000.0, reservation="course", begins=None, ends="noon")


def test_a_shutdown_is_taken_back_for_it_without_a_name_and_at_the_limit() -> None:
    wish, leaving = soon(JobShape(place=COURSE)), [Leaving("a", 1, IN_COURSE), Leaving("b", 2, IN_COURSE)]
    tight = bounds(max_nodes=2)
    made = plan(picture(tally=NodeTally(nodes=2), ahead=[wish], names=names(), leaving=leaving, bounds=tight))
    assert (made.take_back, list(made.boots), made.ahead[0].begun) == (["b"], [], 1)


def test_a_shutdown_elsewhere_does_not_help_a_size_that_rests() -> None:
    wish = soon(JobShape(place=COURSE))
    made = plan(picture(ahead=[wish], leaving=[Leaving("a", 1, "small")], health=RESTING))
    assert (made.take_back, list(made.boots)) == ([], [])
    assert isinstance(made.ahead[0].cause, reasons.BackingOff)


def test_while_its_cheapest_size_rests_it_has_the_next() -> None:
    made = plan(picture(ahead=[soon()], health=RESTING, policy=policy(max_price_factor=4.0)))
    assert list(made.boots) == [NewNode(LARGE, ahead="17")]


def test_a_job_that_no_size_fits_has_none() -> None:
    (share,) = plan(picture(ahead=[soon(JobShape(cores=99))])).ahead
    assert (share.begun, share.cause) == (0, None)


def test_what_it_lacks_is_in_the_words_of_the_limit() -> None:
    (share,) = plan(picture(ahead=[soon(nodes=3)], bounds=bounds(max_nodes=1))).ahead
    assert (share.begun, share.cause) == (1, replace(AT_MOST, wanted=2))


@pytest.mark.parametrize(("left", "begun"), [(0.01, 1), (0.1, 1), (0.25, 3), (0.3, 3), (0.0, 0)])
def test_its_budget_pays_for_it(left: float, begun: int) -> None:
    (share,) = plan(picture(ahead=[soon(PHYSICS, 3)], funds=money(left, "physics"))).ahead
    assert share.begun == begun
    assert isinstance(share.cause, OverBudget) == (begun < 3)
    (others,) = plan(picture(ahead=[soon(ONE, 3)], funds=money(left, "physics"))).ahead
    assert others.begun == 3


def test_nodes_that_are_there_and_coming_count_once() -> None:
    pools = supply(small=(1, 1, 0, 0), large=(1, 0, 1, 0))
    (share,) = plan(picture(tally=pools, ahead=[soon(nodes=5)])).ahead
    assert (share.idle, share.coming, share.begun) == (2, 2, 1)
    (few,) = plan(picture(tally=pools, ahead=[soon(nodes=3)])).ahead
    assert (few.idle, few.coming, few.begun) == (2, 1, 0)


def test_of_two_pools_only_that_at_its_place_is_for_it() -> None:
    pools = supply(**{pool_of("small", ("course",)): (1, 0, 0, 0), pool_of("small", ("night",)): (1, 0, 0, 0)})
    nodes = {IN_COURSE: [idle("c")], pool_of("small", ("night",)): [idle("n")]}
    ends = Ends(idle=nodes, chances=dict.fromkeys("cn", IDLE_LONG))
    for place, name in ((COURSE, "c"), (NO_COURSE, "n")):
        made = plan(picture(tally=pools, ahead=[soon(JobShape(place=place))], ends=ends))
        assert (made.ahead[0].idle, made.ahead[0].begun) == (1, 0), name
        stays = [each for each in made.verdicts if isinstance(each.reason, StaysAhead)]
        assert [(each.id, each.reason) for each in stays] == [
            (name, StaysAhead(until=T + 120, job="17", why="it begins at 14:00"))
        ]


def test_a_job_that_waits_comes_first() -> None:
    wish = soon()
    (share,) = plan(picture({BIG: [0]}, bounds=bounds(max_nodes=0), ahead=[wish])).ahead
    assert (share.wish, share.begun, share.cause) == (wish, 0, JobsFirst())


# ---- spares ----------------------------------------------------------------------------------------------------------


def test_what_spares_lack_is_in_the_words_of_the_limit() -> None:
    (share,) = plan(spares(3, bounds=bounds(max_nodes=1))).spares
    assert (share.wish.spare, share.begun, share.cause) == ("ready", 1, replace(AT_MOST, wanted=2))


def test_spares_that_are_there_lack_nothing_though_a_job_waits() -> None:
    tally, tight = supply(small=(1, 0, 0, 0)), bounds(max_nodes=1)
    there, lacking = (plan(spares(nodes, jobs={BIG: [0]}, tally=tally, bounds=tight)).spares[0] for nodes in (1, 2))
    assert (there.idle, there.begun, there.cause) == (1, 0, None)
    assert (lacking.idle, lacking.begun, lacking.cause) == (1, 0, JobsFirst())


def test_spares_of_a_size_that_is_not_offered_do_not_begin() -> None:
    (share,) = plan(spares(2, "huge")).spares
    assert (share.begun, share.cause) == (
        0,
        reasons.Plain(text="size huge cannot be booted now: the provider does not offer it"),
    )


# ---- shutdowns and money of all --------------------------------------------------------------------------------------


def test_a_shutdown_that_is_taken_back_for_a_job_is_within_the_limit() -> None:
    made = plan(
        picture({ONE: [0, 1]}, NodeTally(nodes=1), leaving=[Leaving("a", 1, "small")], bounds=bounds(max_nodes=2))
    )
    assert (made.take_back, len(made.boots), made.stopped) == (["a"], 1, None)


@pytest.mark.parametrize(("left", "nodes"), [(0.0, 0), (0.1, 1), (0.15, 2), (0.25, 3), (0.9, 3)])
def test_a_budget_for_all_pays_for_spares_and_min_nodes(left: float, nodes: int) -> None:
    assert len(plan(spares(3, funds=money(left))).boots) == nodes
    assert len(plan(picture(policy=policy(min_nodes=3), funds=money(left))).boots) == nodes
