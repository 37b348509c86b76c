"""What has the daemon look at Slurm before its time: somebody pokes, or jobs were submitted.

Neither tells what is new: a poll that is brought forward does. So a poke that is lost, or one too many, costs at most
one poll.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, Supervision, tell
from arvnodeman.actors.pollers import BringForward
from arvnodeman.actors.timer import Timer
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.model import SchedulerFailure
from arvnodeman.loop.polling import PollPlan, PollTimes
from arvnodeman.slurm.poke import PokeFile
from arvnodeman.supervision.ending import is_fatal
from arvnodeman.supervision.vitals import PollAge

LISTEN_EVERY = 0.25  # seconds between two looks at the poke file
SHORTEST = 1.0  # seconds between two wakes: what comes meanwhile is one wake
SHARE = 5.0  # a poll is woken no sooner than so many times what it takes
LONGEST = 60.0  # seconds between two looks at the queue while they fail


@dataclass(frozen=True, slots=True)
class ListenDue:
    """From the timer: has somebody poked?"""


@dataclass(frozen=True, slots=True)
class CheckDue:
    """From the timer: the moment (monotonic) for which a look at the queue was planned has come."""

    planned: float


@dataclass(frozen=True, slots=True)
class WakeDue:
    """From the timer: bring the polls forward."""


@dataclass(frozen=True, slots=True)
class CheckEvery:
    """The configuration was read anew: seconds between two looks at the queue, 0 for none."""

    interval: float


class WakeActor(BaseNodeManagerActor):
    """Has a thread of its own, so that a command that hangs holds up no poller, and is watched as they are."""

    critical = True

    def __init__(
        self,
        supervision: Supervision,
        *,
        poke_file: PokeFile | None,
        submitted: Callable[[], str] | None,
        interval: float,
        pollers: Mapping[Poll, Ref],
        timer: Timer,
        poked: Callable[[], None] = lambda: None,
    ) -> None:
        """`submitted`: gives another text once jobs were submitted, and is called every `interval` seconds. `pollers`:
        those that are woken. `poked`: is called with them where somebody has poked, and does not wait."""
        super().__init__(supervision)
        self._monotonic = self._vitals.clock.monotonic
        self._poke_file = poke_file
        self._submitted = submitted
        self._pollers = pollers
        self._timer = timer
        self._tell_poked = poked
        self._poked = False  # since the last wake
        self._plan = PollPlan(PollTimes(interval, max(interval, LONGEST)), 0.0)
        self._last = ""  # what the last look gave
        self._blind = False  # it failed
        self._woken = float("-inf")
        self._due = False  # a wake is

    def begin(self) -> None:
        """What is so now is not news."""
        if self._poke_file is not None:
            self._poke_file.poked()
            self._listen_later()
        self._plan.planned = self._monotonic()
        self._check_later()

    def receive(self, message: object) -> None:
        """Listen, look, or wake."""
        match message:
            case ListenDue() if self._poke_file is not None:
                if self._poke_file.poked():
                    self._poked = True
                    self._want("pokes")
                self._listen_later()
            case CheckDue(planned):
                if planned == self._plan.planned:
                    self._check()
            case WakeDue():
                self._wake()
            case CheckEvery(interval):
                self._plan.retime(PollTimes(interval, max(interval, LONGEST)), self._monotonic())
                self._check_later()
            case _:
                super().receive(message)

    def _listen_later(self) -> None:
        self._timer.at(self._monotonic() + LISTEN_EVERY, self.actor_ref, ListenDue())

    def _check_later(self) -> None:
        if self._submitted is not None and self._plan.times.interval:
            self._timer.at(self._plan.planned, self.actor_ref, CheckDue(self._plan.planned))

    def _check(self) -> None:
        assert self._submitted is not None
        self._plan.started = self._monotonic()
        try:
            seen = self._submitted()
        except SchedulerFailure as failure:
            self._failed_check(failure.error.text)
        except Exception as error:
            if is_fatal(error):
                raise
            self._failed_check(f"{type(error).__name__}: {error}", error)
        else:
            self._plan.succeeded(self._monotonic())
            if self._blind or (self._last and seen != self._last):
                self._want("arrivals")
            self._last, self._blind = seen, False
        self._check_later()

    def _failed_check(self, text: str, error: Exception | None = None) -> None:
        """One line for a row of them."""
        self._plan.failed(self._monotonic(), None)
        if not self._blind:
            level = logging.WARNING if error is None else logging.ERROR
            self._logger.log(level, "cannot see whether jobs come between two polls: %s", text, exc_info=error)
        self._blind = True

    def _want(self, cause: str) -> None:
        """Wake, at once or as soon as it is time again; what comes until then is the same wake."""
        self._vitals.count(cause)
        if not self._due:
            self._due = True
            self._timer.at(max(self._monotonic(), self._woken + self._rest()), self.actor_ref, WakeDue())

    def _rest(self) -> float:
        """Seconds between two wakes."""
        ages = self._vitals.polls.all()
        return max([SHORTEST, *(_rest_after(ages[poll]) for poll in self._pollers if poll in ages)])

    def _wake(self) -> None:
        self._due, self._woken = False, self._monotonic()
        self._vitals.count("wakes")
        self._logger.debug("polling now: %s", ", ".join(poll.value for poll in self._pollers))
        for poller in self._pollers.values():
            tell(poller, BringForward(self._woken, wake=True))
        if self._poked:
            self._poked = False
            self._tell_poked()


def _rest_after(age: PollAge) -> float:
    """Seconds for one poll. One that Slurm was once slow to answer is not dear; one that failed tells of no cost."""
    return max(SHARE * age.usual, age.took if age.error else 0.0)
