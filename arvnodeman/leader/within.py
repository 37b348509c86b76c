"""A bound on calls that libraries do not bound themselves: a resolver that hangs, a socket that is half open."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class TookTooLong(Exception):
    """The call did not end in time. It may still end, and nobody hears what it says."""


class Worker:
    """One thread, begun with the first call, that makes calls one after the other. For one caller.

    A call that hangs costs this one thread and no more: the next one waits for it, and no longer than its own time.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[_Call[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], T], timeout: float) -> T:
        """What the function returns or raises. timeout: seconds. Raises TookTooLong."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        call = _Call(function)
        self._calls.put(call)
        if not call.done.wait(timeout):
            call.given_up = True
            if not call.done.is_set():
                raise TookTooLong
        return call.answer()

    def end(self) -> None:
        """The thread ends after the call that it is in."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread = None

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if not call.given_up:
                call.make()


class _Call(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self.done = threading.Event()
        self.given_up = False
        self._function = function
        self._returned: list[T] = []
        self._raised: BaseException | None = None

    def make(self) -> None:
        try:
            self._returned.append(self._function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            self._raised = error
        self.done.set()

    def answer(self) -> T:
        if self._raised is not None:
            with contextlib.ExitStack() as stack:
                stack.callback(setattr, self, "_raised", None)  # no circle of the error and its frames
                raise self._raised
        return self._returned[0]
