"""Last words: what every thread and actor was doing, and how old the polls were, in one frozen value.

Nothing here reads a file: stacks are given as file, line and function, without the source text, since the disk may be
what hangs.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from arvnodeman.supervision.ending import Cause, CauseKind
from arvnodeman.supervision.vitals import Vitals
from arvnodeman.version import __version__

FILE_NAME = "last_words.json"
DEEPEST_STACK = 60  # frames


@dataclass(frozen=True, slots=True)
class LastWords:
    """Everything that is worth knowing about a run that ends. Durations are seconds."""

    cause: str
    subject: str
    text: str
    error: str
    version: str
    pid: int
    at: float  # seconds since the epoch
    uptime: float
    polls: dict[str, dict[str, object]]
    actors: dict[str, dict[str, object]]
    stacks: dict[str, list[str]]


def stacks() -> dict[str, list[str]]:
    """The stack of every thread, innermost call first, by the thread's name and number."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {f"{names.get(ident, 'unknown')} ({ident})": _calls(frame) for ident, frame in sys._current_frames().items()}


def _calls(frame: FrameType | None) -> list[str]:
    calls: list[str] = []
    while frame is not None and len(calls) < DEEPEST_STACK:
        calls.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}")
        frame = frame.f_back
    return calls


def collect(cause: Cause, vitals: Vitals) -> LastWords:
    """Look at everything, now. Takes no lock that an actor holds."""
    monotonic = vitals.clock.monotonic()
    return LastWords(
        cause=cause.kind.value,
        subject=cause.subject,
        text=cause.text,
        error="" if cause.error is None else f"{type(cause.error).__name__}: {cause.error}",
        version=__version__,
        pid=os.getpid(),
        at=vitals.clock.now(),
        uptime=round(monotonic - vitals.began, 3),
        polls={
            poll.value: {
                "since_attempt": round(age.since_attempt(monotonic), 3),
                "since_success": None if age.succeeded is None else round(age.since_success(monotonic), 3),
                "error": age.error,
            }
            for poll, age in vitals.polls.all().items()
        },
        actors={
            activity.actor: {"doing": activity.doing.message, "for": round(monotonic - activity.doing.since, 3)}
            for activity in vitals.activities()
        },
        stacks=stacks(),
    )


def lines(words: LastWords) -> list[str]:
    """The last words as lines for the log."""
    told = [f"Last words: {words.cause}: {words.subject} (up for {words.uptime:.0f} s)"]
    if words.error:
        told.append(f"error: {words.error}")
    for poll, age in words.polls.items():
        success = "never" if age["since_success"] is None else f"{age['since_success']} s ago"
        told.append(
            f"poll {poll}: last attempt {age['since_attempt']} s ago, last success {success}"
            + (f", error: {age['error']}" if age["error"] else "")
        )
    for actor, doing in words.actors.items():
        told.append(f"actor {actor}: {doing['doing'] or 'waiting'} for {doing['for']} s")
    for thread, calls in words.stacks.items():
        told.append(f"thread {thread}: " + " < ".join(calls))
    return told


def log_writer(vitals: Vitals) -> Callable[[Cause], None]:
    """A writer that puts the cause and the last words into the log."""

    def write(cause: Cause) -> None:
        logger = logging.getLogger(cause.logger)
        level = logging.WARNING if cause.kind is CauseKind.ASKED else logging.CRITICAL
        logger.log(level, "%s", cause.text)
        for line in lines(collect(cause, vitals)):
            logger.log(level, "%s", line)
        if cause.error is not None:  # last, since formatting it reads source files
            logger.log(level, "The error was:", exc_info=cause.error)
        for handler in logging.getLogger().handlers:
            handler.flush()

    return write


def file_writer(vitals: Vitals, state_dir: Path) -> Callable[[Cause], None]:
    """A writer that puts the last words into the state directory, in one step: a reader sees the whole or nothing."""

    def write(cause: Cause) -> None:
        target = state_dir / FILE_NAME
        draft = target.with_suffix(f".{os.getpid()}.{time.monotonic_ns()}")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump(asdict(collect(cause, vitals)), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    return write
