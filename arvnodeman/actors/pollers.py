"""The three pollers: each fetches one list on its own period and tells the daemon.

A poller decides nothing. What it fetches with is a callable that returns the event, or raises RemoteFailure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, Supervision, tell
from arvnodeman.actors.timer import Timer
from arvnodeman.fleet.messages import CloudListed, Poll, PollFailed, QueueListed, RecordsListed
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure
from arvnodeman.supervision.clock import wall_time
from arvnodeman.supervision.ending import is_fatal

Listed = CloudListed | RecordsListed | QueueListed
Fetch = Callable[[], Listed]


class SlurmFailure(RemoteFailure):
    """It was Slurm that could not be reached, in a poll that asks others, too."""


@dataclass(frozen=True, slots=True)
class PollTimes:
    """Seconds between polls: while all is well, and at most after failures."""

    interval: float
    max_wait: float

    @property
    def longest(self) -> float:
        """No wait is longer than this one."""
        return max(self.interval, self.max_wait)


@dataclass(frozen=True, slots=True)
class PollDue:
    """From the timer: the moment (monotonic) for which an attempt was planned has come."""

    planned: float


@dataclass(frozen=True, slots=True)
class BringForward:
    """From the daemon: poll now, unless an attempt has begun after `asked_at` (monotonic)."""

    asked_at: float


@dataclass(frozen=True, slots=True)
class Retime:
    """The configuration was read anew: other intervals, from the next attempt on."""

    times: PollTimes


class PollingActor(BaseNodeManagerActor):
    """One poller. Success: the next attempt comes at planned start + interval, or at end + interval when that is past.
    Failure: at start + a wait that doubles up to `max_wait`, until the first success (rows A1, A2, A15, A16)."""

    poll: ClassVar[Poll]
    critical = True

    def __init__(self, supervision: Supervision, *, fetch: Fetch, daemon: Ref, timer: Timer, times: PollTimes) -> None:
        super().__init__(supervision)
        self._clock = self._vitals.clock
        self._ages = self._vitals.polls
        self._fetch = fetch
        self._daemon = daemon
        self._timer = timer
        self._times = times
        self._wait = times.interval  # grows with failures
        self._planned = 0.0
        self._last_start = float("-inf")

    def begin(self) -> None:
        """Plan the first attempt for now."""
        now = self._clock.monotonic()
        self._ages.began(self.poll, now, self._times.longest)
        self._plan(now)

    def receive(self, message: object) -> None:
        """Poll, or move the next attempt."""
        match message:
            case PollDue(planned) if planned == self._planned:
                self._attempt()
            case PollDue():
                pass  # moved meanwhile
            case BringForward() if self._wait > self._times.interval:
                pass  # its source fails, and may have said how long it wants to be left alone
            case BringForward(asked_at):
                if asked_at > self._last_start and asked_at < self._planned:
                    self._plan(asked_at)
            case Retime(times):
                self._retime(times)
            case _:
                super().receive(message)

    def _plan(self, moment: float) -> None:
        self._planned = moment
        self._timer.at(moment, self.actor_ref, PollDue(moment))

    def _retime(self, times: PollTimes) -> None:
        self._times = times
        self._wait = times.interval
        now = self._clock.monotonic()
        self._ages.began(self.poll, now, times.longest)
        self._plan(min(self._planned, now + times.interval))

    def _attempt(self) -> None:
        start = self._last_start = self._clock.monotonic()
        self._logger.debug("sending request")
        try:
            listed = self._fetch()
        except RemoteFailure as failure:
            self._failed_attempt(failure.error, start, isinstance(failure, SlurmFailure))
        except Exception as error:
            if is_fatal(error):
                raise
            remote = RemoteError(ErrorKind.UNEXPECTED, f"{type(error).__name__}: {error}")
            self._failed_attempt(remote, start, slurm=False, error=error)
        else:
            self._good_attempt(listed, start)

    def _good_attempt(self, listed: Listed, start: float) -> None:
        self._wait = self._times.interval
        end = self._clock.monotonic()
        following = self._following(self._planned + self._wait, end)
        items = count_items(listed)
        self._ages.succeeded(self.poll, end, items, end - start)
        self._logger.info(
            "got response with %d items in %s seconds, next poll at %s",
            items,
            round(end - start, 3),
            wall_time(self._clock.now() + following - end),
        )
        tell(self._daemon, listed)
        self._plan(following)

    def _failed_attempt(self, remote: RemoteError, start: float, slurm: bool, error: Exception | None = None) -> None:
        self._wait = min(self._wait * 2, self._times.longest)
        if remote.retry_after is not None:
            self._wait = min(max(self._wait, remote.retry_after), self._times.longest)
        end = self._clock.monotonic()
        following = self._following(start + self._wait, end)
        self._ages.failed(self.poll, end, remote.text, end - start)
        self._logger.log(
            logging.ERROR if error else logging.WARNING,
            "got error: %s - will try again in %s seconds",
            remote.text + (f" (look at {remote.hint})" if remote.hint else ""),
            round(following - end, 3),
            exc_info=error,
        )
        tell(self._daemon, PollFailed(self.poll, remote, slurm))
        self._plan(following)

    def _following(self, planned: float, end: float) -> float:
        return planned if planned >= end else end + self._wait


def count_items(listed: Listed) -> int:
    """How many nodes, records or jobs an answer holds."""
    match listed:
        case CloudListed(nodes=nodes):
            return len(nodes)
        case RecordsListed(records=records):
            return len(records)
        case QueueListed(jobs=jobs):
            return len(jobs)


class CloudNodeListMonitorActor(PollingActor):
    """Polls the cloud's node list."""

    poll = Poll.CLOUD


class ArvadosNodeListMonitorActor(PollingActor):
    """Polls the node records, joined with sinfo."""

    poll = Poll.RECORDS


class JobQueueMonitorActor(PollingActor):
    """Polls the waiting jobs."""

    poll = Poll.QUEUE
