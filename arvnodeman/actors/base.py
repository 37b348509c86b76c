"""What all actors have in common: messages as frozen values, the answer to a ping, and what happens when one fails."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

import pykka

from arvnodeman.supervision.ending import Ending, ExitCause, ExitKind, is_fatal
from arvnodeman.supervision.inbox import Inbox
from arvnodeman.supervision.vitals import Vitals

FATAL_TEXT = "Unhandled exception is a fatal error, killing Node Manager"

Ref = pykka.ActorRef[Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """Asked, never told: an actor that still works through its messages answers True."""


@dataclass(frozen=True, slots=True)
class Supervision:
    """What every actor is given, so that somebody can see how it is and end it all."""

    vitals: Vitals
    ending: Ending


class ActorExit(Exception):
    """SystemExit, KeyboardInterrupt or the like was raised in an actor. pykka would stop all actors and leave a process
    that does nothing; so it counts as an exception like any other, which ends one actor."""


def name_of(ref: Ref) -> str:
    """The actor's name: its class and the tail of its urn, as its logger and its signs of life have it."""
    return f"{ref.actor_class.__name__}.{ref.actor_urn.rpartition('-')[2]}"


def no_answer(ref: Ref) -> str:
    """The line for the log when a critical actor does not answer, be it hung or dead."""
    return f"Actor {ref} watchdog ping time out, killing Node Manager"


def tell(ref: Ref, message: object) -> bool:
    """Send a message; False when its receiver has died (row A4). Never blocks."""
    try:
        ref.tell(message)
    except pykka.ActorDeadError:
        return False
    return True


class BaseNodeManagerActor(pykka.ThreadingActor):
    """An actor whose exceptions never pass unseen.

    Subclasses override `begin` and `receive`. Fatal errors (`is_fatal`) in either end the process; any other exception
    ends this actor, is logged by pykka, and is counted as actor_exceptions. The process ends with a critical actor, at
    once, unless it stops in order already.
    """

    critical: ClassVar[bool] = False  # without it the daemon would live on and do nothing
    use_daemon_thread = True  # the launcher decides when the process ends, not a request that hangs
    actor_inbox: Inbox

    @staticmethod
    def _create_actor_inbox() -> Inbox:
        """pykka's hook."""
        return Inbox()

    def __init__(self, supervision: Supervision) -> None:
        super().__init__()
        self._vitals = supervision.vitals
        self._ending = supervision.ending
        self.name = name_of(self.actor_ref)
        self._logger = logging.getLogger(self.name)
        self.actor_inbox.monotonic = self._vitals.clock.monotonic
        self._activity = self._vitals.enter(self.name, self.actor_inbox)

    def begin(self) -> None:
        """Run in the actor's own thread before its first message."""

    def receive(self, message: Any) -> None:
        """Handle one message, in the actor's own thread."""
        raise TypeError(f"{self.name} does not know the message {type(message).__name__}")

    def describe(self, message: object) -> str:
        """The message in a few words, without secrets, for the last words."""
        return type(message).__name__

    def on_start(self) -> None:
        """pykka's hook: `begin`. Exceptions here would not reach `on_failure` by themselves."""
        try:
            self.begin()
        except Exception as error:
            self._failed(error)
            raise
        except BaseException as error:
            self._failed(error)
            raise ActorExit(f"{type(error).__name__} in {self.name}") from error

    def on_receive(self, message: object) -> object:
        """pykka's hook: answer a ping, or handle the message with a note of what is being done."""
        if isinstance(message, Ping):
            return True
        try:
            self._activity.begins(self.describe(message))
            self.receive(message)
        except Exception as error:
            # Before pykka logs it: that may hang, and nothing may come between a fatal error and the end.
            self._end_if_due(error)
            raise
        except BaseException as error:
            self._end_if_due(error)
            raise ActorExit(f"{type(error).__name__} in {self.name}") from error
        self._activity.ends()
        return None

    def _actor_loop(self) -> None:
        """pykka's loop. What escapes it, from the inbox for example, would end the thread and tell nobody."""
        try:
            super()._actor_loop()
        except BaseException as error:
            self._end_if_due(error)
            raise

    def on_stop(self) -> None:
        """pykka's hook for an orderly stop."""
        self._vitals.leave(self.name)

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """pykka's hook: the actor ends because of this exception. pykka has logged it."""
        if exception_value is not None:
            self._failed(exception_value)

    def _failed(self, error: BaseException) -> None:
        """The actor ends because of this error, whether it had begun or not."""
        self._end_if_due(error)
        self._vitals.count("actor_exceptions")
        self._vitals.leave(self.name)

    def _end_if_due(self, error: BaseException) -> None:
        """End the process where it is not to outlive this error."""
        if is_fatal(error):
            self._ending.now(
                ExitCause(ExitKind.FATAL, f"{self.name}: {type(error).__name__}", FATAL_TEXT, self.name, error)
            )
        elif self.critical and not self._vitals.stopping.is_set():
            self._ending.now(self._death(error), self._vitals.stopping.is_set)

    def _death(self, error: BaseException) -> ExitCause:
        """A critical actor's, as the watchdog would tell it at its next round."""
        return ExitCause(ExitKind.WATCHDOG, self.name, no_answer(self.actor_ref), error=error)
