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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from types import FrameType
from typing import Protocol, cast

from arvnodeman.fleet.view.view import View
from arvnodeman.supervision.clock import wall_time
from arvnodeman.supervision.ending import ExitCause, ExitKind
from arvnodeman.supervision.ready_file import ReadyFile
from arvnodeman.supervision.vitals import Vitals
from arvnodeman.version import __version__

FILE_NAME = "last_words.json"
DEEPEST_STACK = 60  # frames
SHALLOW_STACK = 8  # frames, where room is scarce
DECISIONS = 50
ROOM = 256 << 10  # bytes taken beforehand in the state directory


class Mind(Protocol):
    """What the brain knows and has decided."""

    def view(self) -> View:
        """Its newest account."""
        ...

    def decisions(self, newest: int) -> Sequence[tuple[float, str]]:
        """The newest decisions, oldest first: seconds since the epoch, and the line."""
        ...


@dataclass(frozen=True, slots=True)
class CrashReport:
    """Everything that is worth knowing about a run that ends. Durations are seconds."""

    cause: str
    subject: str
    text: str
    error: str
    version: str
    pid: int
    at: float  # seconds since the epoch
    began: float  # seconds since the epoch
    uptime: float
    polls: dict[str, dict[str, object]]
    actors: dict[str, dict[str, object]]
    operations: list[dict[str, object]]  # under way when the brain's newest view was made
    decisions: list[dict[str, object]]  # the newest, oldest first
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


def collect(cause: ExitCause, vitals: Vitals, mind: Mind | None = None) -> CrashReport:
    """Look at everything, now. Waits for nobody."""
    monotonic = vitals.clock.monotonic()
    return CrashReport(
        cause=cause.kind.value,
        subject=cause.subject,
        text=cause.text,
        error="" if cause.error is None else f"{type(cause.error).__name__}: {cause.error}",
        version=__version__,
        pid=os.getpid(),
        at=vitals.clock.now(),
        began=vitals.began_at,
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
            activity.actor: {
                "doing": activity.doing.message,
                "for": round(monotonic - activity.doing.since, 3),
                "oldest_message": activity.oldest_message(monotonic),
                "waiting": activity.waiting,
                "words": activity.words(monotonic),
            }
            for activity in vitals.activities()
        },
        operations=[] if mind is None else _operations(mind.view()),
        decisions=[] if mind is None else [{"at": at, "text": text} for at, text in mind.decisions(DECISIONS)],
        stacks=stacks(),
    )


def _operations(view: View) -> list[dict[str, object]]:
    return [
        {
            "id": operation.id,
            "kind": operation.kind,
            "subject": operation.subject,
            "stage": operation.stage,
            "for": round(view.t - operation.since, 3),
            "attempts": operation.attempts,
        }
        for operation in view.operations
    ]


def lines(report: CrashReport) -> list[str]:
    """The report as lines for the log."""
    told = [f"Last words: {report.cause}: {report.subject} (up for {report.uptime:.0f} s)"]
    if report.error:
        told.append(f"error: {report.error}")
    for poll, age in report.polls.items():
        success = "never" if age["since_success"] is None else f"{age['since_success']} s ago"
        told.append(
            f"poll {poll}: last attempt {age['since_attempt']} s ago, last success {success}"
            + (f", error: {age['error']}" if age["error"] else "")
        )
    for actor, doing in report.actors.items():
        told.append(f"actor {actor}: {doing['words']}")
    for operation in report.operations:
        told.append(
            f"operation {operation['id']}: {operation['kind']} of {operation['subject']}, {operation['stage']}, "
            f"under way for {operation['for']} s, {operation['attempts']} failed attempts"
        )
    for decision in report.decisions:
        told.append(f"decided at {wall_time(cast('float', decision['at']))}: {decision['text']}")
    for thread, calls in report.stacks.items():
        told.append(f"thread {thread}: " + " < ".join(calls))
    return told


def log_writer(vitals: Vitals, mind: Mind) -> Callable[[ExitCause], None]:
    """A writer that puts the cause and the report into the log."""

    def write(cause: ExitCause) -> None:
        logger = logging.getLogger(cause.logger)
        level = logging.WARNING if cause.kind is ExitKind.ASKED else logging.CRITICAL
        logger.log(level, "%s", cause.text)
        for line in lines(collect(cause, vitals, mind)):
            logger.log(level, "%s", line)
        if cause.error is not None:  # last, since formatting it reads source files
            logger.log(level, "The error was:", exc_info=cause.error)
        for handler in logging.getLogger().handlers:
            handler.flush()

    return write


def file_writer(vitals: Vitals, mind: Mind, file: ReadyFile) -> Callable[[ExitCause], None]:
    """A writer that puts the report into the state directory, in one step: a reader sees the whole or nothing.
    What does not fit into the room that was taken beforehand is tried, and left out when the disk is full."""

    def write(cause: ExitCause) -> None:
        report = collect(cause, vitals, mind)
        try:
            file.replace(_json(report))
        except OSError:
            calls = {thread: calls[:SHALLOW_STACK] for thread, calls in report.stacks.items()}
            file.replace(_json(replace(report, stacks=calls, decisions=report.decisions[-10:])))

    return write


def _json(report: CrashReport) -> str:
    return json.dumps(asdict(report), indent=1) + "\n"
