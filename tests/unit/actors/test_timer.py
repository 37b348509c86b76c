"""The timer: what is due is delivered once, in order, and nothing else is."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from actor_doubles import BOUND, CollectingActor, End, HandClock, collecting, wait_for
from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.actors.base import Ref
from arvnodeman.actors.timer import Delivery, Schedule, Timer
from arvnodeman.supervision.clock import Clock


@dataclass(frozen=True, slots=True)
class Bell:
    """A message."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Whistle:
    """Another."""


def unstarted() -> Ref:
    return CollectingActor([]).actor_ref


def test_due_at_the_very_moment() -> None:
    """Row A19: a timer that waits for strictly past keeps a core busy at equality."""
    schedule = Schedule()
    delivery = Delivery(5.0, unstarted(), Bell())
    schedule.add(delivery)
    assert schedule.due(4.999) == []
    assert schedule.due(5.0) == [delivery]
    assert schedule.next() is None


def test_equal_moments_keep_the_order_of_arming_and_compare_no_receivers() -> None:
    """Porting trap: heapq would compare receivers."""
    schedule = Schedule()
    deliveries = [Delivery(5.0, unstarted(), Bell(str(number))) for number in range(20)]
    for delivery in deliveries:
        schedule.add(delivery)
    assert schedule.due(5.0) == deliveries


def test_arming_again_moves_the_delivery() -> None:
    schedule = Schedule()
    receiver = unstarted()
    schedule.add(Delivery(5.0, receiver, Bell("first")))
    schedule.add(Delivery(5.0, receiver, Whistle()))
    schedule.add(Delivery(3.0, receiver, Bell("second")))
    assert [delivery.message for delivery in schedule.due(10.0)] == [Bell("second"), Whistle()]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=300), st.integers(0, 50))
def test_only_the_newest_of_each_receiver_is_delivered(armed: list[tuple[int, int]], moment: int) -> None:
    receivers = [unstarted() for _ in range(4)]
    schedule = Schedule()
    newest: dict[int, int] = {}
    for who, at in armed:
        schedule.add(Delivery(float(at), receivers[who], Bell()))
        newest[who] = at
    due = {receivers.index(delivery.receiver): delivery.at for delivery in schedule.due(float(moment))}
    assert due == {who: at for who, at in newest.items() if at <= moment}
    assert schedule.next() == min((at for at in newest.values() if at > moment), default=None)


def test_moving_a_delivery_for_ever_keeps_the_heap_small() -> None:
    """Row A3."""
    schedule = Schedule()
    receiver = unstarted()
    for number in range(10_000):
        schedule.add(Delivery(1e9 + number, receiver, Bell()))
    assert len(schedule._heap) < 1000


def test_a_moment_that_comes_is_told() -> None:
    hand = HandClock()
    timer = Timer(hand.clock, End().ending)
    with collecting() as (ref, box):
        timer.start()
        timer.at(hand.time + 3600.0, ref, Bell("later"))
        timer.at(hand.time, ref, Whistle())
        wait_for(lambda: box == [Whistle()])
        hand.time += 3600.0
        timer.at(hand.time + 3600.0, ref, Whistle())  # any change wakes the thread
        wait_for(lambda: box == [Whistle(), Bell("later")])
        timer.stop()
        assert timer.join(BOUND)


def test_ten_thousand_wishes_to_be_woken_are_one_message_of_one_thread() -> None:
    """Row A3: the classic queued a delivery for each, and a stop had to wait for them all."""
    hand = HandClock()
    timer = Timer(hand.clock, End().ending)
    before = set(threading.enumerate())

    def ask(ref: Ref) -> None:
        for _ in range(2500):
            timer.at(hand.time + 60.0, ref, Bell())

    with collecting() as (ref, box):
        timer.start()
        askers = [threading.Thread(target=ask, args=(ref,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(BOUND)
        assert len(set(threading.enumerate()) - before) == 2  # the timer's, and that of the actor
        hand.time += 60.0
        timer.at(hand.time, ref, Whistle())
        wait_for(lambda: Whistle() in box)
        assert box == [Bell(), Whistle()]
        timer.at(hand.time + 60.0, ref, Bell())
        timer.stop()
        assert timer.join(BOUND)
    assert ref.actor_stopped.is_set()
    assert box == [Bell(), Whistle()]


def test_a_dead_receiver_is_dropped_and_the_others_served() -> None:
    """Row A4."""
    timer = Timer(Clock(), End().ending)
    with collecting() as (alive, box), collecting() as (dead, _):
        dead.stop()
        timer.start()
        timer.at(0.0, dead, Bell())
        timer.at(0.0, alive, Bell())
        wait_for(lambda: box == [Bell()])
        timer.stop()
        assert timer.join(BOUND)


def test_stop_is_at_once_with_deliveries_far_away() -> None:
    """Row A3."""
    timer = Timer(Clock(), End().ending)
    with collecting() as (ref, box):
        timer.start()
        timer.at(Clock().monotonic() + 1e9, ref, Bell())
        timer.stop()
        assert timer.join(BOUND)
        assert box == []


def test_the_death_of_the_timer_ends_the_process() -> None:
    """Row N9: a dead timer silently stopped all polling."""
    end = End()

    class Broken(Exception):
        """From the clock."""

    def clock() -> float:
        raise Broken

    timer = Timer(Clock(monotonic=clock), end.ending)
    hook, threading.excepthook = threading.excepthook, lambda _args: None
    try:
        timer.start()
        assert end.killed.wait(BOUND)
        assert timer.join(BOUND)
    finally:
        threading.excepthook = hook
    assert isinstance(end.causes[0].error, Broken)
