"""The watchdog: who does not answer ends the process; who is only slow does not; an orderly stop is never disturbed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from actor_doubles import BOUND, End, HandClock, running, wait_for

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, name_of
from arvnodeman.actors.watchdog import WatchdogActor, WatchdogTimes, hopeless_poll
from arvnodeman.fleet.messages import Poll
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.ending import ExitKind
from arvnodeman.supervision.vitals import PollAges

QUICK = WatchdogTimes(watchdog=0.3, interval=0.01, poll_hopeless_after=1000.0)


@dataclass(frozen=True, slots=True)
class Do:
    """Run this."""

    what: Callable[[], object]


class WatchedActor(BaseNodeManagerActor):
    """Does what it is told."""

    def receive(self, message: Any) -> None:
        message.what()


class Yard:
    """A watchdog over four actors."""

    def __init__(self, times: WatchdogTimes = QUICK, clock: Clock | None = None) -> None:
        self.end = End(clock)
        self.times = times
        self.rounds = 0
        self.half_way: list[str] = []
        self.actors: list[Ref] = []
        self.watchdog: Ref
        self.release = threading.Event()
        self.released = threading.Event()

    def good_round(self) -> None:
        self.rounds += 1

    def watch(self) -> Ref:
        self.watchdog = WatchdogActor.start(
            self.end.supervision,
            watched=self.actors,
            times=self.times,
            good_round=self.good_round,
            half_way=self.half_way.append,
        )
        return self.watchdog

    @contextmanager
    def open(self) -> Iterator[Yard]:
        with ExitStack() as stack:
            self.actors = [stack.enter_context(running(WatchedActor, self.end.supervision)) for _ in range(4)]
            try:
                yield self
            finally:
                self.release.set()
                self.end.vitals.stopping.set()
                self.watchdog.stop(timeout=BOUND)
                self.end.ending.close()

    def hang(self, number: int) -> None:
        """Block an actor until the end of the test."""
        entered = threading.Event()

        def block() -> None:
            entered.set()
            self.release.wait(BOUND)

        self.actors[number].tell(Do(block))
        assert entered.wait(BOUND)


def test_actors_that_answer_are_left_alone() -> None:
    with Yard().open() as yard:
        yard.watch()
        wait_for(lambda: yard.rounds >= 5)
        assert yard.end.kills == 0
        assert yard.end.vitals.good_round is not None


@pytest.mark.parametrize("number", range(4))
def test_an_actor_that_hangs_ends_the_process(number: int) -> None:
    """Rows L3, L4, L5: each of the four critical actors."""
    with Yard().open() as yard:
        yard.hang(number)
        yard.watch()
        assert yard.end.killed.wait(BOUND)
        (cause,) = yard.end.causes
        assert cause.kind is ExitKind.WATCHDOG
        assert cause.text == f"Actor {yard.actors[number]} watchdog ping time out, killing Node Manager"


def test_the_kill_is_handed_in_and_comes_once() -> None:
    """Row L10: looked at only after the watchdog's thread and those of the actors have ended; this process lives on."""
    before = set(threading.enumerate())
    with Yard().open() as yard:
        yard.hang(0)
        yard.hang(3)
        watchdog = yard.watch()
        assert yard.end.killed.wait(BOUND)
        yard.release.set()
        for ref in (watchdog, *yard.actors):
            assert ref.stop(timeout=BOUND)
    wait_for(lambda: set(threading.enumerate()) <= before, "the threads' end")
    assert yard.end.kills == 1
    assert len(yard.end.causes) == 1


def test_two_that_hang_have_one_deadline() -> None:
    """Pings go out all at once: the end does not come later for a second hung actor (row N10)."""
    with Yard().open() as yard:
        yard.hang(1)
        yard.hang(2)
        yard.watch()
        assert yard.end.killed.wait(BOUND)
        (cause,) = yard.end.causes
        assert cause.subject == f"{name_of(yard.actors[1])}, {name_of(yard.actors[2])}"


def test_half_way_to_the_deadline_there_is_a_warning_once() -> None:
    with Yard().open() as yard:
        yard.hang(0)
        yard.watch()
        assert yard.end.killed.wait(BOUND)
        (text,) = yard.half_way
        assert str(yard.actors[0]) in text
        assert "has not answered its watchdog ping" in text
        assert re.search(r": Do for [0-9.]+ s, its oldest message is [0-9.]+ s old, 1 more wait$", text)  # the ping


def test_two_that_hang_are_one_warning() -> None:
    with Yard().open() as yard:
        yard.hang(1)
        yard.hang(2)
        yard.watch()
        assert yard.end.killed.wait(BOUND)
        (text,) = yard.half_way
        assert str(yard.actors[1]) in text
        assert str(yard.actors[2]) in text


def test_an_actor_that_died_ends_the_process_without_waiting() -> None:
    """Row L7: the classic skipped dead actors, and lived on without a daemon."""
    with Yard(WatchdogTimes(watchdog=3600.0, interval=0.01)).open() as yard:
        yard.watch()
        wait_for(lambda: yard.rounds)
        yard.actors[3].tell(Do(lambda: 1 / 0))
        assert yard.end.killed.wait(BOUND)
        assert str(yard.actors[3]) in yard.end.causes[0].text


def test_slow_but_alive_is_not_killed() -> None:
    """Row L4: 10,000 queued messages that are worked off in time."""
    with Yard(WatchdogTimes(watchdog=BOUND, interval=0.01)).open() as yard:
        for _ in range(10_000):
            yard.actors[0].tell(Do(lambda: None))
        yard.watch()
        wait_for(lambda: yard.rounds)
        assert yard.end.kills == 0


def test_one_that_is_released_after_half_of_its_time_is_not_killed() -> None:
    """Row L4."""
    with Yard(WatchdogTimes(watchdog=1.0, interval=0.01)).open() as yard:
        for _ in range(10_000):
            yard.actors[0].tell(Do(lambda: yard.released.wait(BOUND)))
        yard.watch()
        wait_for(lambda: yard.half_way)
        yard.released.set()
        wait_for(lambda: yard.rounds)
        assert yard.end.kills == 0
        assert len(yard.half_way) == 1
        assert "more wait" in yard.half_way[0]


def test_an_orderly_stop_is_never_killed_and_ends_the_wait_at_once() -> None:
    """Rows L8, N10."""
    with Yard(WatchdogTimes(watchdog=3600.0, interval=3600.0)).open() as yard:
        yard.hang(0)
        watchdog = yard.watch()
        wait_for(lambda: len(yard.end.vitals.activities()) == 5, "all have started")
        yard.end.vitals.stopping.set()
        assert watchdog.stop(timeout=BOUND)
        assert yard.end.kills == 0
        assert yard.rounds == 0


def test_a_stop_between_rounds_is_at_once() -> None:
    with Yard(WatchdogTimes(watchdog=3600.0, interval=3600.0)).open() as yard:
        watchdog = yard.watch()
        wait_for(lambda: yard.rounds == 1)
        yard.end.vitals.stopping.set()
        assert watchdog.stop(timeout=BOUND)


def test_no_thread_for_the_c_timer_is_a_fatal_error_and_no_hang() -> None:
    """Row L7: the next start says what was amiss."""
    with Yard().open() as yard:

        def fail() -> None:
            raise RuntimeError("unable to start watchdog thread")

        yard.good_round = fail  # type: ignore[method-assign]
        yard.watch()
        assert yard.end.killed.wait(BOUND)
        assert yard.end.causes[0].kind is ExitKind.FATAL
        assert yard.end.causes[0].subject.endswith(": RuntimeError")


def test_an_exception_in_the_watchdog_ends_the_process() -> None:
    """Row L7."""
    with Yard().open() as yard:

        def fail() -> None:
            raise ZeroDivisionError

        yard.good_round = fail  # type: ignore[method-assign]
        yard.watch()
        assert yard.end.killed.wait(BOUND)
        assert yard.end.causes[0].text == "Watchdog exception"


def test_a_hopeless_list_ends_the_process() -> None:
    """Row N9: the watchdog looks at the ages itself."""
    hand = HandClock()
    with Yard(clock=hand.clock).open() as yard:
        yard.end.vitals.polls.began(Poll.QUEUE, hand.time, 60.0)
        yard.watch()
        wait_for(lambda: yard.rounds)
        assert yard.end.kills == 0
        hand.time += 2 * 60.0 + 61.0
        assert yard.end.killed.wait(BOUND)
        (cause,) = yard.end.causes
        assert (cause.kind, cause.subject) == (ExitKind.HOPELESS, "queue")
        assert "has not finished an attempt for 181 seconds" in cause.text


def test_when_a_list_is_hopeless() -> None:
    ages = PollAges()
    ages.began(Poll.CLOUD, 0.0, 300.0)
    assert hopeless_poll(ages, 660.0, 5000.0) is None
    assert hopeless_poll(ages, 660.1, 5000.0) is not None
    for moment in range(600, 6000, 600):
        ages.failed(Poll.CLOUD, float(moment), "HTTP 503")
        assert (hopeless_poll(ages, float(moment), 5000.0) is None) is (moment <= 5000)
    assert hopeless_poll(ages, 5400.0, 0.0) is None, "0 turns it off"
    poll, why = hopeless_poll(ages, 5400.0, 5000.0) or ("", "")
    assert poll == "cloud"
    assert why == "has not succeeded for 5400 seconds (last error: HTTP 503)"
    ages.succeeded(Poll.CLOUD, 5400.0, 3)
    assert hopeless_poll(ages, 5400.0, 5000.0) is None


def test_the_watchdog_waits_for_real_time_not_for_a_clock_that_stands_still() -> None:
    hand = HandClock()
    with Yard(clock=hand.clock).open() as yard:
        yard.hang(0)
        began = time.monotonic()
        yard.watch()
        assert yard.end.killed.wait(BOUND)
        assert time.monotonic() - began >= QUICK.watchdog
