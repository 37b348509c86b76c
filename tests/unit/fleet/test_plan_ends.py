"""Which nodes the plan lets go, and which stay for what reason, by the counts behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pictures import BIG, IDLE_LONG, LARGE, ONE, WAITS, T, bounds, gone, idle, kept, picture, supply
from world import policy

from arvnodeman.fleet.plan.picture import Case, Ends, Keep, Kept, Leaving, Stop, pool_of
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.reasons_of_use import KeptInVain

IN_COURSE = pool_of("small", ("course",))


def test_what_is_said_of_odd_nodes_goes_with_the_plan_in_turn() -> None:
    cases: list[Case] = [
        Keep("a", WAITS),
        Stop("b", ShutdownKind.REMOVAL, reasons.HasFailed()),
        Keep("c", WAITS, up=False),
    ]
    made = plan(picture(ends=Ends(cases)))
    assert (made.verdicts, made.wanted_idle) == (cases, [])


def test_nodes_that_jobs_have_stay_since_they_are_wanted_and_those_of_other_pools_go() -> None:
    spare = {"large": [idle("b", LARGE)], "small": [idle("a")]}
    ends = Ends(idle=spare, chances=dict.fromkeys("ab", IDLE_LONG))
    tally = supply(small=(1, 0, 0, 0), large=(1, 0, 0, 0))
    assert plan(picture({ONE: [0]}, tally, ends=ends)).wanted_idle == [([idle("a")], reasons.Wanted(size="small"))]
    made = plan(picture({BIG: [0]}, tally, ends=ends))
    assert made.wanted_idle == [([idle("b", LARGE)], reasons.Wanted(size="large"))]
    assert gone(made) == ["a"]
    assert not plan(picture({}, tally, ends=ends)).wanted_idle


def test_a_node_that_is_not_counted_as_supply_does_not_go() -> None:
    ends = Ends(idle={"small": [idle("a")]}, chances={"a": IDLE_LONG})
    assert kept(plan(picture({}, ends=ends))) == {"a": reasons.Wanted(size="small")}


def test_the_longest_idle_go_first_whichever_came_first() -> None:
    nodes = [idle("a", turn=1, since=T - 60), idle("b", turn=2, since=T - 600), idle("c", turn=0)]
    ends = Ends(idle={"small": nodes}, chances=dict.fromkeys("abc", IDLE_LONG))
    assert gone(plan(picture({ONE: [0]}, supply(small=(3, 0, 0, 0)), ends=ends))) == ["b", "a"]


@pytest.mark.parametrize(
    ("inside", "outside", "goes"),
    [(T - 60, T - 600, "a"), (T - 600, T - 60, "b"), (None, T - 60, "a"), (T - 60, None, "b")],
)
def test_of_nodes_of_one_price_in_two_pools_the_longest_idle_goes(
    inside: float | None, outside: float | None, goes: str
) -> None:
    spare = {"small": [idle("a", since=outside)], IN_COURSE: [idle("b", since=inside)]}
    ends = Ends(idle=spare, chances=dict.fromkeys("ab", IDLE_LONG))
    tally = supply(**{"small": (1, 0, 0, 0), IN_COURSE: (1, 0, 0, 0)})
    assert gone(plan(picture({}, tally, ends=ends, policy=policy(min_nodes=1)))) == [goes]


def test_a_node_kept_in_vain_goes_by_its_price_like_others() -> None:
    case = Kept("p", KeptInVain(seconds=300), reasons.working("plnd"), 0.4, "large")
    ends = Ends((case,), {"small": [idle("a", since=T - 900)]}, {"a": IDLE_LONG}, may_unplan=True)
    tally = supply(small=(1, 0, 0, 0))
    assert gone(plan(picture({}, tally, ends=ends, policy=policy(min_nodes=1)))) == ["p"]
    cheap = replace(ends, cases=(case._replace(price=0.01),))
    assert gone(plan(picture({}, tally, ends=cheap, policy=policy(min_nodes=1)))) == ["a"]


@pytest.mark.parametrize(("busy", "before", "least", "goes"), [(1, 0, 2, True), (1, 1, 3, True), (1, 1, 4, False)])
def test_a_node_that_slurm_keeps_counts_for_min_nodes(busy: int, before: int, least: int, goes: bool) -> None:
    """Beside those that work, and those that something else keeps."""
    cases: list[Case] = [Keep(f"k{number}", WAITS) for number in range(before)]
    cases.append(Kept("p", KeptInVain(seconds=300), reasons.working("plnd"), 0.4, "large"))
    ends = Ends(cases, {"small": [idle("a")]}, {"a": IDLE_LONG}, busy=busy)
    made = plan(picture({}, supply(small=(1, 0, 0, 0)), ends=ends, policy=policy(min_nodes=least)))
    assert (gone(made) == ["a"]) is goes


@pytest.mark.parametrize(("least", "goes"), [(1, ["a"]), (2, [])])
def test_a_node_taken_back_at_once_counts_for_min_nodes(least: int, goes: list[str]) -> None:
    ends = Ends(idle={"small": [idle("a")]}, chances={"a": IDLE_LONG})
    leaving = [Leaving("x", 1, "large", at_once=True)]
    made = plan(
        picture({BIG: [0]}, supply(small=(1, 0, 0, 0)), ends=ends, leaving=leaving, policy=policy(min_nodes=least))
    )
    assert (made.take_back, gone(made)) == (["x"], goes)


@pytest.mark.parametrize(("least", "closed"), [(0, 3), (2, 1), (3, 0), (5, 0)])
def test_nodes_at_work_for_spent_budgets_take_no_new_jobs_but_for_min_nodes(least: int, closed: int) -> None:
    spent = [Stop(name, ShutdownKind.UNWANTED, reasons.IdleExceeded(polls=1), works=True) for name in "abc"]
    made = plan(picture(ends=Ends(busy=3, spent=spent), policy=policy(min_nodes=least)))
    assert made.verdicts == spent[:closed]


def test_a_node_that_goes_for_a_job_that_waits_at_a_limit_says_so() -> None:
    """Though min_nodes would keep it."""
    ends = Ends(idle={"small": [idle("a")]}, chances={"a": IDLE_LONG})
    asked = picture(
        {BIG: [0]}, supply(small=(1, 0, 0, 0)), ends=ends, bounds=bounds(max_nodes=1), policy=policy(min_nodes=1)
    )
    assert plan(asked).verdicts == [
        Stop("a", ShutdownKind.UNWANTED, reasons.IdleExceeded(polls=5, makes_room=True)),
    ]
