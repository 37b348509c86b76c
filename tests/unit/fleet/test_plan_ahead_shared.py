"""Nodes for jobs that cannot start yet where jobs share nodes, and where the scheduler places them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pictures import T, bounds, picture, supply
from test_plan_sharing import ALL, job, room
from world import policy

from arvnodeman.fleet.plan.ahead import AheadShare
from arvnodeman.fleet.plan.picture import AheadWish, Ends, NodeTally, PartlyUsed, pool_of
from arvnodeman.fleet.plan.plan import Allotment, Plan, plan
from arvnodeman.fleet.sizes.limits import SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.spares import Spare

HEALTH = {size: SizeHealth(proven=True) for size in ALL.by_id}
LEFT = {"four": {room(2): 1}}


def wish(number: int, shape: JobShape, nodes: int = 1, **more: Any) -> AheadWish:
    return AheadWish(str(number), shape, nodes, T + 120, "it begins at 14:00", **more)


def made(*wishes: AheadWish, jobs: dict[JobShape, list[int]] | None = None, **more: Any) -> Plan:
    tally = more.pop("tally", None)
    return plan(picture(jobs, tally, table=ALL, health=HEALTH, ahead=wishes, **more))


def has(share: AheadShare) -> tuple[int, int, int, int]:
    """Nodes with room for it, idle ones, those that come, and boots of this plan."""
    return share.rooms, share.idle, share.coming, share.begun


def booted(of: Plan) -> list[tuple[str, str]]:
    return [(new.size.id, new.ahead) for new in of.boots]


def test_so_many_share_a_node_as_fit() -> None:
    of = made(*(wish(number, job(2, 1000)) for number in range(5)))
    assert booted(of) == [("four", "0"), ("four", "2"), ("four", "4")]
    assert [has(share) for share in of.ahead] == [(0, 0, 0, 1), (0, 0, 1, 0)] * 2 + [(0, 0, 0, 1)]


def test_memory_counts_too() -> None:
    of = made(*(wish(number, job(1, 5000)) for number in range(2)))
    assert booted(of) == [("four", "0"), ("four", "1")]


def test_who_asks_for_no_memory_takes_all_of_it() -> None:
    assert len(made(wish(1, job(1, math.inf)), wish(2, job(1, math.inf))).boots) == 2


def test_who_shares_with_nobody_has_whole_nodes() -> None:
    alone = JobShape(cores=1)
    of = made(wish(1, job(1)), wish(2, alone), wish(3, job(1)), tally=NodeTally(nodes=1, rooms=LEFT))
    assert booted(of) == [("four", "2")]
    assert [has(share) for share in of.ahead] == [(1, 0, 0, 0), (0, 0, 0, 1), (1, 0, 0, 0)]


def test_what_is_left_of_nodes_at_work_is_filled_first_the_fullest_of_them_before() -> None:
    tally = NodeTally(supply={"four": (1, 0, 0, 0)}, rooms={"four": {room(3): 1, room(1): 1}})
    of = made(wish(1, job(1)), wish(2, job(3)), wish(3, job(2)), tally=tally)
    assert booted(of) == []
    assert [has(share) for share in of.ahead] == [(1, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0)]


def test_a_job_of_several_nodes_has_room_on_as_many() -> None:
    tally = NodeTally(supply={"four": (1, 0, 1, 0)}, rooms={"four": {room(4): 2}})
    of = made(wish(1, job(2, nodes=6), 6), tally=tally)
    assert has(of.ahead[0]) == (2, 1, 1, 2)
    assert booted(of) == [("four", "1")] * 2


def test_two_jobs_on_one_idle_node_keep_it_for_the_first_and_both_count_it() -> None:
    of = made(wish(1, job(2)), wish(2, job(2)), wish(3, job(2)), tally=supply(four=(1, 0, 1, 0)))
    assert [has(share) for share in of.ahead] == [(0, 1, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]


def test_no_room_beside_others_counts_where_it_was_in_vain() -> None:
    shut = {job(1): reasons.Plain(text="it was in vain")}
    of = made(wish(1, job(1)), tally=NodeTally(rooms=LEFT), shut_rooms=shut)
    assert has(of.ahead[0]) == (0, 0, 0, 1)


def test_no_more_jobs_on_a_node_than_are_allowed() -> None:
    tally, one = NodeTally(rooms=LEFT), policy(max_jobs_per_node=1)
    assert has(made(wish(1, job(1)), tally=tally, policy=one).ahead[0]) == (0, 0, 0, 1)
    two = made(wish(1, job(1)), wish(2, job(1)), tally=tally, policy=policy(max_jobs_per_node=2))
    assert [has(share) for share in two.ahead] == [(1, 0, 0, 0), (0, 0, 0, 1)]


def test_room_at_its_place_alone_counts() -> None:
    inside, here = Place(inside=("course",)), pool_of("four", ("course",))
    for pool, rooms in ((here, 1), ("four", 0)):
        of = made(wish(1, job(1, place=inside)), tally=NodeTally(rooms={pool: {room(2): 1}}))
        assert has(of.ahead[0])[0] == rooms, pool


def test_what_waiting_jobs_leave_of_their_nodes_is_room() -> None:
    """Of a node that comes for them, and of one at work that they fill."""
    waiting = {job(2): [0, 1]}
    of = made(wish(1, job(1)), wish(2, job(2)), jobs={job(3): [0]})
    assert [new.ahead for new in of.boots] == ["", "2"]
    assert [has(share) for share in of.ahead] == [(1, 0, 0, 0), (0, 0, 0, 1)]
    full = made(wish(1, job(1)), jobs=waiting, tally=NodeTally(rooms={"four": {room(4): 1}}))
    assert has(full.ahead[0]) == (0, 0, 0, 1)


def test_half_empty_nodes_are_not_drained_while_such_a_job_counts_on_them() -> None:
    partly = [PartlyUsed(name, "four", 0.2, Capacity(4, 8000), room(2)) for name in ("a", "b")]
    ends = Ends(partly_used=partly, busy=2)
    tally = NodeTally(nodes=2, up=2, rooms={"four": {room(2): 2}})
    assert made(tally=tally, ends=ends).verdicts
    assert not made(wish(1, job(1)), tally=tally, ends=ends).verdicts


# ---- where the scheduler places jobs ---------------------------------------------------------------------------------


def test_a_node_that_comes_for_a_placed_job_is_nobody_elses() -> None:
    tally = supply(four=(0, 1, 1, 0))
    assert has(made(wish(1, JobShape()), tally=tally).ahead[0]) == (0, 0, 1, 0)
    assert has(made(wish(1, JobShape(), 2), tally=tally, placed_on={"four": 1}).ahead[0]) == (0, 0, 1, 1)
    assert has(made(wish(1, JobShape()), tally=tally, placed_on={"four": 2}).ahead[0]) == (0, 0, 0, 1)


def test_what_placed_jobs_leave_of_it_is_room() -> None:
    tally, left = supply(four=(0, 0, 1, 0)), [("four", room(1))]
    of = made(wish(1, job(1)), wish(2, job(1)), tally=tally, placed_on={"four": 1}, placed_rooms=left)
    assert [has(share) for share in of.ahead] == [(1, 0, 0, 0), (0, 0, 0, 1)]


def test_a_plan_is_made_again_when_that_is_other() -> None:
    first = picture(table=ALL, health=HEALTH, ahead=[wish(1, job(1))])
    again = picture(table=ALL, health=HEALTH, ahead=[wish(1, job(1))], placed_rooms=[("four", room(1))])
    assert not Allotment(first).is_of(again)


def test_for_a_job_that_may_start_by_now_nodes_stay_and_none_is_booted() -> None:
    tally = supply(four=(1, 0, 0, 0))
    of = made(wish(1, JobShape(), 2, keeps=True), tally=tally)
    assert (has(of.ahead[0]), booted(of)) == ((0, 1, 0, 0), [])


def test_spares_stand_beside_such_jobs() -> None:
    spares = policy(spares=(Spare("ready", "four", 1),))
    of = made(wish(1, job(1)), tally=supply(four=(0, 0, 2, 0)), placed_on={"four": 1}, policy=spares)
    assert [(new.spare, new.ahead) for new in of.boots] == [("ready", "")]


@pytest.mark.parametrize(("limit", "begun"), [(0, 0), (1, 1)])
def test_limits_hold(limit: int, begun: int) -> None:
    of = made(*(wish(number, job(4)) for number in range(2)), bounds=bounds(max_nodes=limit))
    assert (len(of.boots), of.ahead[-1].begun) == (begun, 0)
    assert isinstance(of.ahead[-1].cause, reasons.AtMaxNodes)
