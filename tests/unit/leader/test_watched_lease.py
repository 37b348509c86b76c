"""How long a lease has looked the same, and a bound on what hangs."""

from __future__ import annotations

import threading

import pytest

from arvnodeman.leader.watched import Watched
from arvnodeman.leader.within import TookTooLong, Worker


def test_only_the_time_between_two_looks_counts() -> None:
    watched = Watched()
    assert watched.unchanged((1, 1), began=0.0, ended=5.0) == 0.0
    assert watched.unchanged((1, 1), began=7.0, ended=8.0) == 2.0
    assert watched.unchanged((1, 1), began=12.0, ended=13.0) == 7.0
    assert watched.unchanged((1, 2), began=14.0, ended=15.0) == 0.0
    assert watched.unchanged((1, 2), began=16.0, ended=17.0) == 1.0
    watched.forget()
    assert watched.unchanged((1, 2), began=18.0, ended=19.0) == 0.0


def test_nothing_to_see_is_something_that_may_last() -> None:
    watched = Watched()
    assert watched.unchanged(None, 0.0, 1.0) == 0.0
    assert watched.unchanged(None, 4.0, 5.0) == 3.0


def test_a_call_that_hangs_is_given_up_and_so_is_what_waits_behind_it() -> None:
    goes_on = threading.Event()
    made: list[str] = []
    worker = Worker("test")
    with pytest.raises(TookTooLong):
        worker.call(goes_on.wait, 0.05)
    with pytest.raises(TookTooLong):
        worker.call(lambda: made.append("late"), 0.05)
    goes_on.set()
    assert worker.call(lambda: "answer", 30.0) == "answer"
    assert made == []
    worker.end()


def test_an_error_is_raised_where_the_answer_is_waited_for() -> None:
    worker = Worker("test")

    def fail() -> None:
        raise ValueError("so")

    with pytest.raises(ValueError, match="so"):
        worker.call(fail, 30.0)
    worker.end()
