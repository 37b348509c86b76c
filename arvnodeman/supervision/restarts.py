"""The restart accounts: each run finds out how the one before it ended, and says so to the next.

They are a small JSON file in the state directory, written at the start and at the end. A run that is killed, by itself
or by others, writes no end: the next one finds it in the last words, or in the C timer's stacks, or nowhere.
All of it is for people and for the damping of crash loops: its loss harms nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from arvnodeman.supervision import last_resort
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.crash_report import FILE_NAME as CRASH_REPORT
from arvnodeman.supervision.ending import ExitKind
from arvnodeman.supervision.past import End, Past, quick_ends, safe_mode
from arvnodeman.supervision.ready_file import ReadyFile, read_object, read_text

FILE_NAME = "restarts.json"
FORMAT = 1
KEPT = 20  # ends
ROOM = 16 << 10  # bytes
LONGEST_SUBJECT = 300
LATEST = 1e11  # seconds since the epoch, and more than any count
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

logger = logging.getLogger("arvnodeman.restarts")


@dataclass(slots=True)
class UnfinishedRun:
    """A run that has begun and has written no end."""

    pid: int
    began: float  # seconds since the epoch
    machine: str  # the boot id of the machine; '' unknown
    stopping: bool = False  # an orderly stop was under way


@dataclass(slots=True)
class Book:
    """The content of the file."""

    run: UnfinishedRun | None = None
    ends: list[End] = field(default_factory=list)  # the newest, oldest first
    counts: dict[str, int] = field(default_factory=dict)  # by ExitKind


class Restarts:
    """The accounts of one state directory. Used by the main thread."""

    def __init__(self, folder: Path, clock: Clock, began_at: float) -> None:
        """`began_at`: when this run began, in seconds since the epoch, as its last words say."""
        self._folder = folder
        self._clock = clock
        self._began_at = began_at
        self._file = ReadyFile(folder / FILE_NAME, ROOM)
        self._book = Book()
        self._began = clock.monotonic()
        self._complained = False

    def begin(self, watchdog: float) -> Past:
        """A run begins: find out how the last one ended, and note this one. `watchdog`: seconds, as configured."""
        self._book = book = self._read()
        if book.run is not None:
            self._add(self._unsaid(book.run))
        book.run = UnfinishedRun(os.getpid(), self._began_at, _machine())
        self._write()
        quick = quick_ends(book.ends, watchdog)
        last = book.ends[-1] if book.ends else None
        return Past(last, MappingProxyType(dict(book.counts)), quick, safe_mode(quick))

    def stopping(self) -> None:
        """An orderly stop begins: what kills the process from now on is nobody's fault."""
        if self._book.run is not None:
            self._book.run.stopping = True
            self._write()

    def ended(self, kind: ExitKind, subject: str) -> None:
        """The run ends, and can say so itself."""
        if self._book.run is not None:
            self._add(End(kind, subject, self._clock.now(), self._clock.monotonic() - self._began))
            self._book.run = None
            self._write()
        self._file.close()

    def _add(self, end: End) -> None:
        book = self._book
        book.ends = [*book.ends, end][-KEPT:]
        book.counts[end.kind.value] = book.counts.get(end.kind.value, 0) + 1

    def _read(self) -> Book:
        path = self._folder / FILE_NAME
        try:
            content = read_object(path)
            return Book() if content is None else _book(content)
        except OSError as error:
            logger.warning("%s cannot be read: %s: restarts are counted from 0", path, error.strerror)
        except ValueError as error:
            aside = path.with_name(f"{FILE_NAME}.set-aside")
            try:
                path.replace(aside)
                done = f"it is set aside as {aside.name}"
            except OSError as failure:
                done = f"it cannot be set aside ({failure.strerror})"
            logger.warning("%s was not written by this version: %s; %s, counts begin at 0", path, error, done)
        return Book()

    def _write(self) -> None:
        content = {"format": FORMAT, **asdict(self._book)}
        try:
            self._file.replace(json.dumps(content, indent=1) + "\n")
        except OSError as error:
            if not self._complained:
                logger.warning(
                    "%s cannot be written: %s: the next run may not know why this one ended",
                    self._file.path,
                    error.strerror,
                )
            self._complained = True

    def _unsaid(self, run: UnfinishedRun) -> End:
        """How a run ended that did not say so itself."""
        return (
            _from_crash_report(run, self._folder / CRASH_REPORT)
            or _from_stacks(run, self._folder / last_resort.FILE_NAME)
            or _from_outside(run)
        )


def _from_crash_report(run: UnfinishedRun, path: Path) -> End | None:
    """By its last words, if they are that run's and were its last: some are written on demand."""
    try:
        words = read_object(path) or {}
        if words.get("pid") != run.pid or words.get("began") != run.began:
            return None
        kind = ExitKind(words["cause"])
        if kind is ExitKind.ASKED:
            return None
        return End(kind, str(words["subject"])[:LONGEST_SUBJECT], _figure(words["at"]), _figure(words["uptime"]))
    except (OSError, ValueError, KeyError):
        return None


def _from_stacks(run: UnfinishedRun, path: Path) -> End | None:
    """By what the C timer or the handler of fatal signals has written."""
    try:
        text = (read_text(path) or "").strip("\0\n ")
        at = path.stat().st_mtime
    except (OSError, ValueError):
        return None
    first = text.partition("\n")[0][:LONGEST_SUBJECT]
    lasted = max(0.0, at - run.began)
    if first.startswith("Timeout"):
        return End(ExitKind.STUCK, "the interpreter" + (" while it stopped" if run.stopping else ""), at, lasted)
    if "Aborted" in first:
        return End(ExitKind.STUCK, "SIGABRT, as the service manager's watchdog sends it", at, lasted)
    return End(ExitKind.CRASH, first, at, lasted) if first else None


def _from_outside(run: UnfinishedRun) -> End:
    if run.stopping:
        return End(ExitKind.OUTSIDE, "while it stopped")
    if run.machine and _machine() not in ("", run.machine):
        return End(ExitKind.OUTSIDE, "its machine went down")
    return End(ExitKind.OUTSIDE, "by SIGKILL, or because its machine had no memory left")


def _machine() -> str:
    with contextlib.suppress(OSError):
        return BOOT_ID.read_text().strip()
    return ""


def _book(content: dict[str, Any]) -> Book:
    """The file's content as values. Raises ValueError."""
    form = content.get("format")
    if form != FORMAT:
        raise ValueError(f"its format is {str(form)[:20]!r}, and {FORMAT} is known")
    try:
        run = content["run"]
        return Book(
            run=None if run is None else _run(run),
            ends=[_end(end) for end in content["ends"]][-KEPT:],
            counts={ExitKind(kind).value: _count(number) for kind, number in content["counts"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _run(run: dict[str, Any]) -> UnfinishedRun:
    return UnfinishedRun(_count(run["pid"]), _figure(run["began"]), str(run["machine"])[:100], run["stopping"] is True)


def _end(end: dict[str, Any]) -> End:
    at, lasted = end["at"], end["lasted"]
    return End(
        ExitKind(end["kind"]),
        str(end["subject"])[:LONGEST_SUBJECT],
        None if at is None else _figure(at),
        None if lasted is None else _figure(lasted),
    )


def _figure(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise ValueError(f"{str(value)[:40]!r} is not a time")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LATEST:
        raise ValueError(f"{str(value)[:40]!r} is not a count")
    return value
