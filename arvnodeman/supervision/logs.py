"""The log: where it goes, what its lines look like, how detailed it is."""

from __future__ import annotations

import logging
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path

from arvnodeman.settings import LoggingSettings

LINE = "%(asctime)s %(name)s[%(process)d] %(levelname)s: %(message)s"
TIME = "%Y-%m-%d %H:%M:%S"
STREAMS = ("/dev/stderr", "/dev/stdout")  # a journal's socket cannot be opened by its path


class CannotLog(Exception):
    """The log file cannot be written. The text is one line for people."""


class _Quiet(logging.Handler):
    """What a handler does when a line cannot be written: a full disk is not answered with a traceback a line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the logging module's name)
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class _StreamHandler(_Quiet, logging.StreamHandler):  # type: ignore[type-arg]
    pass


class _FileHandler(_Quiet, WatchedFileHandler):
    """Opens the file anew when it has been rotated away."""


def check(settings: LoggingSettings) -> None:
    """Can the log file be written? Raises CannotLog. To be called while somebody still reads stderr."""
    if settings.file in STREAMS:
        return
    try:
        with Path(settings.file).open("a"):
            pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CannotLog(f"[Logging] file: cannot write {settings.file}: {reason}") from error


def set_up(settings: LoggingSettings) -> None:
    """Direct the log to the configured file or stream, in place of what was there."""
    if settings.file in STREAMS:
        handler: logging.Handler = _StreamHandler(sys.stdout if settings.file == "/dev/stdout" else sys.stderr)
    else:
        handler = _FileHandler(settings.file, encoding="utf-8")
    handler.setFormatter(logging.Formatter(LINE, TIME))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    set_levels(settings)


def set_levels(settings: LoggingSettings, before: LoggingSettings | None = None) -> None:
    """Set the levels; loggers that were named in `before` and are no more get their parents' level again."""
    logging.getLogger().setLevel(settings.level)
    for name in set(before.loggers if before else ()) - set(settings.loggers):
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name, level in settings.loggers.items():
        logging.getLogger(name).setLevel(level)
