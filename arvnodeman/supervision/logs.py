"""The log: where it goes, what its lines look like, how detailed it is."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler

from arvnodeman.config.settings import LoggingSettings

LINE = "%(asctime)s %(name)s[%(process)d] %(levelname)s: %(message)s"
JOURNAL_LINE = "%(name)s[%(process)d] %(levelname)s: %(message)s"  # the journal stamps each line itself
TIME = "%Y-%m-%d %H:%M:%S"
STREAMS = ("/dev/stderr", "/dev/stdout")  # a journal's socket cannot be opened by its path


class CannotLog(Exception):
    """The log file cannot be written. The text is one line for people."""


class _Quiet(logging.Handler):
    """What a handler does when a line cannot be written: a full disk must not cause a traceback for each line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the logging module's name)
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class _StreamHandler(_Quiet, logging.StreamHandler):  # type: ignore[type-arg]
    pass


class _FileHandler(_Quiet, WatchedFileHandler):
    """Opens the file again when it has been rotated. That may fail (a full disk, a folder that is gone): then this
    line is lost, the next one tries again, and whoever logs does not notice."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            stream, self.stream = self.stream, None
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
            self.handleError(record)


def check(settings: LoggingSettings) -> None:
    """Check that the log file can be written. Raises CannotLog. Call it while somebody still reads stderr."""
    if settings.file in STREAMS:
        return
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        os.close(os.open(settings.file, flags, 0o666))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        if isinstance(error, OSError) and error.errno == errno.ENXIO:
            reason = "nobody reads from it"
        raise CannotLog(f"[Logging] file: cannot write {settings.file}: {reason}") from error


def set_up(settings: LoggingSettings) -> None:
    """Send the log to the configured file or stream, and no longer to the one before."""
    if settings.file in STREAMS:
        handler: logging.Handler = _StreamHandler(sys.stdout if settings.file == "/dev/stdout" else sys.stderr)
    else:
        handler = _FileHandler(settings.file, encoding="utf-8")
    handler.setFormatter(formatter(settings))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    set_levels(settings)


def formatter(settings: LoggingSettings) -> logging.Formatter:
    """What makes lines of records. Text that goes to the journal has no time stamp of ours."""
    if settings.format == "json":
        return JsonFormatter()
    return logging.Formatter(JOURNAL_LINE if _is_journal(settings.file) else LINE, TIME)


class JsonFormatter(logging.Formatter):
    """One JSON object for each record, on one line: time (UTC), level, logger, pid, message; error for a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _is_journal(file: str) -> bool:
    """Is this stream the journal's? systemd says in JOURNAL_STREAM which socket it gave us, as DEVICE:INODE."""
    stream = {"/dev/stderr": 2, "/dev/stdout": 1}.get(file)
    told = os.environ.get("JOURNAL_STREAM", "")
    if stream is None or not told:
        return False
    try:
        stat = os.fstat(stream)
    except OSError:
        return False
    return told == f"{stat.st_dev}:{stat.st_ino}"


def set_levels(settings: LoggingSettings, before: LoggingSettings | None = None) -> None:
    """Set the levels. Loggers that only `before` names get their parents' level again."""
    logging.getLogger().setLevel(settings.level)
    for name in set(before.loggers if before else ()) - set(settings.loggers):
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name, level in settings.loggers.items():
        logging.getLogger(name).setLevel(level)
