"""Small doubles for tests of actors: a clock that is set by hand, an actor that collects, an end that is noted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pykka

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, Supervision
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.ending import Ending, ExitCause
from arvnodeman.supervision.vitals import Vitals

BOUND = 10.0  # seconds that a condition may take to come true on a busy machine


def wait_for(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait until the condition holds; fail when it does not come true in time."""
    deadline = time.monotonic() + BOUND
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true")
        time.sleep(0.002)


class HandClock:
    """A clock that stands still until it is set. Epoch and monotonic time differ by a constant."""

    def __init__(self, monotonic: float = 1000.0, epoch_offset: float = 1_000_000.0) -> None:
        self.time = monotonic
        self.epoch_offset = epoch_offset
        self.clock = Clock(now=lambda: self.time + self.epoch_offset, monotonic=lambda: self.time)


class End:
    """Supervision whose end kills nobody."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.causes: list[ExitCause] = []
        self.kills = 0
        self.killed = threading.Event()
        self.ending = Ending([self.causes.append], self._kill, limit=BOUND)
        self.vitals = Vitals(clock or Clock())
        self.supervision = Supervision(self.vitals, self.ending)

    def _kill(self) -> None:
        self.kills += 1
        self.killed.set()


class CollectingActor(pykka.ThreadingActor):
    """Keeps what it is told."""

    use_daemon_thread = True

    def __init__(self, box: list[Any]) -> None:
        super().__init__()
        self._box = box

    def on_receive(self, message: Any) -> Any:
        self._box.append(message)


@contextmanager
def collecting() -> Iterator[tuple[Ref, list[Any]]]:
    """A running actor and the list of what it was told."""
    box: list[Any] = []
    ref = CollectingActor.start(box)
    try:
        yield ref, box
    finally:
        ref.stop()


@contextmanager
def running(actor_class: type[BaseNodeManagerActor], *args: Any, **kwargs: Any) -> Iterator[Ref]:
    """A running actor, stopped afterwards."""
    ref = actor_class.start(*args, **kwargs)
    try:
        yield ref
    finally:
        ref.stop(timeout=BOUND)
