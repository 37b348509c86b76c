"""The daemon actor: tells the brain what happens, and carries out what it says. It never waits for anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, Supervision, tell
from arvnodeman.actors.log import log_as
from arvnodeman.actors.operators import OperatorDied, OperatorPool, StepEnded
from arvnodeman.actors.pollers import BringForward
from arvnodeman.actors.timer import Timer
from arvnodeman.fleet.brain import Brain
from arvnodeman.fleet.messages import Decided, Event, Note, Poll, PollNow, Step, StepDone, StopAsked, Tick
from arvnodeman.fleet.view.published import Cycles, Published
from arvnodeman.loop.loop import Loop


@dataclass(frozen=True, slots=True)
class PollersStarted:
    """From the launcher: whom a PollNow goes to."""

    pollers: Mapping[Poll, Ref]


@dataclass(frozen=True, slots=True)
class WouldDo:
    """From a dry run's operators: what would have been done, for the list of decisions."""

    subject: str
    words: str


class NodeManagerDaemonActor(BaseNodeManagerActor):
    """Holds the Fleet. The operators and pollers are told, never asked."""

    critical = True

    def __init__(
        self, supervision: Supervision, *, brain: Brain, timer: Timer, operators: OperatorPool, published: Published
    ) -> None:
        """`operators` is opened, and from then on used, in this actor's thread."""
        super().__init__(supervision)
        self._clock = self._vitals.clock
        self._brain = brain
        self._timer = timer
        self._operators = operators
        self._published = published
        self._pollers: Mapping[Poll, Ref] = {}
        self._loop = Loop(
            brain, write=self._write, poll_now=self._poll_now, wall=self._clock.now, steady=self._clock.monotonic
        )
        self._stopping = False

    def begin(self) -> None:
        """Start the operators."""
        self._operators.open(self.actor_ref)
        self._logger.debug("Daemon started")

    def describe(self, message: object) -> str:
        """An operator's outcome with its step."""
        if isinstance(message, StepEnded):
            return f"{type(message.outcome).__name__} of {type(message.outcome.step).__name__}"
        return super().describe(message)

    def receive(self, message: object) -> None:
        """Events go to the brain; what comes from the operators goes to their pool, too."""
        match message:
            case StepEnded(number, first, alike):
                for outcome in (first, *alike):
                    result = "ok" if isinstance(outcome, StepDone) else outcome.error.kind.value
                    self._published.steps[type(outcome.step).__name__, result] += 1
                self._think(first, *alike, freed=number)
            case OperatorDied():
                self._vitals.count("operators_replaced")
                self._logger.error("Operator %d died (%s) and is replaced", message.operator, message.text)
                self._think(*self._operators.replace(message))
            case PollersStarted(pollers):
                self._pollers = pollers
            case WouldDo(subject, words):
                self._published.decisions.add(self._clock.now(), Decided.WOULD, subject, "would %s", (words,))
            case _ if isinstance(message, get_args(Event)):
                self._think(cast("Event", message))
            case _:
                super().receive(message)

    def _think(self, *events: Event, freed: int | None = None) -> None:
        """What follows from events that came together is handed out together: it may be one command for many nodes.
        `freed`: the operator that has ended its steps. What follows goes before what waited for it.

        The brain promises not to raise. When it does, what it knows is in doubt: this actor ends, the process with it,
        and the next run reads everything anew."""
        steps: list[Step] = []
        for event in events:
            began = self._clock.monotonic()
            self._stopping = self._stopping or isinstance(event, StopAsked)
            steps += self._loop.tell(event)
            self._publish(type(event).__name__, began)
        if freed is None:
            self._operators.submit(*steps)
        else:
            self._operators.freed(freed, *steps)
        self._published.queued = self._operators.waiting
        wakeup = self._loop.arm()
        if wakeup is not None:
            self._timer.at(wakeup, self.actor_ref, Tick())
        if self._stopping and self._operators.is_idle() and not self._brain.boots_at_the_cloud:
            self._vitals.stopped.set()

    def _publish(self, event: str, began: float) -> None:
        published, view = self._published, self._brain.view  # which may be made now
        now = self._clock.monotonic()
        if published.view is not view:
            published.view, published.at = view, now
        published.cycles[event] = published.cycles.get(event, Cycles()).plus(now - began)

    def _write(self, note: Note) -> None:
        log_as(note.logger or self.name, note.level, note.text, *note.args)
        if note.kind is not None:
            self._published.decisions.add(self._clock.now(), note.kind, note.subject, note.text, note.args)

    def _poll_now(self, command: PollNow) -> None:
        asked_at = self._clock.monotonic()
        for poll in command.polls:
            if poll in self._pollers:
                tell(self._pollers[poll], BringForward(asked_at))
