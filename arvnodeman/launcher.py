"""The daemon process: from the configuration file to the running actors, and to the end.

Everything that can be wrong with a configuration, and every resource that may be taken already, is looked at before the
process goes into the background, while somebody still reads stderr.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from signal import SIGHUP, SIGUSR1
from signal import Signals as Signal

from daemon import DaemonContext

from arvnodeman.actors.base import Supervision
from arvnodeman.actors.crew import Crew
from arvnodeman.actors.daemon import Published
from arvnodeman.config import ConfigError, load
from arvnodeman.fleet.fleet import Fleet
from arvnodeman.manage import server
from arvnodeman.manage.site import make_application
from arvnodeman.settings import Settings
from arvnodeman.supervision import last_words, logs
from arvnodeman.supervision.ending import Cause, CauseKind, Ending, Scribe
from arvnodeman.supervision.service import ServiceNotifier
from arvnodeman.supervision.signals import Signals
from arvnodeman.supervision.vitals import Vitals
from arvnodeman.version import __version__

BAD_CONFIGURATION = 2
CANNOT_START = 1
LOOK = 0.1  # seconds between looks at whether a start or a stop is over
HANGING = 2.0  # seconds that actors have to stop when the process ends

logger = logging.getLogger()


def main(path: str, *, foreground: bool) -> int:
    """Run the daemon until it is told to stop. Returns the exit code: 0 after an orderly stop, 2 for a mistake in the
    configuration, 1 when a resource cannot be had. Must be called in the main thread."""
    path = str(Path(path).absolute())  # the background has another working directory
    try:
        settings = load(path)
    except ConfigError as error:
        return _complain(error.problems, BAD_CONFIGURATION)
    try:
        logs.check(settings.logging)
        listening = _bind(settings)
    except logs.CannotLog as error:
        return _complain([f"{path}: {error}"], BAD_CONFIGURATION)
    except server.CannotListen as error:
        return _complain([f"{path}: [Manage] port: {error}"], CANNOT_START)
    signals = Signals()
    signals.install()
    if not foreground:
        _go_into_background(settings, [*signals.descriptors, *([listening] if listening else [])])
    _lead_own_group()
    logs.set_up(settings.logging)
    try:
        return Daemon(settings, signals).run(listening)
    finally:
        signals.close()


def _complain(lines: tuple[str, ...] | list[str], code: int) -> int:
    sys.stderr.writelines(f"{line}\n" for line in lines)
    sys.stderr.flush()
    return code


def _bind(settings: Settings) -> socket.socket | None:
    if settings.manage.port < 0:
        return None
    return server.bind(settings.manage.address, settings.manage.port)


def _go_into_background(settings: Settings, kept: list[socket.socket]) -> None:
    if settings.logging.file in logs.STREAMS:
        _complain(
            [f"{settings.path}: [Logging] file: {settings.logging.file} is closed without --foreground: no log"], 0
        )
    umask = os.umask(0o022)
    DaemonContext(
        files_preserve=kept,
        umask=umask,
        signal_map={},  # our handlers stay
    ).open()


def _lead_own_group() -> None:
    """A process group of our own, so that the last kill reaches hung children and nobody else (row L5)."""
    try:
        os.setsid()
    except PermissionError:
        return  # it leads one already


class Daemon:
    """One run of the daemon, seen from the main thread."""

    def __init__(self, settings: Settings, signals: Signals) -> None:
        self._signals = signals
        self._vitals = Vitals()
        self._notifier = ServiceNotifier()
        self._warner = Scribe("scribe-half-way")
        self._ending = Ending(_writers(settings, self._vitals))
        brain = Fleet(settings.policy(), self._vitals.clock.now())
        self._published = Published(brain.view)
        self._crew = Crew(settings, Supervision(self._vitals, self._ending), brain, self._published)

    def run(self, listening: socket.socket | None) -> int:
        """Start everything, wait for signals, stop everything. Returns the exit code."""
        settings = self._crew.settings
        logger.info("%s %s started, libcloud %s", sys.argv[0], __version__, version("apache-libcloud"))
        for warning in settings.warnings:
            logger.warning("%s", warning)
        management = self._serve(listening)
        try:
            self._crew.start(good_round=self._good_round, half_way=self._half_way)
        except Exception:
            logger.exception("Uncaught exception during setup")
            return CANNOT_START
        self._wait_for_stop()
        code = self._stop()
        if management is not None:
            management.stop(HANGING)
        logging.shutdown()
        return code

    def _serve(self, listening: socket.socket | None) -> server.ManagementServer | None:
        if listening is None:
            logging.getLogger("status.Handler").warning(
                "Management server disabled. Use [Manage] config section to enable."
            )
            return None
        application = make_application(lambda: self._crew.settings, self._vitals, lambda: self._published.view)
        management = server.ManagementServer(application, listening)
        management.start()
        return management

    def _wait_for_stop(self) -> None:
        """Return at the first stop signal; obey the others."""
        ready = False
        while True:
            came = self._signals.next(None if ready else LOOK)
            if not ready and self._vitals.polls.first_round_over:
                self._notifier.ready()
                ready = True
            if came is None:
                continue
            number, _ = came
            if number == SIGHUP:
                self._reload()
            elif number == SIGUSR1:
                self._ending.words(Cause(CauseKind.ASKED, "SIGUSR1", "Last words were asked for by SIGUSR1"))
            else:
                logger.info("Shutting down after signal.")
                return

    def _reload(self) -> None:
        try:
            settings = load(self._crew.settings.path)
        except ConfigError as error:
            for problem in error.problems:
                logger.error("%s", problem)
            logger.error("The configuration in force stays as it was")
            return
        for warning in settings.warnings:
            logger.warning("%s", warning)
        logs.set_levels(settings.logging, before=self._crew.settings.logging)
        self._crew.reload(settings)

    def _stop(self) -> int:
        """Boots that have reached the cloud may finish; a second signal of a kind ends the wait."""
        self._notifier.stopping()
        self._crew.begin_stop()
        deadline = time.monotonic() + self._crew.settings.daemon.stop_timeout
        while not self._published.stopped.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                logger.warning("Operations were still under way after stop_timeout; the next run finishes them")
                break
            if _is_second_stop(self._signals.next(min(LOOK, left))):
                logger.warning("Stopping all actors after a second signal")
                break
        if not self._crew.stop(HANGING):
            logger.warning("Some actors hang; ending without them")
        return 0

    def _good_round(self) -> None:
        view = self._published.view
        counts = ", ".join(f"{number} {state}" for state, number in sorted(view.states.items()) if number)
        self._notifier.alive(f"{counts or 'no nodes'}; {view.wish} wanted, {len(view.jobs)} jobs waiting")

    def _half_way(self, text: str) -> None:
        """Half of the watchdog's time is over: tell what every thread does, without waiting for the log."""

        def warn() -> None:
            logger.warning("%s", text)
            for line in last_words.lines(last_words.collect(Cause(CauseKind.ASKED, "watchdog", text), self._vitals)):
                logger.warning("%s", line)

        self._warner.begin(warn)


def _writers(settings: Settings, vitals: Vitals) -> list[Callable[[Cause], None]]:
    """Who writes last words: the log, and the state directory where there is one that can be used."""
    writers = [last_words.log_writer(vitals)]
    if settings.daemon.state_dir:
        folder = Path(settings.daemon.state_dir)
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            logger.warning("[Daemon] state_dir: cannot use %s: %s", folder, error.strerror)
        else:
            writers.append(last_words.file_writer(vitals, folder))
    return writers


def _is_second_stop(came: tuple[Signal, int] | None) -> bool:
    return came is not None and came[0] not in (SIGHUP, SIGUSR1) and came[1] > 1
