"""The pollers: when they poll, what they tell, what they log."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
from actor_doubles import BOUND, CollectingActor, End, HandClock, running, wait_for

from arvnodeman.actors.base import Ping, Ref
from arvnodeman.actors.pollers import (
    ArvadosNodeListMonitorActor,
    BringForward,
    CloudNodeListMonitorActor,
    JobQueueMonitorActor,
    PollDue,
    PollingActor,
    Retime,
)
from arvnodeman.actors.timer import Timer
from arvnodeman.fleet.messages import CloudListed, Poll, PollFailed, QueueListed, RecordsListed, Step
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, RemoteError, RemoteFailure, SchedulerFailure
from arvnodeman.loop.polling import PollTimes
from arvnodeman.loop.world import Answer, Listed

TIMES = PollTimes(interval=10.0, max_wait=60.0)
NODE = CloudNode(id="i-1", name="n", report_id="i-1")


class PlannedTimer:
    """A timer that keeps what was armed and delivers nothing."""

    def __init__(self) -> None:
        self.planned: list[float] = []

    def at(self, moment: float, receiver: Ref, message: PollDue) -> None:
        assert message == PollDue(moment)
        self.planned.append(moment)


class Site:
    """One poller, driven by hand: each attempt takes `takes` seconds and ends as `answers` says."""

    def __init__(self, poller: type[PollingActor] = CloudNodeListMonitorActor, times: PollTimes = TIMES) -> None:
        self.hand = HandClock()
        self.end = End(self.hand.clock)
        self.timer = PlannedTimer()
        self.told: list[Any] = []
        self.answers: list[Listed | BaseException] = []
        self.takes = 1.0
        self.attempts = 0
        self._poller = poller
        self._times = times
        self.ref: Ref

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        raise AssertionError(f"a poller does nothing: {steps}")

    def list(self, poll: Poll) -> Listed:
        assert poll is self._poller.poll
        self.attempts += 1
        self.hand.time += self.takes
        answer = self.answers.pop(0) if self.answers else CloudListed((NODE,), self.hand.time)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @contextmanager
    def open(self) -> Iterator[Site]:
        daemon = CollectingActor.start(self.told)
        timer = cast("Timer", self.timer)
        with running(
            self._poller, self.end.supervision, world=self, daemon=daemon, timer=timer, times=self._times
        ) as ref:
            self.ref = ref
            wait_for(lambda: self.timer.planned)
            yield self
        daemon.stop()

    def send(self, message: object) -> None:
        """Tell the poller, and wait until it has dealt with it."""
        self.ref.tell(message)
        self.ref.ask(Ping(), timeout=BOUND)

    def due(self) -> float:
        """Let the planned moment come. Returns when the next attempt is planned for."""
        planned = self.timer.planned[-1]
        self.hand.time = max(self.hand.time, planned)
        self.send(PollDue(planned))
        return self.timer.planned[-1]


def failure(text: str = "no route", retry_after: float | None = None) -> RemoteFailure:
    return RemoteFailure(RemoteError(ErrorKind.TRANSIENT, text, retry_after))


def test_the_first_attempt_is_at_once_and_the_event_is_told() -> None:
    with Site().open() as site:
        start = site.hand.time
        assert site.timer.planned == [start]
        site.due()
        wait_for(lambda: site.told == [CloudListed((NODE,), start + 1.0)])


def test_the_next_poll_is_planned_start_plus_interval_without_drift() -> None:
    """Row A2."""
    with Site().open() as site:
        start = site.hand.time
        assert [site.due() for _ in range(3)] == [start + 10, start + 20, start + 30]


def test_a_clock_that_is_set_back_or_forth_moves_no_poll() -> None:
    with Site().open() as site:
        start = site.hand.time
        for number, change in enumerate((-86_400.0, 1e6, -1e6), 1):
            site.hand.epoch_offset += change
            assert site.due() == start + 10 * number


def test_a_poll_slower_than_its_interval_goes_on_from_its_end() -> None:
    """Row A2."""
    with Site().open() as site:
        start = site.hand.time
        site.takes = 12.0
        assert site.due() == start + 12 + 10


def test_failures_double_the_wait_up_to_the_limit_and_a_success_resets_it() -> None:
    """Rows A1, A2."""
    with Site().open() as site:
        site.answers = [failure() for _ in range(5)]
        waits = []
        for _ in range(6):
            begin = max(site.hand.time, site.timer.planned[-1])
            waits.append(site.due() - begin)
        assert waits == [20, 40, 60, 60, 60, 10]


def test_an_interval_above_the_limit_is_not_shortened_by_failures() -> None:
    with Site(times=PollTimes(interval=100.0, max_wait=60.0)).open() as site:
        site.answers = [failure()]
        start = site.hand.time
        assert site.due() == start + 100


def test_fractions_of_seconds() -> None:
    """Row A15."""
    with Site(times=PollTimes(interval=0.5, max_wait=0.75)).open() as site:
        site.takes = 0.0
        site.answers = [failure()]
        start = site.hand.time
        assert site.due() == start + 0.75
        assert site.due() == start + 1.25


@pytest.mark.parametrize(("asked", "waited"), [(5.0, 20.0), (45.0, 45.0), (9999.0, 60.0)])
def test_retry_after_is_honoured_and_clamped(asked: float, waited: float) -> None:
    """Rows A11, A12."""
    with Site().open() as site:
        site.answers = [failure(retry_after=asked)]
        start = site.hand.time
        assert site.due() == start + waited


def test_an_expected_error_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Rows A1, N12."""
    with caplog.at_level(logging.DEBUG), Site().open() as site:
        site.answers = [failure("HTTP 503")]
        site.due()
        wait_for(lambda: site.told)
    (record,) = [record for record in caplog.records if "got error" in record.getMessage()]
    assert record.getMessage() == "got error: HTTP 503 - will try again in 19.0 seconds"
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert record.name.startswith("CloudNodeListMonitorActor.")
    assert site.told == [PollFailed(Poll.CLOUD, failure("HTTP 503").error)]


def test_an_unexpected_error_is_a_traceback_and_polling_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Row A1."""
    with caplog.at_level(logging.DEBUG), Site().open() as site:
        site.answers = [KeyError("state")]
        site.due()
        site.due()
        wait_for(lambda: len(site.told) == 2)
    (record,) = [record for record in caplog.records if "got error" in record.getMessage()]
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert site.told[0].error.kind is ErrorKind.UNEXPECTED
    assert isinstance(site.told[1], CloudListed)
    assert site.end.vitals.counted("actor_exceptions") == 0


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, "x"), RuntimeError("can't start new thread")])
def test_a_fatal_error_is_told_apart_before_the_catch_all(error: Exception) -> None:
    """Row L1 and the traps of Python 3."""
    with Site().open() as site:
        site.answers = [error]
        site.ref.tell(PollDue(site.timer.planned[-1]))
        assert site.end.killed.wait(BOUND)
    assert site.told == []


def test_what_a_good_poll_logs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), Site().open() as site:
        site.due()
    texts = [(record.levelno, record.getMessage()) for record in caplog.records if record.name != "pykka"]
    assert texts[0] == (logging.DEBUG, "sending request")
    assert texts[1][0] == logging.INFO
    assert texts[1][1].startswith("got response with 1 items in 1.0 seconds, next poll at 19")


def test_bring_forward_moves_the_next_attempt_to_now() -> None:
    with Site().open() as site:
        site.due()
        site.hand.time += 3.0
        now = site.hand.time
        site.send(BringForward(now))
        assert site.timer.planned[-1] == now
        assert site.due() == now + 10.0


def test_a_source_that_fails_is_left_alone_until_its_wait_is_over() -> None:
    """It may have said how long (Retry-After), and the log has said when the next attempt comes."""
    with Site().open() as site:
        site.answers = [failure()]
        planned = site.due()
        site.hand.time += 1.0
        site.send(BringForward(site.hand.time))
        assert site.timer.planned[-1] == planned
        site.due()  # succeeds
        now = site.hand.time
        site.send(BringForward(now))
        assert site.timer.planned[-1] == now


@pytest.mark.parametrize("slurm", [True, False])
def test_a_wake_ends_the_wait_after_a_failure_of_slurms(*, slurm: bool) -> None:
    """slurmctld was away for a moment, and pokes again: jobs that it has placed meanwhile do not wait for minutes."""
    failed = SchedulerFailure(RemoteError(ErrorKind.TRANSIENT, "timed out")) if slurm else failure()
    with Site().open() as site:
        site.answers = [failed]
        planned = site.due()
        site.hand.time += 1.0
        site.send(BringForward(site.hand.time, wake=True))
        assert site.timer.planned[-1] == (site.hand.time if slurm else planned)


def test_an_attempt_that_was_moved_does_not_happen_twice() -> None:
    with Site().open() as site:
        site.due()
        moved = site.timer.planned[-1]
        site.hand.time += 3.0
        site.send(BringForward(site.hand.time))
        site.due()
        site.hand.time = moved
        site.send(PollDue(moved))
        assert site.attempts == 2


def test_a_wish_older_than_the_last_attempt_is_fulfilled_already() -> None:
    """PollNow sent while the poller was waiting for its answer's start."""
    with Site().open() as site:
        asked_at = site.hand.time - 1.0
        planned = site.due()
        site.send(BringForward(asked_at))
        assert site.timer.planned[-1] == planned


def test_a_wish_from_during_an_attempt_brings_another() -> None:
    """Its answer may have been under way before what was asked for happened."""
    with Site().open() as site:
        site.due()
        during = site.hand.time - 0.5
        site.send(BringForward(during))
        assert site.timer.planned[-1] == during


def test_other_intervals_after_a_reload() -> None:
    with Site().open() as site:
        site.due()
        now = site.hand.time
        site.send(Retime(PollTimes(2.0, 8.0)))
        assert site.timer.planned[-1] == now + 2.0
        assert site.end.vitals.polls.all()[Poll.CLOUD].longest_wait == 8.0


def test_ages_tell_the_ends_of_attempts_and_successes() -> None:
    with Site().open() as site:
        ages = site.end.vitals.polls
        began = site.hand.time
        site.hand.time += 5.0
        assert ages.all()[Poll.CLOUD].since_attempt(site.hand.time) == 5.0
        site.due()
        site.answers = [failure("gone")]
        site.due()
        age = ages.all()[Poll.CLOUD]
        assert age.succeeded == began + 6.0
        assert age.attempt_ended == site.hand.time
        assert age.error == "gone"


def test_each_poller_knows_its_list_and_counts_its_items(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[tuple[type[PollingActor], Listed]] = [
        (ArvadosNodeListMonitorActor, RecordsListed((), {}, 1.0)),
        (JobQueueMonitorActor, QueueListed((), 1.0)),
    ]
    for poller, listed in answers:
        with caplog.at_level(logging.INFO), Site(poller).open() as site:
            site.answers = [listed, SchedulerFailure(RemoteError(ErrorKind.TRANSIENT, "squeue is not installed"))]
            site.due()
            site.due()
            wait_for(lambda site=site: len(site.told) == 2)  # type: ignore[misc]
        assert site.told[0] == listed
        assert site.told[1].poll is poller.poll
        assert site.told[1].slurm is True
    assert "got response with 0 items" in caplog.text


def test_a_dead_daemon_actor_does_not_take_the_poller_along() -> None:
    with Site().open() as site:
        daemon = CollectingActor.start([])
        daemon.stop()
        with running(
            CloudNodeListMonitorActor,
            site.end.supervision,
            world=site,
            daemon=daemon,
            timer=cast("Timer", site.timer),
            times=TIMES,
        ) as ref:
            wait_for(lambda: len(site.timer.planned) == 2)
            ref.tell(PollDue(site.timer.planned[-1]))
            assert ref.ask(Ping(), timeout=BOUND) is True
