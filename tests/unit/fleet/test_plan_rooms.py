"""Room that the scheduler does not use: when that is evidence, and for how long such room does not count."""

from __future__ import annotations

from pictures import ONE, T, picture, supply

from arvnodeman.fleet.plan.picture import NodeTally
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.plan.rooms import LEAST_LOOKS, Rooms, RoomWatch, ShutRoom
from arvnodeman.fleet.plan.vain import LONGEST, REMEMBERED
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.reasons_of_use import RoomInVain

SHARES = JobShape(takes=Footprint(1))
FIRST, WITHIN = 300.0, 180.0
SAMPLE = ("a", "b")


def rooms(**shut: float) -> Rooms:
    found = Rooms(FIRST)
    if shut:
        found.shut[SHARES] = ShutRoom("Resources", 200.0, shut["until"], shut.get("wait", FIRST))
    return found


def test_room_is_in_vain_that_was_there_for_long_enough_and_at_several_looks() -> None:
    vain = rooms()
    for look in range(1, LEAST_LOOKS + 1):
        watch = vain.note(SHARES, SAMPLE, T + 90 * (look - 1), moved=False)
        assert watch == RoomWatch(T, SAMPLE, look)
        assert vain.is_vain(watch, T + 180, WITHIN) == (look == LEAST_LOOKS)
    assert not vain.is_vain(watch, T + 179, WITHIN)
    assert vain.note(SHARES, ("c",), T + 200, moved=True) == RoomWatch(T + 200, ("c",), 1)


def test_watches_end_where_there_is_no_room() -> None:
    vain = rooms()
    vain.note(SHARES, SAMPLE, T, moved=False)
    vain.note(ONE, SAMPLE, T, moved=False)
    vain.only({ONE})
    assert list(vain.watches) == [ONE]
    vain.end_all(T)
    assert not vain.watches


def test_each_back_off_is_twice_the_last_up_to_the_longest() -> None:
    vain, t, waits = rooms(), T, []
    for _ in range(8):
        vain.note(SHARES, SAMPLE, t - 200, moved=False)
        shut = vain.shuts(SHARES, "Resources", t)
        assert (shut.said, shut.stood, shut.until) == ("Resources", 200.0, t + shut.wait)
        assert SHARES not in vain.watches
        waits.append(shut.wait)
        t = shut.until + REMEMBERED
    assert waits == [FIRST, 600, 1200, 2400, 4800, 9600, LONGEST * FIRST, LONGEST * FIRST]
    vain.note(SHARES, SAMPLE, t, moved=False)
    assert vain.shuts(SHARES, "", t + 1).wait == FIRST  # that is long ago


def test_what_is_shut_is_said_until_its_end() -> None:
    vain = rooms(until=T + 60)
    assert vain.reasons(T) == {SHARES: RoomInVain(until=T + 60, said="Resources", stood=200.0)}
    assert vain.reasons(T + 60) == {}
    assert (vain.next_end(T), vain.next_end(T + 60)) == (T + 60, None)
    words = vain.reasons(T)[SHARES].words(T)
    assert words.startswith("room on nodes at work was there for it for 3 min and Slurm did not use it: Slurm said Res")
    assert "such room counts for it again in " in words
    assert "Slurm said" not in RoomInVain(until=T + 60, stood=200.0).words(T)


def test_what_is_over_is_forgotten_when_nobody_waits_or_after_a_day() -> None:
    for waiting, t, kept in (
        ({SHARES}, T + REMEMBERED, True),
        ({SHARES}, T + REMEMBERED + 1, False),
        (set(), T - 1, True),
        (set(), T, False),
    ):
        vain = rooms(until=T)
        vain.forget_old(waiting, t)
        assert bool(vain.shut) == kept, (waiting, t)


def test_an_end_comes_early_and_never_late() -> None:
    vain = rooms(until=T + 60)
    vain.end(ONE, T)
    vain.end(SHARES, T + 90)
    assert vain.shut[SHARES].until == T + 60
    vain.end(SHARES, T)
    assert vain.shut[SHARES].until == T
    vain = rooms(until=T + 60)
    vain.end_all(T)
    assert vain.shut[SHARES].until == T


def test_room_that_is_shut_for_a_group_counts_for_others() -> None:
    other = JobShape(takes=Footprint(1), licences=((("x", 1),),))
    room = NodeTally(rooms={"small": {Capacity(1, 2000, whole=False): 1}}, nodes=1, up=1)
    why = RoomInVain(until=T + 60)
    made = plan(picture({SHARES: [0], other: [1]}, room, shut_rooms={SHARES: why}))
    assert [(share.in_rooms, share.booting, share.shut_room) for share in made.shares.values()] == [
        (0, 1, why),
        (1, 0, None),
    ]
    idle = plan(picture({SHARES: [0]}, supply(small=(1, 0, 0, 0)), shut_rooms={SHARES: why}))
    assert not idle.boots  # a whole node is no room
