"""Signals, handed on to the main thread as values: handlers do next to nothing."""

from __future__ import annotations

import os
import queue
import signal
from collections import Counter
from collections.abc import Callable
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
OTHERS = (signal.SIGHUP, signal.SIGUSR1)
PATIENCE = 3  # the third stop signal of one kind is obeyed at once


class Signals:
    """The signals that have come in, in their order. To be made and installed in the main thread.

    Stop signals are counted per signal: the first begins an orderly stop, the second stops all actors, the third ends
    the process here, whatever the main thread is doing.
    """

    def __init__(self, leave: Callable[[int], object] = os._exit) -> None:
        self._leave = leave
        self._counts: Counter[int] = Counter()
        self._waiting: set[int] = set()
        self._queue: queue.SimpleQueue[tuple[signal.Signals, int]] = queue.SimpleQueue()

    def install(self) -> None:
        """Take over the handling of all signals that mean something to the daemon."""
        for number in (*STOPS, *OTHERS):
            signal.signal(number, self._came)

    def next(self, timeout: float | None = None) -> tuple[signal.Signals, int] | None:
        """The next signal and which time it is that it has come; None after `timeout` seconds without one."""
        try:
            number, count = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        self._waiting.discard(number)
        return number, count

    def _came(self, number: int, _frame: FrameType | None) -> None:
        self._counts[number] += 1
        if number in STOPS:
            if self._counts[number] >= PATIENCE:
                self._leave(128 + number)
        elif number in self._waiting:
            return  # a storm of them is one
        self._waiting.add(number)
        self._queue.put((signal.Signals(number), self._counts[number]))
