"""Nodes for jobs that cannot start yet, in the plan: pictures in, plans out."""

from __future__ import annotations

from dataclasses import replace

from pictures import BIG, IDLE_LONG, ONE, T, booted, bounds, idle, picture, supply
from world import policy

from arvnodeman.fleet.plan.picture import AheadWish, Ends, Keep, Pending, Stop
from arvnodeman.fleet.plan.plan import Allotment, Plan, plan
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.reasons_of_spares import JobsFirst, StaysAhead
from arvnodeman.fleet.values.spares import Spare

SOON = AheadWish("17", ONE, 1, T + 120, "it begins at 14:00")


def ends(*names: str) -> Ends:
    bins = [idle(name, turn=turn, since=T - 900 + turn) for turn, name in enumerate(names)]
    return Ends(idle={"small": bins}, chances=dict.fromkeys(names, IDLE_LONG))


def stays(made: Plan) -> dict[str, str]:
    reasons_ = {verdict.id: verdict.reason for verdict in made.verdicts if isinstance(verdict, Keep)}
    return {name: reason.job for name, reason in reasons_.items() if isinstance(reason, StaysAhead)}


def test_a_node_is_booted_behind_what_waiting_jobs_get() -> None:
    made = plan(picture({ONE: [0]}, supply(small=(1, 0, 0, 0)), ahead=[SOON]))
    assert [(new.size.id, new.shape, new.ahead) for new in made.boots] == [("small", None, "17")]
    (share,) = made.ahead
    assert (share.idle, share.coming, share.begun) == (0, 0, 1)


def test_what_nobody_else_has_is_taken_first() -> None:
    for pools in ({"small": (1, 0, 0, 0)}, {"small": (0, 0, 1, 0)}, {"large": (0, 1, 0, 0)}):
        made = plan(picture(tally=supply(**pools), ahead=[SOON]))
        assert booted(made) == [], pools
        assert made.ahead[0].idle + made.ahead[0].coming == 1


def test_an_idle_node_stays_for_it_and_another_goes() -> None:
    made = plan(picture(tally=supply(small=(2, 0, 0, 0)), ahead=[SOON], ends=ends("a", "b")))
    assert stays(made) == {"b": "17"}
    assert [verdict.id for verdict in made.verdicts if isinstance(verdict, Stop)] == ["a"]


def test_a_spare_stands_ready_beside_it() -> None:
    spares = policy(spares=(Spare("ready", "small", 1),))
    made = plan(picture(tally=supply(small=(1, 0, 0, 0)), ahead=[SOON], policy=spares))
    assert [(new.ahead, new.spare) for new in made.boots] == [("", "ready")]


def test_neither_is_booted_nor_kept_while_a_job_waits_for_room() -> None:
    tight = bounds(max_nodes=1)
    made = plan(picture({BIG: [0]}, supply(small=(1, 0, 0, 0)), bounds=tight, ahead=[SOON], ends=ends("a")))
    assert booted(made) == []
    assert made.ahead[0].cause == JobsFirst()
    assert [verdict.id for verdict in made.verdicts if isinstance(verdict, Stop)] == ["a"]


def test_a_limit_stops_it_and_no_job() -> None:
    made = plan(picture(bounds=bounds(max_nodes=0), ahead=[SOON]))
    assert (booted(made), made.stopped) == ([], None)
    assert isinstance(made.ahead[0].cause, reasons.AtMaxNodes)


def test_several_nodes_and_several_jobs() -> None:
    pair = AheadWish("18", BIG, 2, T + 60, "the job before it ends")
    made = plan(picture(tally=supply(large=(1, 0, 0, 0)), ahead=[pair, SOON]))
    assert [(new.size.id, new.ahead) for new in made.boots] == [("large", "18"), ("small", "17")]


def test_a_boot_for_it_need_not_end() -> None:
    boots = [Pending(1, "small"), Pending(2, "small")]
    assert plan(picture(tally=supply(small=(0, 0, 2, 0)), pending=boots, ahead=[SOON])).end_boots == [2]


def test_an_allotment_is_of_another_picture_when_its_time_has_come() -> None:
    first = picture()
    assert Allotment(first).is_of(replace(first))
    assert not Allotment(first).is_of(replace(first, ahead=[SOON]))
