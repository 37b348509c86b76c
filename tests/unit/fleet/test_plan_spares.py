"""Spares in the plan: pictures in, plans out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pictures import BIG, IDLE_LONG, LARGE, ONE, SMALL, WAITS, T, booted, bounds, idle, picture, supply
from world import policy

from arvnodeman.fleet.plan.picture import Chance, Ends, Keep, Leaving, NodeTally, Pending, Picture, Stop, pool_of
from arvnodeman.fleet.plan.plan import Allotment, Plan, plan
from arvnodeman.fleet.plan.purses import Funds
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.budgets import Budget, BudgetStanding, Period
from arvnodeman.fleet.values.local_time import OpenHours, Stretch
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons_of_spares import JobsFirst, StaysAsSpare
from arvnodeman.fleet.values.spares import Spare

READY = Spare("ready", "small", 2)
NOON = OpenHours((Stretch(0, 6, 720, 780),))
DAY = 86400.0
MIDNIGHT = 1_700_006_400.0 // DAY * DAY  # UTC
SHUT = Chance(reasons.WindowShut(until=T + 60), 5, enough=True)


def with_spares(*spares: Spare, jobs: dict[JobShape, list[int]] | None = None, **more: Any) -> Picture:
    options = more.pop("options", {})
    return picture(jobs, policy=policy(spares=spares, **options), **more)


def kept(made: Plan) -> dict[str, str]:
    """Who stays as a spare, and of which."""
    reasons_ = {verdict.id: verdict.reason for verdict in made.verdicts if isinstance(verdict, Keep)}
    return {name: reason.spare for name, reason in reasons_.items() if isinstance(reason, StaysAsSpare)}


def gone(made: Plan) -> list[str]:
    return [verdict.id for verdict in made.verdicts if isinstance(verdict, Stop)]


# ---- boots -----------------------------------------------------------------------------------------------------------


def test_they_are_booted_beside_what_jobs_have() -> None:
    made = plan(with_spares(READY, jobs={ONE: [0]}, tally=supply(small=(1, 0, 0, 0))))
    assert booted(made) == [("small", None), ("small", None)]
    assert [new.spare for new in made.boots] == ["ready", "ready"]
    (share,) = made.spares
    assert (share.idle, share.coming, share.begun, share.cause) == (0, 0, 2, None)


def test_what_is_there_or_coming_for_nobody_counts() -> None:
    for pools in ({"small": (1, 1, 0, 0)}, {"small": (0, 0, 2, 0)}, {"small": (1, 0, 0, 1)}):
        assert booted(plan(with_spares(READY, tally=supply(**pools)))) == []
    assert booted(plan(with_spares(READY, tally=supply(small=(1, 0, 0, 0), large=(3, 0, 0, 0))))) == [("small", None)]


def test_a_shutdown_is_taken_back_first() -> None:
    made = plan(with_spares(READY, leaving=[Leaving("a", 1, "small"), Leaving("b", 2, "large")]))
    assert (made.take_back, booted(made)) == (["a"], [("small", None)])
    assert made.spares[0].begun == 2


def test_a_part_of_the_load_is_of_the_nodes_of_its_size_that_work() -> None:
    spare = Spare("ready", "small", 1, of_load=10.0, at_most=3)
    for busy, wanted in ((0, 1), (10, 1), (11, 2), (90, 3)):
        tally = NodeTally(busy={"small": busy, "large": 500}, nodes=busy)
        assert len(plan(with_spares(spare, tally=tally, bounds=bounds(max_nodes=1000))).boots) == wanted, busy


def test_of_two_of_one_size_the_larger_number_holds() -> None:
    spares = (Spare("few", "small", 1), Spare("many", "small", 3), Spare("shut", "small", 9, hours=NOON))
    made = plan(with_spares(*spares, Spare("other", "large", 1), now=MIDNIGHT))
    assert [(new.size.id, new.spare) for new in made.boots] == [("small", "many")] * 3 + [("large", "other")]
    assert [new.spare for new in plan(with_spares(*reversed(spares))).boots] == ["many"] * 3


def test_none_is_booted_while_its_hours_are_shut() -> None:
    spare = replace(READY, hours=NOON)
    for hour, wanted in ((11.99, 0), (12, 2), (12.99, 2), (13, 0)):
        made = plan(with_spares(spare, now=MIDNIGHT + hour * 3600))
        assert len(made.boots) == wanted, hour
        assert len(made.spares) == (wanted > 0)


def test_limits_stop_them_and_the_share_says_which() -> None:
    made = plan(with_spares(READY, bounds=bounds(max_nodes=1)))
    assert len(made.boots) == 1
    assert made.stopped is None
    assert isinstance(made.spares[0].cause, reasons.AtMaxNodes)
    made = plan(with_spares(READY, bounds=bounds(price_cap=0.15)))
    assert len(made.boots) == 1
    assert isinstance(made.spares[0].cause, reasons.AtPriceCap)
    rests = SizeHealth(proven=True, backing_off=BackOff.CAPACITY, until=T + 60)
    made = plan(with_spares(READY, health={"small": rests, "large": SizeHealth(proven=True)}))
    assert made.boots == []
    assert isinstance(made.spares[0].cause, reasons.BackingOff)


def test_a_size_that_is_missing_at_the_provider_has_none() -> None:
    made = plan(with_spares(Spare("ready", "gone", 1)))
    assert made.boots == []
    assert made.spares[0].cause == reasons.Plain(text="size gone cannot be booted now: the provider does not offer it")


def test_none_is_booted_while_a_job_waits_for_room() -> None:
    made = plan(with_spares(READY, jobs={ONE: [0], BIG: [1]}, bounds=bounds(max_nodes=1)))
    assert booted(made) == [("small", ONE)]
    assert isinstance(made.spares[0].cause, JobsFirst)


def test_they_count_for_min_nodes() -> None:
    assert len(plan(with_spares(READY, options={"min_nodes": 3})).boots) == 3
    assert len(plan(with_spares(READY, options={"min_nodes": 1})).boots) == 2


def test_where_the_scheduler_places_jobs_what_comes_for_one_is_no_spare() -> None:
    tally = supply(small=(0, 0, 2, 0))
    assert booted(plan(with_spares(READY, tally=tally))) == []
    made = plan(with_spares(READY, tally=tally, placed_on={"small": 1}))
    assert (booted(made), made.spares[0].coming) == ([("small", None)], 1)


def test_a_boot_for_a_spare_need_not_end_and_one_more_does() -> None:
    boots = [Pending(number, "small") for number in (1, 2, 3)]
    tally = supply(small=(0, 0, 3, 0))
    assert plan(with_spares(READY, tally=tally, pending=boots)).end_boots == [3]
    tally = supply(small=(1, 0, 3, 0))
    assert plan(with_spares(READY, tally=tally, pending=boots)).end_boots == [3, 2]
    assert plan(with_spares(tally=tally, pending=boots)).end_boots == [3, 2, 1]


def test_a_boot_for_a_spare_ends_when_a_job_waits_for_its_place() -> None:
    boots = [Pending(1, "small"), Pending(2, "small")]
    jobs = {BIG: [0]}
    made = plan(
        with_spares(READY, jobs=jobs, tally=supply(small=(0, 0, 2, 0)), pending=boots, bounds=bounds(max_nodes=2))
    )
    assert made.end_boots == [2, 1]


def test_an_allotment_is_of_another_picture_until_the_hours_change() -> None:
    first = with_spares(replace(READY, hours=NOON), now=MIDNIGHT)
    assert Allotment(first).is_of(replace(first, now=MIDNIGHT + 3600))
    assert not Allotment(first).is_of(replace(first, now=MIDNIGHT + 12 * 3600))
    assert not Allotment(first).is_of(replace(first, placed_on={"small": 1}))


# ---- which nodes go --------------------------------------------------------------------------------------------------


def ends(*nodes: str, chance: Chance = IDLE_LONG, **chances: Chance) -> Ends:
    """Idle small nodes, the first of them for longest."""
    bins = [idle(name, turn=turn, since=T - 900 + turn) for turn, name in enumerate(nodes)]
    return Ends(idle={"small": bins}, chances=dict.fromkeys(nodes, chance) | chances)


def test_idle_nodes_stay_as_spares_and_the_longest_idle_beyond_them_goes() -> None:
    made = plan(with_spares(READY, tally=supply(small=(3, 0, 0, 0)), ends=ends("a", "b", "c")))
    assert (gone(made), kept(made)) == (["a"], {"b": "ready", "c": "ready"})


def test_a_node_that_a_job_has_is_no_spare() -> None:
    made = plan(with_spares(READY, jobs={ONE: [0]}, tally=supply(small=(3, 0, 0, 0)), ends=ends("a", "b", "c")))
    assert (gone(made), kept(made)) == ([], {"a": "ready", "b": "ready"})


def test_what_cannot_go_now_is_a_spare_before_what_can_and_what_has_just_fallen_idle_after() -> None:
    spare = Spare("ready", "small", 1)
    tally = supply(small=(2, 0, 0, 0))
    made = plan(with_spares(spare, tally=tally, ends=ends("a", "b", a=SHUT)))
    assert (gone(made), kept(made)) == (["b"], {"a": "ready"})
    made = plan(with_spares(spare, tally=tally, ends=ends("a", "b", b=Chance(WAITS, 1))))
    assert (gone(made), kept(made)) == ([], {"a": "ready"})


def test_a_node_that_an_operator_holds_counts_and_keeps_his_reason() -> None:
    held = Chance(reasons.Held(reason="mine"), 5, enough=True)
    made = plan(with_spares(Spare("ready", "small", 1), tally=supply(small=(2, 0, 0, 0)), ends=ends("a", "b", a=held)))
    assert (gone(made), kept(made)) == (["b"], {})


def test_nodes_of_another_size_are_no_spares() -> None:
    nodes = {"small": [idle("a")], "large": [idle("b", LARGE)]}
    tally = supply(small=(1, 0, 0, 0), large=(1, 0, 0, 0))
    made = plan(with_spares(READY, tally=tally, ends=Ends(idle=nodes, chances=dict.fromkeys("ab", IDLE_LONG))))
    assert (gone(made), kept(made)) == (["b"], {"a": "ready"})


def test_a_spare_goes_for_a_job_that_a_limit_stops_after_what_nobody_wants() -> None:
    jobs, tight = {BIG: [0]}, bounds(max_nodes=2)
    tally = supply(small=(2, 0, 0, 0))
    made = plan(with_spares(READY, jobs=jobs, tally=tally, bounds=tight, ends=ends("a", "b")))
    (stop,) = [verdict for verdict in made.verdicts if isinstance(verdict, Stop)]
    assert (stop.id, stop.reason) == ("a", reasons.IdleExceeded(polls=5, makes_room=True))
    assert kept(made) == {"b": "ready"}
    one = Spare("ready", "small", 1)
    made = plan(with_spares(one, jobs=jobs, tally=tally, bounds=tight, ends=ends("a", "b", chance=SHUT)))
    assert (gone(made), kept(made)) == (["a"], {"b": "ready"})


def test_a_spare_is_kept_beside_min_nodes() -> None:
    """The one that goes is neither."""
    made = plan(
        with_spares(READY, tally=supply(small=(4, 0, 0, 0)), ends=ends("a", "b", "c", "d"), options={"min_nodes": 3})
    )
    assert gone(made) == ["a"]
    assert kept(made) == {"c": "ready", "d": "ready"}
    stays = {verdict.id: verdict.reason for verdict in made.verdicts if isinstance(verdict, Keep)}
    assert stays["b"] == reasons.KeepsMinimum(min_nodes=3)


def test_without_spares_nothing_is_asked_of_them() -> None:
    made = plan(with_spares(tally=supply(small=(2, 0, 0, 0)), ends=ends("a", "b")))
    assert (made.spares, gone(made)) == ([], ["a", "b"])
    assert SMALL.id == "small"


def test_boots_in_two_pools_are_kept_as_many_as_spares_lack() -> None:
    course = pool_of("small", ("course",))
    boots = [Pending(1, "small"), Pending(2, "small"), Pending(3, course), Pending(4, course)]
    tally = supply(**{"small": (0, 0, 2, 0), course: (0, 0, 2, 0)})
    for wanted, ended in ((1, [4, 3, 2]), (2, [4, 3]), (3, [4]), (4, [])):
        made = plan(with_spares(Spare("ready", "small", wanted), tally=tally, pending=boots))
        assert made.end_boots == ended, wanted


def test_no_spare_is_kept_when_the_money_of_all_is_spent() -> None:
    spent = BudgetStanding(Budget("all", 1.0, Period.MONTH), 1.0, known=True, spent=1.0)
    ends = Ends(idle={"small": [idle("a"), idle("b")]}, chances=dict.fromkeys("ab", IDLE_LONG))
    asked = with_spares(READY, tally=supply(small=(2, 0, 0, 0)), ends=ends)
    assert (kept(plan(asked)), gone(plan(asked))) == ({"a": "ready", "b": "ready"}, [])
    made = plan(replace(asked, funds=Funds((spent,))))
    assert (kept(made), sorted(gone(made)), made.spares) == ({}, ["a", "b"], [])


def test_a_part_of_no_load_is_nothing() -> None:
    assert not plan(with_spares(Spare("ready", "small", 0, of_load=100.0))).boots
