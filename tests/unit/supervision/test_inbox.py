"""The ages of an actor's messages."""

from __future__ import annotations

from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.inbox import Inbox
from arvnodeman.supervision.vitals import Activity

TIME = [0.0]


def make() -> tuple[Inbox, Activity]:
    TIME[0] = 100.0
    inbox = Inbox()
    inbox.monotonic = lambda: TIME[0]
    return inbox, Activity("a", Clock(monotonic=lambda: TIME[0]), inbox)


def test_nothing_has_come_in() -> None:
    inbox, activity = make()
    assert (inbox.waiting, inbox.first_arrived) == (0, None)
    assert activity.oldest_message(200.0) is None
    assert activity.words(101.0) == "waiting for 1.000 s"


def test_the_oldest_is_the_one_in_hand_then_the_first_in_the_queue() -> None:
    inbox, activity = make()
    for moment in (101.0, 102.0, 103.0):
        TIME[0] = moment
        inbox.put(moment)
    assert activity.oldest_message(110.0) == 9.0
    TIME[0] = 105.0
    assert inbox.get() == 101.0
    activity.begins("a long one")
    assert (activity.oldest_message(110.0), activity.waiting) == (9.0, 2)
    assert activity.words(110.0) == "a long one for 5.000 s, its oldest message is 9.000 s old, 2 more wait"
    activity.ends()
    assert activity.oldest_message(110.0) == 8.0
    inbox.get()
    inbox.get()
    assert (activity.oldest_message(110.0), activity.waiting) == (None, 0)
