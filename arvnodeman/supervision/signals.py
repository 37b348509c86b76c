"""Signals, handed on to the main thread as values: handlers do next to nothing."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from arvnodeman.supervision.first_signals import OTHERS, STOPS

PATIENCE = 3  # the third stop signal of one kind is obeyed at once


class StopCame(BaseException):
    """A stop signal came before anything was held or begun. Not an Exception, so that nothing catches it on its way."""


class Signals:
    """The signals that have come in, in their order. To be made, installed and read in the main thread.

    Stop signals are counted per signal: the first begins an orderly stop, the second stops all actors, the third ends
    the process here, whatever the main thread is doing.

    The kernel may give a signal to any thread, and Python runs its handler in the main one, which a lock or a queue
    would not wake for it. So the main thread waits for a descriptor that the interpreter's own handler writes to.
    """

    def __init__(self, leave: Callable[[int], object] = os._exit) -> None:
        self._leave = leave
        self._counts: Counter[int] = Counter()
        self._came_in: deque[tuple[signal.Signals, int]] = deque()
        self._raises = False
        self.descriptors = socket.socketpair()  # to be kept open when the process goes into the background
        for end in self.descriptors:
            end.setblocking(False)

    def install(self) -> None:
        """Take over the handling of all signals that mean something to the daemon."""
        signal.set_wakeup_fd(self.descriptors[1].fileno(), warn_on_full_buffer=False)
        for number in (*STOPS, *OTHERS):
            signal.signal(number, self._came)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*STOPS, *OTHERS})

    @property
    def stop_came(self) -> bool:
        """Has a stop signal come, whether it was taken out by `next` or not?"""
        return any(self._counts[number] for number in STOPS)

    @contextmanager
    def ending_at_once(self) -> Iterator[None]:
        """A block in which nothing is held or begun yet, and which may take long: a stop signal raises StopCame there,
        at once. Who catches all exceptions may swallow it (a destructor does): look at `stop_came` afterwards."""
        self._raises = True
        try:
            if self.stop_came:
                raise StopCame
            yield
        finally:
            self._raises = False

    def next(self, timeout: float | None = None) -> tuple[signal.Signals, int] | None:
        """The next signal and which time it is that it has come; None after `timeout` seconds without one."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self._came_in:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return None
            if select.select([self.descriptors[0]], [], [], left)[0]:
                self.descriptors[0].recv(4096)
        return self._came_in.popleft()

    def close(self) -> None:
        """Leave the wake-up descriptor to others again."""
        signal.set_wakeup_fd(-1)
        for end in self.descriptors:
            end.close()

    def _came(self, number: int, _frame: FrameType | None) -> None:
        self._counts[number] += 1
        came = (signal.Signals(number), self._counts[number])
        if number in STOPS:
            if self._counts[number] >= PATIENCE:
                self._leave(128 + number)
        elif any(other == number for other, _ in tuple(self._came_in)):  # another may come in the middle of this one
            return  # many of them count as one
        self._came_in.append(came)
        if self._raises and number in STOPS:
            self._raises = False  # once: what it starts must not be disturbed
            raise StopCame
