"""What brings polls forward from outside: pokes, and jobs that were submitted."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from actor_doubles import BOUND, CollectingActor, End, HandClock, running, wait_for

from arvnodeman.actors.base import Ping, Ref
from arvnodeman.actors.pollers import BringForward
from arvnodeman.actors.timer import Timer
from arvnodeman.actors.wakes import (
    LISTEN_EVERY,
    LONGEST,
    SHARE,
    SHORTEST,
    CheckDue,
    CheckEvery,
    ListenDue,
    WakeActor,
    WakeDue,
)
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, SchedulerFailure
from arvnodeman.slurm.poke import PokeFile

EVERY = 5.0
AWAY = SchedulerFailure(RemoteError(ErrorKind.TRANSIENT, "sdiag: slurmctld does not answer"))


class PlannedTimer:
    """Keeps what is armed, the newest of each type, and delivers nothing by itself."""

    def __init__(self) -> None:
        self.planned: dict[type, tuple[float, object]] = {}

    def at(self, moment: float, receiver: Ref, message: object) -> None:
        self.planned[type(message)] = (moment, message)


class Touched:
    """A poke file that is poked when a test says so."""

    def __init__(self) -> None:
        self.waiting = 0
        self.looks = 0

    def poked(self) -> bool:
        self.looks += 1
        poked, self.waiting = self.waiting > 0, 0
        return poked


class Site:
    """The actor, driven by hand."""

    def __init__(self, interval: float = EVERY, *, poke_file: bool = True, queue: bool = True) -> None:
        self.hand = HandClock()
        self.end = End(self.hand.clock)
        self.timer = PlannedTimer()
        self.file = Touched()
        self.woken: list[BringForward] = []
        self.told_of_pokes: list[float] = []
        self.submitted = "0"
        self.fails: BaseException | None = None
        self.looks = 0
        self._options = (interval, poke_file, queue)
        self.ref: Ref

    def look(self) -> str:
        self.looks += 1
        if self.fails is not None:
            raise self.fails
        return self.submitted

    @contextmanager
    def open(self) -> Iterator[Site]:
        interval, poke_file, queue = self._options
        poller = CollectingActor.start(self.woken)
        with running(
            WakeActor,
            self.end.supervision,
            poke_file=cast("PokeFile", self.file) if poke_file else None,
            submitted=self.look if queue else None,
            interval=interval,
            pollers={Poll.QUEUE: poller},
            timer=cast("Timer", self.timer),
            poked=lambda: self.told_of_pokes.append(self.hand.time),
        ) as ref:
            self.ref, self._poller = ref, poller
            self.settle()
            yield self
        poller.stop()

    def settle(self) -> None:
        self.ref.ask(Ping(), timeout=BOUND)
        self._poller.ask("read", timeout=BOUND)
        self.woken[:] = [each for each in self.woken if isinstance(each, BringForward)]

    def due(self, kind: type) -> float:
        """Let the moment of what is armed come; that moment."""
        moment, message = self.timer.planned.pop(kind)
        self.hand.time = max(self.hand.time, moment)
        self.ref.tell(message)
        self.settle()
        return moment

    def wake_if_due(self) -> bool:
        if WakeDue not in self.timer.planned:
            return False
        self.due(WakeDue)
        return True

    def check_again(self, submitted: str) -> bool:
        """One more look, with this to be seen. Did it wake anybody?"""
        self.submitted = submitted
        self.due(CheckDue)
        return self.wake_if_due()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site().open() as opened:
        yield opened


def test_a_poke_brings_the_poll_forward_at_once(site: Site) -> None:
    began = site.hand.time
    site.file.waiting = 1
    assert site.due(ListenDue) == began + LISTEN_EVERY
    assert site.due(WakeDue) == began + LISTEN_EVERY
    assert site.woken == [BringForward(began + LISTEN_EVERY, wake=True)]
    assert ListenDue in site.timer.planned


def test_what_was_poked_before_the_start_is_no_news(site: Site) -> None:
    assert site.file.looks == 1
    site.due(ListenDue)
    assert not site.wake_if_due()


def test_who_waits_for_pokes_is_told_with_the_polls_and_of_nothing_else(site: Site) -> None:
    site.file.waiting = 3
    site.due(ListenDue)
    assert site.told_of_pokes == []
    assert site.wake_if_due()
    assert len(site.told_of_pokes) == 1
    site.check_again("one more")
    site.hand.time += 5
    site.wake_if_due()
    assert len(site.told_of_pokes) == 1


def test_a_storm_of_pokes_is_one_poll_and_then_one_a_second(site: Site) -> None:
    moments = []
    for _ in range(40):  # ten seconds, a thousand pokes in each of the steps
        site.file.waiting = 1000
        site.due(ListenDue)
        if WakeDue in site.timer.planned and site.timer.planned[WakeDue][0] <= site.hand.time:
            moments.append(site.due(WakeDue))
    assert len(moments) in (10, 11)
    assert min(later - sooner for sooner, later in itertools.pairwise(moments)) >= SHORTEST
    assert len(site.woken) == len(moments)


def test_a_poke_in_the_second_after_a_poll_is_not_lost(site: Site) -> None:
    site.file.waiting = 1
    site.due(ListenDue)
    first = site.due(WakeDue)
    site.file.waiting = 1
    site.due(ListenDue)
    assert site.due(WakeDue) == first + SHORTEST
    assert len(site.woken) == 2


def test_polls_that_take_long_are_woken_less_often(site: Site) -> None:
    """They never take more than a fifth of the time, whatever pokes."""
    polls = site.end.vitals.polls
    polls.began(Poll.QUEUE, site.hand.time, 60.0)
    polls.succeeded(Poll.QUEUE, site.hand.time, 50_000, took=2.0)
    site.file.waiting = 1
    site.due(ListenDue)
    first = site.due(WakeDue)
    site.file.waiting = 1
    site.due(ListenDue)
    assert site.due(WakeDue) == first + SHARE * 2.0


@pytest.mark.parametrize(("took", "rest"), [(0.4, 2.0), (12.0, 10.0)])
def test_one_poll_that_slurm_was_slow_to_answer_does_not_hold_wakes_back(site: Site, took: float, rest: float) -> None:
    polls = site.end.vitals.polls
    polls.began(Poll.QUEUE, site.hand.time, 60.0)
    polls.succeeded(Poll.QUEUE, site.hand.time, 5, took=2.0)
    polls.succeeded(Poll.QUEUE, site.hand.time, 5, took=took)
    assert wait_of_the_next(site) == rest


def test_a_poll_that_failed_holds_wakes_back_for_as_long_as_it_took(site: Site) -> None:
    polls = site.end.vitals.polls
    polls.began(Poll.QUEUE, site.hand.time, 60.0)
    polls.failed(Poll.QUEUE, site.hand.time, "timed out", took=10.0)
    assert wait_of_the_next(site) == 10.0
    polls.succeeded(Poll.QUEUE, site.hand.time, 5, took=0.1)
    assert wait_of_the_next(site) == SHORTEST


def wait_of_the_next(site: Site) -> float:
    """Two pokes: seconds between the wakes."""
    site.hand.time += 100.0
    moments = []
    for _ in range(2):
        site.file.waiting = 1
        site.due(ListenDue)
        moments.append(site.due(WakeDue))
    return moments[1] - moments[0]


def test_jobs_that_were_submitted_bring_the_poll_forward_and_nothing_else_does(site: Site) -> None:
    assert not site.check_again("0")  # the first look is what there was
    assert not site.check_again("0")
    assert site.check_again("1")
    assert not site.check_again("1")
    assert site.check_again("0")  # slurmctld counts anew
    assert len(site.woken) == 2
    assert [site.end.vitals.counted(name) for name in ("arrivals", "pokes", "wakes")] == [2, 0, 2]


def test_looks_come_every_wake_poll(site: Site) -> None:
    first = site.due(CheckDue)
    assert site.due(CheckDue) == first + EVERY
    assert site.due(CheckDue) == first + 2 * EVERY


def test_after_looks_that_failed_something_may_be_new(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.due(CheckDue)
    site.fails = AWAY
    waits = []
    for _ in range(6):
        before = site.hand.time
        waits.append(site.due(CheckDue) - before)
        assert not site.wake_if_due()
    assert waits[:4] == [EVERY, 2 * EVERY, 4 * EVERY, 8 * EVERY]
    assert max(waits) == LONGEST
    site.fails = None
    assert site.check_again("0")
    assert not site.check_again("0")
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in lines] == [
        "cannot see whether jobs come between two polls: sdiag: slurmctld does not answer"
    ]


def test_an_unforeseen_error_of_a_look_ends_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.fails = ZeroDivisionError("oops")
    site.due(CheckDue)
    site.fails = None
    assert site.check_again("0")
    assert "ZeroDivisionError: oops" in caplog.text
    assert site.end.kills == 0


def test_a_fatal_error_of_a_look_ends_the_process(site: Site) -> None:
    """Row L1."""
    site.fails = MemoryError()
    moment, message = site.timer.planned.pop(CheckDue)
    site.hand.time = moment
    site.ref.tell(message)
    assert site.end.killed.wait(BOUND)


def test_wake_poll_0_never_looks_and_a_reload_changes_that() -> None:
    with Site(0.0).open() as site:
        assert CheckDue not in site.timer.planned
        site.ref.tell(CheckEvery(2.0))
        site.settle()
        first = site.due(CheckDue)
        assert site.due(CheckDue) == first + 2.0
        site.ref.tell(CheckEvery(0.0))
        site.settle()
        site.due(CheckDue)
        assert CheckDue not in site.timer.planned


def test_a_reload_to_shorter_looks_is_in_force_at_once(site: Site) -> None:
    site.due(CheckDue)
    now = site.hand.time
    site.ref.tell(CheckEvery(1.0))
    site.settle()
    assert site.due(CheckDue) == now + 1.0
    assert site.looks == 2


def test_without_a_queue_in_slurm_and_a_poke_file_nothing_is_armed() -> None:
    """Row N5: no command of Slurm is run."""
    with Site(poke_file=False, queue=False).open() as site:
        assert site.timer.planned == {}
        site.ref.tell(CheckEvery(1.0))
        site.settle()
        assert site.timer.planned == {}
        assert (site.looks, site.file.looks) == (0, 0)


def test_a_look_that_hangs_is_seen_by_the_watchdogs_ping_and_holds_up_nobody_else() -> None:
    """Its actor alone does not answer."""
    release = threading.Event()
    site = Site()

    def hang() -> str:
        release.wait(BOUND)
        return "0"

    site.look = hang  # type: ignore[method-assign]
    with site.open():
        _, message = site.timer.planned.pop(CheckDue)
        site.ref.tell(message)
        ping: Any = site.ref.ask(Ping(), block=False)
        activity = site.end.vitals.activity(f"WakeActor.{site.ref.actor_urn.rpartition('-')[2]}")
        assert activity is not None
        wait_for(lambda: activity.doing.message == "CheckDue")
        release.set()
        assert ping.get(timeout=BOUND)
