"""How the process ends itself: last words, then SIGKILL to its own process group. It would rather die than hang."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

CRASH_REPORT_LIMIT = 5.0  # seconds that last words may take, whatever hangs
LAST_RESORT_MARGIN = 1.0  # seconds after that, in which a kill from Python has come


class ExitKind(StrEnum):
    """Why a run ended."""

    WATCHDOG = "watchdog"  # an actor did not answer its ping, or was dead
    HOPELESS = "hopeless"  # a list is hopelessly stale
    FATAL = "fatal"  # an error after which the process cannot work: no memory, no thread
    ASKED = "asked"  # no end: somebody wants to know what the process is doing
    # What only the next run can tell, or the main thread:
    CLEAN = "clean"  # an orderly stop
    FAILED = "failed"  # an exception in the main thread, at the start or later
    STUCK = "stuck"  # the watchdog stopped: something held the interpreter, or everything stood still
    CRASH = "crash"  # of the interpreter
    OUTSIDE = "outside"  # SIGKILL, no memory left, or the machine


@dataclass(frozen=True, slots=True)
class ExitCause:
    """Why the process ends, and whose fault it is."""

    kind: ExitKind
    subject: str  # the actor, the list or the error
    text: str  # the line for the log
    logger: str = ""  # under whose name the line is logged
    error: BaseException | None = None


NO_THREAD = ("can't start new thread", "unable to start watchdog thread")  # threading's words, and faulthandler's


def is_fatal(error: BaseException) -> bool:
    """Is this an error after which the process cannot work? (rows L1, L3)

    To be asked before any catch-all: ENOMEM is an OSError like a lost connection, and a thread that cannot be started
    is a RuntimeError like any other.
    """
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(text in str(error) for text in NO_THREAD)


def kill_process_group() -> None:
    """SIGKILL to the group that `main()` has made; this ends hung children too (`squeue`, `scontrol`)."""
    try:
        os.killpg(os.getpgid(0), signal.SIGKILL)
    except OSError:
        os._exit(128 + signal.SIGKILL)


class Scribe:
    """One thread, started beforehand, that carries out one job after another; its caller never waits longer than it
    wants. Writing a log line may hang for ever (a dead NFS, a held lock), and at the end no thread can be started."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], threading.Event] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def begin(self, job: Callable[[], None]) -> threading.Event:
        """Hand in a job. The event is set when it is over, well or badly."""
        over = threading.Event()
        self._jobs.put((job, over))
        return over

    def close(self) -> None:
        """End the thread after the jobs handed in so far."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, over = item
            try:
                job()
            except Exception:
                over.set()  # before the line, which may hang
                logging.getLogger("scribe").exception("Could not write last words")
            finally:
                over.set()


class Ending:
    """The one way in which the daemon kills itself. Any thread may call `now`."""

    def __init__(
        self,
        write: Sequence[Callable[[ExitCause], None]],
        kill: Callable[[], None] = kill_process_group,
        limit: float = CRASH_REPORT_LIMIT,
        last_resort: Callable[[float | None], None] = lambda _seconds: None,
    ) -> None:
        """`write`: the writers of last words (log, file), each of which may hang without holding up the others.
        `last_resort` makes sure that the process is gone after so many seconds, should Python itself hang; None: it
        lives on after all."""
        self._writers = [(Scribe(f"scribe-{number}"), writer) for number, writer in enumerate(write)]
        self._kill = kill
        self._limit = limit
        self._last_resort = last_resort
        self._once = threading.Lock()

    def now(self, cause: ExitCause, called_off: Callable[[], bool] = lambda: False) -> None:
        """Last words in at most `limit` seconds, then the kill, always; unless `called_off` says otherwise at the last
        moment. Only the first caller kills."""
        if not self._once.acquire(blocking=False):
            return
        try:
            with contextlib.suppress(Exception):
                self._last_resort(self._limit + LAST_RESORT_MARGIN)
            self.words(cause)
        finally:
            if called_off():
                self._last_resort(None)
                self._once.release()
            else:
                self._kill()

    def words(self, cause: ExitCause, limit: float | None = None) -> None:
        """Write last words and return after `limit` seconds at the latest; what hangs is left alone."""
        deadline = time.monotonic() + (self._limit if limit is None else limit)
        over = [scribe.begin(lambda writer=writer: writer(cause)) for scribe, writer in self._writers]  # type: ignore[misc]
        for event in over:
            event.wait(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """End the scribes' threads."""
        for scribe, _ in self._writers:
            scribe.close()
