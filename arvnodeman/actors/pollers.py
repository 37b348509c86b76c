"""The three pollers: each fetches one list on its own period and tells the daemon.

A poller decides nothing. When it polls next, loop/polling.py says.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, Supervision, tell
from arvnodeman.actors.timer import Timer
from arvnodeman.fleet.messages import CloudListed, Poll, PollFailed, QueueListed, RecordsListed
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure, SchedulerFailure
from arvnodeman.loop.polling import PollPlan, PollTimes
from arvnodeman.loop.world import Listed, World
from arvnodeman.supervision.clock import wall_time
from arvnodeman.supervision.ending import is_fatal


@dataclass(frozen=True, slots=True)
class PollDue:
    """From the timer: the moment (monotonic) for which an attempt was planned has come."""

    planned: float


@dataclass(frozen=True, slots=True)
class BringForward:
    """From the daemon: poll now, unless an attempt has begun after `asked_at` (monotonic). `wake`: Slurm was heard."""

    asked_at: float
    wake: bool = False


@dataclass(frozen=True, slots=True)
class Retime:
    """The configuration was read anew: other intervals, from the next attempt on."""

    times: PollTimes


class PollingActor(BaseNodeManagerActor):
    """One poller, in a World of its own."""

    poll: ClassVar[Poll]
    critical = True

    def __init__(self, supervision: Supervision, *, world: World, daemon: Ref, timer: Timer, times: PollTimes) -> None:
        super().__init__(supervision)
        self._clock = self._vitals.clock
        self._ages = self._vitals.polls
        self._world = world
        self._daemon = daemon
        self._timer = timer
        self._plan = PollPlan(times, 0.0)

    def begin(self) -> None:
        """Plan the first attempt for now."""
        now = self._clock.monotonic()
        self._ages.began(self.poll, now, self._plan.times.longest)
        self._plan.planned = now
        self._arm()

    def receive(self, message: object) -> None:
        """Poll, or move the next attempt."""
        match message:
            case PollDue(planned) if planned == self._plan.planned:
                self._attempt()
            case PollDue():
                pass  # moved meanwhile
            case BringForward(asked_at, wake):
                if self._plan.bring_forward(asked_at, wake=wake):
                    self._arm()
            case Retime(times):
                self._retime(times)
            case _:
                super().receive(message)

    def _arm(self) -> None:
        self._timer.at(self._plan.planned, self.actor_ref, PollDue(self._plan.planned))

    def _retime(self, times: PollTimes) -> None:
        now = self._clock.monotonic()
        self._ages.began(self.poll, now, times.longest)
        self._plan.retime(times, now)
        self._arm()

    def _attempt(self) -> None:
        start = self._plan.started = self._clock.monotonic()
        self._logger.debug("sending request")
        try:
            listed = self._world.list(self.poll)
        except RemoteFailure as failure:
            self._failed_attempt(failure.error, start, isinstance(failure, SchedulerFailure))
        except Exception as error:
            if is_fatal(error):
                raise
            remote = RemoteError(ErrorKind.UNEXPECTED, f"{type(error).__name__}: {error}")
            self._failed_attempt(remote, start, slurm=False, error=error)
        else:
            self._good_attempt(listed, start)

    def _good_attempt(self, listed: Listed, start: float) -> None:
        end = self._clock.monotonic()
        self._plan.succeeded(end)
        items = count_items(listed)
        self._ages.succeeded(self.poll, end, items, end - start)
        self._logger.info(
            "got response with %d items in %s seconds, next poll at %s",
            items,
            round(end - start, 3),
            wall_time(self._clock.now() + self._plan.planned - end),
        )
        tell(self._daemon, listed)
        self._arm()

    def _failed_attempt(self, remote: RemoteError, start: float, slurm: bool, error: Exception | None = None) -> None:
        end = self._clock.monotonic()
        self._plan.failed(end, remote.retry_after, wakes=slurm)
        self._ages.failed(self.poll, end, remote.text, end - start)
        self._logger.log(
            logging.ERROR if error else logging.WARNING,
            "got error: %s - will try again in %s seconds",
            remote.text + (f" (look at {remote.hint})" if remote.hint else ""),
            round(self._plan.planned - end, 3),
            exc_info=error,
        )
        tell(self._daemon, PollFailed(self.poll, remote, slurm))
        self._arm()


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
