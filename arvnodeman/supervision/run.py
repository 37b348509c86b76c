"""One run of the daemon, for those who supervise it: how it began, what may end it, what it leaves behind."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from arvnodeman.config import DaemonSettings
from arvnodeman.supervision import crash_report
from arvnodeman.supervision.ending import (
    CRASH_REPORT_LIMIT,
    LAST_RESORT_MARGIN,
    Ending,
    ExitCause,
    ExitKind,
    Scribe,
    is_fatal,
    kill_process_group,
)
from arvnodeman.supervision.last_resort import LastResort
from arvnodeman.supervision.past import Past
from arvnodeman.supervision.ready_file import ReadyFile
from arvnodeman.supervision.reaper import Reaper
from arvnodeman.supervision.restarts import Restarts
from arvnodeman.supervision.vitals import Vitals

STOP_MARGIN = 15.0  # seconds that an orderly stop may take beyond stop_timeout

logger = logging.getLogger()


def open_state_dir(path: str) -> tuple[Path | None, str]:
    """Make the state directory where it is not there yet. Returns it, or None; and what is wrong, in one line."""
    if not path:
        return None, ""
    folder = Path(path)
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        wrong = f"[Daemon] state_dir: cannot use {folder}: {error.strerror}"
        return None, f"{wrong}; let the account of the daemon write there"
    return folder, ""


def silence_allowed(daemon: DaemonSettings) -> float:
    """Seconds after a good round in which the next one has ended well, or the watchdog has begun to end the process.
    The margin is for a machine with much to do: if the C timer comes first, there are no last words."""
    return daemon.watchdog_interval + daemon.watchdog + daemon.watchdog / 10 + 2 * LAST_RESORT_MARGIN


def longest_silence(daemon: DaemonSettings) -> float:
    """Seconds after a good round in which there has been another one, or the process is gone, whatever hangs in it."""
    return silence_allowed(daemon) + CRASH_REPORT_LIMIT + LAST_RESORT_MARGIN


class Run:
    """Used by the main thread, but for `good_round` and `half_way`, which are the watchdog's."""

    def __init__(
        self,
        daemon: DaemonSettings,
        state_dir: Path | None,
        vitals: Vitals,
        mind: crash_report.Mind,
        kill: Callable[[], None] = kill_process_group,
    ) -> None:
        self._daemon = daemon
        self._vitals = vitals
        self._mind = mind
        self._time_left = silence_allowed(daemon)
        self._resort = LastResort(state_dir)
        self._reaper = Reaper()
        self._warner = Scribe("scribe-half-way")
        self._restarts: Restarts | None = None
        self._words: ReadyFile | None = None
        writers = [crash_report.log_writer(vitals, mind)]
        if state_dir is not None:
            self._restarts = Restarts(state_dir, vitals.clock, vitals.began_at)
            self._words = ReadyFile(state_dir / crash_report.FILE_NAME, crash_report.ROOM)
            writers.append(crash_report.file_writer(vitals, mind, self._words))
        self.ending = Ending(writers, kill, last_resort=self._dying)

    def begin(self) -> Past:
        """See how the last run ended, say so, and begin this one. After this, all that hangs ends the process."""
        past = Past()
        if self._restarts is None:
            logger.info("Without a state directory, the next run does not know why this one ended")
        else:
            past = self._vitals.past = self._restarts.begin(self._daemon.watchdog)
            _tell(past)
        if self._words is not None:
            with contextlib.suppress(OSError):  # the restart accounts have said it
                self._words.prepare()
        with contextlib.suppress(OSError):
            self._resort.open()
        self._resort.arm(self._time_left)
        try:
            self._reaper.start()
        except OSError as error:
            logger.warning("cannot start a shell: %s: a kill from outside may leave children behind", error.strerror)
        threading.excepthook = self._thread_failed
        return past

    def good_round(self) -> None:
        """The watchdog has found all well."""
        self._resort.arm(self._time_left)

    def half_way(self, text: str) -> None:
        """Half of the watchdog's time is over: write what every thread does, without waiting for the log."""

        def warn() -> None:
            cause = ExitCause(ExitKind.ASKED, "watchdog", text)
            logger.warning("%s", text)
            for line in crash_report.lines(crash_report.collect(cause, self._vitals, self._mind)):
                logger.warning("%s", line)

        self._warner.begin(warn)

    def stopping(self, stop_timeout: float) -> None:
        """An orderly stop begins. No round of the watchdog comes any more; a stop that hangs still ends."""
        self._time_left = stop_timeout + STOP_MARGIN
        self._resort.arm(self._time_left)
        if self._restarts is not None:
            self._restarts.stopping()

    def close(self, kind: ExitKind, subject: str, *, hanging: bool = False) -> None:
        """The run ends, and can say why. `hanging`: children may still run, and must be killed."""
        if self._restarts is not None:
            self._restarts.ended(kind, subject)
        if self._words is not None:
            self._words.close()
        logging.shutdown()  # may hang, too: the C timer still runs
        if not hanging:
            self._reaper.close()
        self._resort.close()
        threading.excepthook = threading.__excepthook__
        self.ending.close()
        self._warner.close()

    def _dying(self, seconds: float | None) -> None:
        self._resort.arm(self._time_left if seconds is None else seconds)

    def _thread_failed(self, failed: threading.ExceptHookArgs) -> None:
        """A thread has ended with an exception. Actors see to their own; this is for all others."""
        name = failed.thread.name if failed.thread is not None else "a thread"
        error = failed.exc_value
        if error is not None and is_fatal(error):
            text = "Unhandled exception is a fatal error, killing Node Manager"
            self.ending.now(ExitCause(ExitKind.FATAL, f"{name}: {type(error).__name__}", text, error=error))
        if error is not None:
            logger.error("Unhandled exception in thread %s", name, exc_info=(type(error), error, failed.exc_traceback))


def _tell(past: Past) -> None:
    """How the last run ended, in the log."""
    if past.last is None:
        logger.info("No earlier run is known")
        return
    level = logging.INFO if past.last.kind is ExitKind.CLEAN else logging.WARNING
    logger.log(level, "The last run ended %s", past.last.words)
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(past.counts.items()))
    logger.log(level, "Ends of runs so far: %s", counts)
    if past.safe_for:
        logger.warning(
            "The last %d runs ended early, all in this way: safe mode for %.0f s, in which lists are polled and "
            "reported, but nothing is created or destroyed",
            past.quick,
            past.safe_for,
        )
