"""Three stages of stopping, counted per signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from arvnodeman.supervision.first_signals import OTHERS, STOPS
from arvnodeman.supervision.signals import Signals, StopCame


class Left:
    """Notes the exit code with which the process would have ended."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def __call__(self, code: int) -> None:
        self.codes.append(code)


@pytest.fixture
def left() -> Left:
    return Left()


@pytest.fixture
def signals(left: Left) -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in (*STOPS, *OTHERS)}
    signals = Signals(left)
    signals.install()
    yield signals
    signals.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOPS)
def test_the_third_of_a_kind_ends_the_process_at_once(signals: Signals, left: Left, number: signal.Signals) -> None:
    for count in (1, 2):
        send(number)
        assert signals.next(10.0) == (number, count)
        assert left.codes == []
    send(number)
    assert left.codes == [128 + number]


def test_each_kind_is_counted_for_itself(signals: Signals, left: Left) -> None:
    for number in STOPS:
        send(number)
        send(number)
    assert left.codes == []
    assert [signals.next(10.0) for _ in range(6)] == [(number, count) for number in STOPS for count in (1, 2)]


def test_a_storm_of_reloads_is_one(signals: Signals) -> None:
    for _ in range(100):
        send(signal.SIGHUP)
    assert signals.next(10.0) == (signal.SIGHUP, 1)
    assert signals.next(0.0) is None
    send(signal.SIGHUP)
    came = signals.next(10.0)
    assert came is not None
    assert came[0] == signal.SIGHUP


def test_none_when_nothing_comes(signals: Signals) -> None:
    assert signals.next(0.0) is None


def test_a_signal_that_another_thread_gets_wakes_the_main_one(signals: Signals) -> None:
    """The kernel may choose any thread; a lock or a queue would go on waiting."""

    def hit_myself() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    timer = threading.Timer(0.05, hit_myself)
    timer.start()
    assert signals.next(10.0) == (signal.SIGTERM, 1)
    timer.join()


def test_a_storm_of_all_kinds_leaves_a_few_values_and_no_more(signals: Signals, left: Left) -> None:
    for _ in range(1000):
        send(signal.SIGHUP)
        send(signal.SIGUSR1)
    send(signal.SIGTERM)
    assert [signals.next(10.0) for _ in range(3)] == [(signal.SIGHUP, 1), (signal.SIGUSR1, 1), (signal.SIGTERM, 1)]
    assert signals.next(0.0) is None
    assert left.codes == []


def test_a_signal_may_come_in_the_middle_of_another_ones_handler(signals: Signals) -> None:
    class Interrupting(int):
        def __eq__(self, other: object) -> bool:
            send(signal.SIGTERM)
            return False

        __hash__ = int.__hash__

    signals._came_in.append((Interrupting(signal.SIGHUP), 1))  # type: ignore[arg-type]
    send(signal.SIGHUP)
    assert signals.next(0) is not None
    assert [signals.next(0), signals.next(0)] == [(signal.SIGTERM, 1), (signal.SIGHUP, 1)]


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_ends_a_block_in_which_nothing_is_held_at_once(signals: Signals, number: signal.Signals) -> None:
    reached: list[str] = []

    def start() -> None:
        with signals.ending_at_once():
            send(number)
            reached.append("the next line")

    with pytest.raises(StopCame):
        start()
    assert reached == []
    assert signals.stop_came
    assert signals.next(0.0) == (number, 1)


def test_a_stop_that_came_before_such_a_block_keeps_it_from_beginning(signals: Signals) -> None:
    send(signal.SIGTERM)
    signals.next(10.0)
    with pytest.raises(StopCame), signals.ending_at_once():
        raise AssertionError("it began")


def test_a_second_stop_does_not_disturb_what_the_first_has_set_off(signals: Signals) -> None:
    """Such as the end of a command that was under way."""
    done: list[str] = []

    def start() -> None:
        with signals.ending_at_once():
            try:
                send(signal.SIGTERM)
            finally:
                send(signal.SIGTERM)
                done.append("ended")

    with pytest.raises(StopCame):
        start()
    assert done == ["ended"]


def test_other_signals_and_stops_after_the_block_raise_nothing(signals: Signals) -> None:
    with signals.ending_at_once():
        send(signal.SIGHUP)
        send(signal.SIGUSR1)
    assert not signals.stop_came
    send(signal.SIGINT)
    assert [signals.next(10.0) for _ in range(3)] == [(signal.SIGHUP, 1), (signal.SIGUSR1, 1), (signal.SIGINT, 1)]


def test_what_a_parent_has_blocked_is_let_in(signals: Signals) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        signal.raise_signal(signal.SIGTERM)  # to this thread: others of the test run would take it
        assert signals.next(0.0) is None
        signals.install()
        assert signals.next(10.0) == (signal.SIGTERM, 1)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
