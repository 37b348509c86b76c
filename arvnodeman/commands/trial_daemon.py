"""A brain that drives a trial: the daemon's own, in one thread, on a World of one node."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from arvnodeman.commands.trial_world import TrialWorld
from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    CloudListed,
    Command,
    DestroyNode,
    DrainNode,
    Event,
    FinishNode,
    OperatorSaid,
    Poll,
    PollFailed,
    RecordsListed,
    ResumeNode,
    SetNodeDown,
    StepDone,
    StepFailed,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind, Policy, RemoteError, RemoteFailure
from arvnodeman.loop.in_turn import InTurn
from arvnodeman.loop.polling import PollTimes
from arvnodeman.loop.watched import WatchedBrain

PASSES = frozenset({ErrorKind.TRANSIENT, ErrorKind.THROTTLED})
MAY_HAVE_WORKED = PASSES | {ErrorKind.GONE, ErrorKind.UNEXPECTED}  # the brain looks, and goes on
TRIES = 5  # of a request whose failure may pass

Found = TypeVar("Found")


class Failed(Exception):
    """A step has failed; the text says why, on one line."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the trial waits, in seconds, and how."""

    poll_time: float = 2.0  # between two questions
    listed: float = 120.0  # for a change to show in the cloud's list
    created: float = 1800.0  # for the answer to the create request, and the last touches
    built: float = 1800.0  # until the cloud has made the node
    ping: float = 1800.0
    destroyed: float = 600.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


class TrialDaemon:
    """Lives while somebody waits for something. What fails for good, or too often, ends the waiting."""

    def __init__(self, policy: Policy, world: TrialWorld, patience: Patience, wall: Callable[[], float]) -> None:
        self._policy = policy
        self._world = world
        self._patience = patience
        self._wall = wall
        self._failures: Counter[object] = Counter()  # in a row, of a poll or a kind of step
        self._failed: RemoteError | None = None
        self._fleet: Fleet
        self._turns: InTurn
        self._sound = False
        self.begin()

    def begin(self) -> None:
        """A new brain, where the one before was interrupted: what it knew is in the lists."""
        self._failures.clear()
        self._failed = None
        if self._sound:
            return
        self._sound, wait = True, self._patience.poll_time
        self._fleet = Fleet(self._policy, self._wall())
        self._turns = InTurn(
            WatchedBrain(self._fleet, self._told),
            self._world,
            dict.fromkeys(Poll, PollTimes(wait, wait)),
            wall=self._wall,
            steady=self._patience.clock,
            write=lambda _note: None,
        )

    def knows(self, identity: str) -> bool:
        """Is this one of its nodes?"""
        return self._fleet.knows(identity)

    @property
    def rests(self) -> bool:
        """Nothing is under way."""
        return self._fleet.is_at_rest

    def say(self, identity: str, word: Directive) -> None:
        """An operator's word on the node."""
        self._turns.tell(OperatorSaid(identity, word, "cloud-test"))

    def until(self, ask: Callable[[], Found | None], longest: float, otherwise: str) -> Found:
        """Live until there is something. Raises Failed after so many seconds, RemoteFailure when a request fails for
        good."""
        end = self._patience.clock() + longest
        while not (found := ask()):
            if self._failed is not None:
                raise RemoteFailure(self._failed)
            moment, now = self._turns.next(), self._patience.clock()
            if min(moment, now) >= end:
                raise Failed(f"{otherwise} after {longest:g} s")
            if moment > now:
                self._patience.sleep(min(moment, end) - now)
            else:
                self._turn()
        return found

    def _turn(self) -> None:
        self._sound = False
        self._turns.turn()
        self._sound = True

    def _told(self, event: Event, _now: float, _commands: Sequence[Command]) -> None:
        match event:
            case CloudListed():
                del self._failures[Poll.CLOUD]
            case RecordsListed():
                del self._failures[Poll.RECORDS]
            case StepDone(step):
                del self._failures[type(step)]
            case PollFailed(poll, error):
                self._count(poll, error, PASSES)
            case StepFailed(DestroyNode() | FinishNode() as step, error):
                self._count(type(step), error, MAY_HAVE_WORKED)
            case StepFailed(DrainNode() | ResumeNode() | SetNodeDown(), error) if error.kind is ErrorKind.GONE:
                pass  # Slurm does not know the node: no job is there
            case StepFailed(step, error):
                self._count(type(step), error, PASSES)
            case _:
                pass

    def _count(self, what: object, error: RemoteError, passes: frozenset[ErrorKind]) -> None:
        self._failures[what] += 1
        if error.kind not in passes or self._failures[what] >= TRIES:
            self._failed = self._failed or error
