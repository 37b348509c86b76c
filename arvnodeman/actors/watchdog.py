"""The watchdog: pings the critical actors and ends the process when one of them does not answer.

The daemon would rather die than hang: the service manager starts it again, and a restart loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pykka

from arvnodeman.actors.base import BaseNodeManagerActor, Ping, Ref, Supervision, name_of, no_answer
from arvnodeman.supervision.ending import ExitCause, ExitKind
from arvnodeman.supervision.vitals import PollAges

POLL_MARGIN = 60.0  # seconds that an attempt may take beyond twice the poller's longest wait
FIRST_CHECK = 0.005  # seconds after which answers are checked; doubled each time
LONGEST_CHECK = 0.25


@dataclass(frozen=True, slots=True)
class WatchdogTimes:
    """In seconds, as in the configuration file."""

    watchdog: float = 600.0  # in which a ping is to be answered
    interval: float = 20.0  # between rounds
    poll_hopeless_after: float = 6000.0  # 0: never


@dataclass(frozen=True, slots=True)
class Patrol:
    """From the watchdog to itself: begin, and go on until stopped."""


def hopeless_poll(ages: PollAges, monotonic: float, hopeless_after: float) -> tuple[str, str] | None:
    """The first list that is hopelessly stale, and why in words; None while there is hope."""
    for poll, age in ages.all().items():
        limit = 2 * age.longest_wait + POLL_MARGIN
        if age.since_attempt(monotonic) > limit:
            return poll.value, f"has not finished an attempt for {age.since_attempt(monotonic):.0f} seconds"
        if hopeless_after and age.since_success(monotonic) > hopeless_after:
            last = f" (last error: {age.error})" if age.error else ""
            return poll.value, f"has not succeeded for {age.since_success(monotonic):.0f} seconds{last}"
    return None


class WatchdogActor(BaseNodeManagerActor):
    """One loop in one message: a round of pings, then a wait for the stop event, which ends it at once.

    Any exception in the loop ends the process, too (row L7). During an orderly stop nothing is killed (rows L8, N10).
    The death of one of the watched ends the process by itself, at once; the rounds find what hangs.
    """

    critical = True

    def __init__(
        self,
        supervision: Supervision,
        *,
        watched: Sequence[Ref],
        times: WatchdogTimes,
        good_round: Callable[[], None] = lambda: None,
        half_way: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """`good_round` is called after each good round; `half_way` once a round, with a line about actors that have not
        answered for half of the time that they have. Neither may block."""
        super().__init__(supervision)
        self._watched = tuple(watched)
        self._times = times
        self._good_round = good_round
        self._half_way = half_way
        self._stopping = self._vitals.stopping
        self._monotonic = self._vitals.clock.monotonic

    def begin(self) -> None:
        """Start the loop."""
        self.actor_ref.tell(Patrol())

    def receive(self, message: object) -> None:
        """Patrol until the stop."""
        match message:
            case Patrol():
                self._patrol()
            case _:
                super().receive(message)

    def _death(self, error: BaseException) -> ExitCause:
        return ExitCause(ExitKind.WATCHDOG, self.name, "Watchdog exception", error=error)

    def _patrol(self) -> None:
        while not self._stopping.is_set():
            silent = self._round()
            if self._stopping.is_set():
                return
            cause = self._judge(silent)
            if cause is not None:
                self._ending.now(cause, self._stopping.is_set)
                return
            self._vitals.good_round = self._monotonic()
            self._vitals.rounds += 1
            self._good_round()
            self._stopping.wait(self._times.interval)

    def _judge(self, silent: Sequence[Ref]) -> ExitCause | None:
        if silent:
            return ExitCause(ExitKind.WATCHDOG, ", ".join(name_of(ref) for ref in silent), no_answer(silent[0]))
        hopeless = hopeless_poll(self._vitals.polls, self._monotonic(), self._times.poll_hopeless_after)
        if hopeless is not None:
            poll, why = hopeless
            return ExitCause(ExitKind.HOPELESS, poll, f"The poll of the {poll} list {why}, killing Node Manager")
        return None

    def _round(self) -> list[Ref]:
        """Ping all at once. The actors that are dead, or have not answered by the one deadline."""
        began = time.monotonic()  # how long a wait really lasts, whatever clock was injected for the ages
        pings = {ref: ref.ask(Ping(), block=False) for ref in self._watched}
        dead: list[Ref] = []
        wait, told = FIRST_CHECK, False
        while True:
            for ref in list(pings):
                answer = _has_answered(pings[ref])
                if answer is not None:
                    del pings[ref]
                    self._vitals.slowest_ping = time.monotonic() - began
                    if not answer:
                        dead.append(ref)
            waited = time.monotonic() - began
            if dead or not pings or waited >= self._times.watchdog:
                return dead or list(pings)
            if not told and waited >= self._times.watchdog / 2:
                told = True
                self._half_way("; ".join(self._warning(ref, waited) for ref in pings))
            if self._stopping.wait(wait):
                return []
            wait = min(2 * wait, LONGEST_CHECK, max(0.0, self._times.watchdog - waited) + FIRST_CHECK)

    def _warning(self, ref: Ref, waited: float) -> str:
        activity = self._vitals.activity(name_of(ref))
        doing = "" if activity is None else f": {activity.words(self._monotonic())}"
        return f"Actor {ref} has not answered its watchdog ping for {waited:.3g} seconds{doing}"


def _has_answered(ping: pykka.Future[object]) -> bool | None:
    """True: answered. False: the actor is dead. None: not yet."""
    try:
        ping.get(timeout=0)
    except pykka.Timeout:
        return None
    except pykka.ActorDeadError:
        return False
    return True
