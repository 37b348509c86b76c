"""Signs of life: what each actor is doing, how old the polls are, what has gone wrong.

Written by the actors, read by the watchdog, the last words, the health check and the status, each from its own thread.
Nothing here waits: values are frozen and replaced whole, and the one lock is held for an addition only.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from arvnodeman.fleet.messages import Poll
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.inbox import Inbox
from arvnodeman.supervision.past import Past


@dataclass(frozen=True, slots=True)
class PollAge:
    """One poller's past. Moments are of the monotonic clock."""

    began: float  # when the poller was started
    longest_wait: float  # seconds between two attempts, at most
    attempt_ended: float | None = None  # the end of the last attempt, good or bad
    succeeded: float | None = None  # the end of the last good one
    error: str = ""  # of the last attempt; '' after a good one
    items: int = 0  # of the last good one
    took: float = 0.0  # seconds of the last attempt
    good: tuple[float, ...] = ()  # ... of the last two good ones
    errors: int = 0  # attempts that ended badly, since the start

    @property
    def usual(self) -> float:
        """Seconds that a good attempt takes: the quicker of the last two."""
        return min(self.good, default=0.0)

    def since_attempt(self, monotonic: float) -> float:
        """Seconds since an attempt ended, or since the start when none has."""
        return monotonic - (self.began if self.attempt_ended is None else self.attempt_ended)

    def since_success(self, monotonic: float) -> float:
        """Seconds since an attempt succeeded, or since the start when none has."""
        return monotonic - (self.began if self.succeeded is None else self.succeeded)


class PollAges:
    """The three pollers' pasts. Each poller writes its own; any thread may read."""

    def __init__(self) -> None:
        self._ages: dict[Poll, PollAge] = {}

    def began(self, poll: Poll, moment: float, longest_wait: float) -> None:
        """The poller starts, or has been given other intervals."""
        old = self._ages.get(poll)
        self._ages[poll] = replace(old, longest_wait=longest_wait) if old else PollAge(moment, longest_wait)

    def succeeded(self, poll: Poll, moment: float, items: int, took: float = 0.0) -> None:
        """An attempt ended well."""
        old = self._ages[poll]
        good = (*old.good[-1:], took)
        self._ages[poll] = replace(
            old, attempt_ended=moment, succeeded=moment, error="", items=items, took=took, good=good
        )

    def failed(self, poll: Poll, moment: float, error: str, took: float = 0.0) -> None:
        """An attempt ended badly."""
        old = self._ages[poll]
        self._ages[poll] = replace(old, attempt_ended=moment, error=error, took=took, errors=old.errors + 1)

    def all(self) -> Mapping[Poll, PollAge]:
        """The pasts of those pollers that have begun, as they are now."""
        return dict(self._ages)

    @property
    def first_round_over(self) -> bool:
        """Every poller has finished an attempt, well or badly."""
        ages = self.all()
        return len(ages) == len(Poll) and all(age.attempt_ended is not None for age in ages.values())


@dataclass(frozen=True, slots=True)
class Doing:
    """What an actor is doing, since when (monotonic). '' for waiting for a message."""

    message: str = ""
    since: float = 0.0
    arrived: float | None = None  # when the message had come in


class Activity:
    """One actor's present. Only its own thread writes it."""

    def __init__(self, actor: str, clock: Clock, inbox: Inbox | None = None) -> None:
        self.actor = actor
        self._monotonic = clock.monotonic
        self._inbox = inbox
        self.doing = Doing(since=self._monotonic())

    def begins(self, message: str) -> None:
        """The actor takes up a message."""
        self.doing = Doing(message, self._monotonic(), None if self._inbox is None else self._inbox.taken_arrived)

    def ends(self) -> None:
        """The actor waits for the next message."""
        self.doing = Doing(since=self._monotonic())

    @property
    def waiting(self) -> int:
        """Messages that the actor has not taken up yet."""
        return 0 if self._inbox is None else self._inbox.waiting

    def oldest_message(self, monotonic: float) -> float | None:
        """The age in seconds of the oldest message that the actor is not done with; None: there is none."""
        arrived = self.doing.arrived
        if arrived is None and self._inbox is not None:
            arrived = self._inbox.first_arrived
        return None if arrived is None else monotonic - arrived

    def words(self, monotonic: float) -> str:
        """What the actor is doing, in words."""
        doing = self.doing
        told = f"{doing.message or 'waiting'} for {monotonic - doing.since:.3f} s"
        oldest = self.oldest_message(monotonic)
        if oldest is not None:
            told += f", its oldest message is {oldest:.3f} s old"
        return told + (f", {self.waiting} more wait" if self.waiting else "")


@dataclass(frozen=True, slots=True)
class RefusedReload:
    """A configuration that was read again and refused: the one before is still in force."""

    at: float  # seconds since the epoch
    problems: tuple[str, ...]  # lines for people, as in the log


@dataclass(slots=True)
class Vitals:
    """All signs of life of this process."""

    clock: Clock = field(default_factory=Clock)
    polls: PollAges = field(default_factory=PollAges)
    stopping: threading.Event = field(default_factory=threading.Event)  # an orderly stop is under way
    stopped: threading.Event = field(default_factory=threading.Event)  # after StopAsked: nothing is under way any more
    good_round: float | None = None  # monotonic end of the watchdog's last good round
    rounds: int = 0  # good ones
    slowest_ping: float = 0.0  # seconds, of the last round
    began: float = 0.0  # monotonic
    began_at: float = 0.0  # seconds since the epoch
    past: Past = field(default_factory=Past)  # how earlier runs ended
    refused_reload: RefusedReload | None = None  # the newest reload, where it was refused
    remarks: dict[str, str] = field(default_factory=dict)  # what the operator should know, by subject
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: Counter[str] = field(default_factory=Counter)
    _activities: dict[str, Activity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.clock.monotonic()
        self.began_at = self.clock.now()

    def count(self, name: str) -> None:
        """Add one to a counter, such as actor_exceptions."""
        with self._lock:
            self._counts[name] += 1

    def counted(self, name: str) -> int:
        """The counter's value; 0 when nothing was counted."""
        return self._counts[name]

    def enter(self, actor: str, inbox: Inbox | None = None) -> Activity:
        """A new actor's activity, kept until `leave`."""
        activity = Activity(actor, self.clock, inbox)
        self._activities[actor] = activity
        return activity

    def leave(self, actor: str) -> None:
        """The actor has stopped."""
        self._activities.pop(actor, None)

    def activity(self, actor: str) -> Activity | None:
        """One living actor's."""
        return self._activities.get(actor)

    def activities(self) -> tuple[Activity, ...]:
        """What each living actor is doing."""
        return tuple(self._activities.values())
