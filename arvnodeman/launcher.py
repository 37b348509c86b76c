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
from importlib.metadata import version
from pathlib import Path
from signal import SIGHUP, SIGUSR1
from signal import Signals as Signal

from daemon import DaemonContext

from arvnodeman.actors.base import FATAL_TEXT, Supervision
from arvnodeman.actors.crew import Crew
from arvnodeman.cloud import throttle
from arvnodeman.cloud.registry import check_driver
from arvnodeman.config import ConfigError, Settings, load
from arvnodeman.doctor.facts import DaemonFacts
from arvnodeman.examination.hourly import HourlyExamination
from arvnodeman.examination.told import daemon_facts
from arvnodeman.fence.fence import of_process, open_fence, set_for_process
from arvnodeman.fleet.brain import Brain
from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.view.published import Published
from arvnodeman.fleet.view.view import View
from arvnodeman.history.recorder import Recorder
from arvnodeman.history.samples import step_of
from arvnodeman.history.treasury import Treasury
from arvnodeman.journal.writer import Journal
from arvnodeman.leader.keeper import LeadKeeper
from arvnodeman.leader.registry import check_leadership, keeper_of
from arvnodeman.loop.watched import WatchedBrain
from arvnodeman.manage import shapes
from arvnodeman.manage.listeners import Listeners, open_listeners
from arvnodeman.manage.places import DRY_RUN_FOLDER
from arvnodeman.manage.server import CannotListen
from arvnodeman.manage.site import make_application
from arvnodeman.manage.source import Source
from arvnodeman.records.keeper import check_keeper
from arvnodeman.slurm.budgeted import unknown_accounts
from arvnodeman.slurm.run import kill_descendants
from arvnodeman.supervision import logs
from arvnodeman.supervision.ending import ExitCause, ExitKind, is_fatal
from arvnodeman.supervision.one_writer import AlreadyRunning, OneWriter, lock_of
from arvnodeman.supervision.proven import ProvenSizes
from arvnodeman.supervision.raises import RaisedBudgets
from arvnodeman.supervision.run import Run, longest_silence, open_state_dir
from arvnodeman.supervision.service import ServiceNotifier
from arvnodeman.supervision.signals import Signals, StopCame
from arvnodeman.supervision.vitals import RefusedReload, Vitals
from arvnodeman.version import __version__

BAD_CONFIGURATION = 2
CANNOT_START = 1
ALREADY_RUNNING = 3
CHECK_EVERY = 0.1  # seconds between checks whether a start or a stop is over
HANGING = 2.0  # seconds that actors have to stop when the process ends

logger = logging.getLogger()


def main(path: str, *, foreground: bool, dry_run: bool = False) -> int:
    """Run the daemon until it is told to stop. Returns the exit code: 0 after an orderly stop, 2 for a mistake in the
    configuration, in slurm.conf too where Slurm keeps the node records, 3 when another daemon of the cluster runs, 1
    when a resource cannot be had. Must be called in the main thread. A dry run decides and touches nothing, beside
    another daemon or without one."""
    signals = Signals()
    signals.install()
    try:
        return _start(str(Path(path).absolute()), signals, foreground=foreground, dry_run=dry_run)
    except StopCame:
        kill_descendants()
        return 0
    finally:
        signals.close()
        set_for_process(open_fence())


def _start(path: str, signals: Signals, *, foreground: bool, dry_run: bool) -> int:
    """The same, from when signals are heard. `path` is absolute: the background has another working directory."""
    try:
        with signals.ending_at_once():
            settings = load(path)
            check_driver(settings)
            check_leadership(settings)
            settings = check_keeper(settings)
    except ConfigError as error:
        return 0 if signals.stop_came else _complain(error.lines, BAD_CONFIGURATION)
    folder = settings.daemon.state_dir
    state_dir, complaint = open_state_dir(f"{folder}/{DRY_RUN_FOLDER}" if folder and dry_run else folder)
    try:
        logs.check(settings.logging)
        writer = OneWriter(lock_of(settings, state_dir, dry_run=dry_run), state_dir)
        listeners = open_listeners(settings.manage, state_dir, dry_run=dry_run)
    except logs.CannotLog as error:
        return _complain([f"{path}: {error}"], BAD_CONFIGURATION)
    except AlreadyRunning as error:
        return _complain([f"{path}: {error}"], ALREADY_RUNNING)
    except CannotListen as error:
        return _complain([f"{path}: {error}"], CANNOT_START)
    try:
        if not foreground:
            _go_into_background(settings, [*signals.descriptors, *writer.descriptors, *listeners.sockets])
        _lead_own_group()
        writer.settle()
        logs.set_up(settings.logging)
        if signals.stop_came:
            logger.info("Shutting down after signal.")
            return 0
        return Daemon(settings, signals, writer, state_dir, dry_run=dry_run).run(listeners, complaint)
    finally:
        listeners.close(HANGING)
        writer.release()


def _complain(lines: tuple[str, ...] | list[str], code: int) -> int:
    sys.stderr.writelines(f"{line}\n" for line in lines)
    sys.stderr.flush()
    return code


def _go_into_background(settings: Settings, kept: list[socket.socket | int]) -> None:
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


class PublishedMind:
    """The brain, as last words ask it."""

    def __init__(self, published: Published) -> None:
        self._published = published

    def view(self) -> View:
        """Its newest snapshot."""
        return self._published.view

    def decisions(self, newest: int) -> list[tuple[float, str]]:
        """The newest decisions, oldest first: seconds since the epoch, and the line."""
        kept = self._published.decisions
        return [(decision.at, decision.words) for decision in kept.after(kept.last - newest)]


class Daemon:
    """One run of the daemon, seen from the main thread."""

    def __init__(
        self,
        settings: Settings,
        signals: Signals,
        writer: OneWriter,
        state_dir: Path | None,
        *,
        dry_run: bool = False,
    ) -> None:
        self._signals = signals
        self._writer = writer
        self._vitals = Vitals()
        self._notifier = ServiceNotifier()
        self._ready = False
        self._dry_run = dry_run
        policy, now = settings.policy(), self._vitals.clock.now()
        brain: Brain = Fleet(policy, now)
        self._journal: Journal | None = None
        if settings.daemon.journal and state_dir is not None:
            self._journal = Journal(state_dir, policy, now)
            brain = WatchedBrain(brain, self._journal.note)
        self._published = Published(brain.view)
        self._run = Run(settings.daemon, state_dir, self._vitals, PublishedMind(self._published))
        supervision = Supervision(self._vitals, self._run.ending)
        self._proven = None
        if state_dir is not None and not dry_run:
            self._proven = ProvenSizes(state_dir, settings, self._published)
        known = self._proven.known if self._proven is not None else frozenset[str]()
        self._raises = RaisedBudgets(state_dir, now)
        self._lead: LeadKeeper | None = None if dry_run else keeper_of(settings, self._run.ending)
        self._crew = Crew(
            settings,
            supervision,
            brain,
            self._published,
            dry_run=dry_run,
            proven=known,
            raised=self._raises.kept,
            saw_generation=self._lead.saw if self._lead is not None else lambda _generation: None,
            poked=self._lead.poked if self._lead is not None else lambda: None,
        )
        shortest = min(map(settings.poll_time_of, Poll))
        days = settings.daemon.history_days
        self._recorder = Recorder(
            self._published,
            self._vitals,
            step_of(shortest),
            self._crew.waits,
            state_dir,
            days,
            on_nodes=self._crew.on_nodes,
        )
        treasury = Treasury(self._recorder.chronicle.bills, lambda: self._published.view.cloud_clock)
        self._crew.ask_spending(treasury.spending)
        self._examination = HourlyExamination(
            lambda: self._crew.settings,
            self._told,
            self._vitals.clock.now,
            changes=lambda: not dry_run and of_process().standing.acts,
        )

    def run(self, listeners: Listeners, complaint: str = "") -> int:
        """Start everything, wait for signals, stop everything. Returns the exit code. `complaint`: a line for the log
        from before there was one."""
        settings = self._crew.settings
        logger.info("%s %s started, libcloud %s", sys.argv[0], __version__, version("apache-libcloud"))
        for warning in (*settings.warnings, *filter(None, [complaint, self._deadlines()]), *_nobodys(settings)):
            logger.warning("%s", warning)
        if self._dry_run:
            logger.warning("Dry run: what would be done is logged, and nothing is changed")
        try:
            self._run.begin()
            self._recorder.start()
            for keeper in self._keepers():
                keeper.start()
            listeners.serve(make_application(self._source()))
            self._crew.start(good_round=self._good_round, half_way=self._run.half_way)
            if self._lead is not None:
                self._lead.start(self._crew.tell_lead)
            number = self._wait_for_stop()
            hanging = not self._stop()
            self._recorder.stop(HANGING)
            for keeper in self._keepers():
                keeper.stop(HANGING)
            listeners.close(HANGING)
            self._raises.close()
        except Exception as error:  # noqa: BLE001 (it is logged there, and ends the process)
            return self._failed(error)
        self._run.close(ExitKind.CLEAN, number.name, hanging=hanging)
        return 0

    def _keepers(self) -> list[Journal | ProvenSizes | HourlyExamination]:
        """Those that work beside the actors: two write for later runs, one examines the site."""
        return [keeper for keeper in (self._journal, self._proven, self._examination) if keeper is not None]

    def _told(self) -> DaemonFacts:
        """What only this daemon knows of its site."""
        source = self._source()
        return daemon_facts(shapes.status(source), shapes.groups(source.moment()))

    def _failed(self, error: Exception) -> int:
        """An exception in the main thread, at the start or later (rows J7, N11)."""
        if is_fatal(error):
            self._run.ending.now(
                ExitCause(ExitKind.FATAL, f"main thread: {type(error).__name__}", FATAL_TEXT, error=error)
            )
        logger.error("Uncaught exception %s", "in the main thread" if self._ready else "during setup", exc_info=error)
        self._run.close(ExitKind.FAILED, f"{type(error).__name__}: {error}", hanging=True)
        return CANNOT_START

    def _deadlines(self) -> str:
        """A service manager that is less patient than the watchdog kills without last words: a line that says so."""
        needed, given = longest_silence(self._crew.settings.daemon), self._notifier.watchdog
        if given is None or given > needed:
            return ""
        return (
            f"The service manager's watchdog waits for {given:g} s only: with [Daemon] watchdog and watchdog_interval "
            f"as they are, WatchdogSec should be above {needed:g} s"
        )

    def _source(self) -> Source:
        """What the management server reads."""
        return Source(
            settings=lambda: self._crew.settings,
            vitals=self._vitals,
            published=self._published,
            waits=self._crew.waits,
            say=self._crew.say,
            keep_raise=self._raises.keep,
            history=self._recorder.chronicle,
            dry_run=self._dry_run,
            examined=lambda: self._examination.newest,
            request_rates=throttle.rates,
            leading=lambda: self._lead.leading if self._lead is not None else None,
        )

    def _wait_for_stop(self) -> Signal:
        """Obey signals until one says stop; that one."""
        while True:
            came = self._signals.next(None if self._ready else CHECK_EVERY)
            if not self._ready and self._vitals.polls.first_round_over:
                self._notifier.ready()
                self._ready = True
            if came is None:
                continue
            number, _ = came
            if number == SIGHUP:
                self._reload()
            elif number == SIGUSR1:
                self._run.ending.words(ExitCause(ExitKind.ASKED, "SIGUSR1", "Last words were asked for by SIGUSR1"))
            else:
                logger.info("Shutting down after signal.")
                return number

    def _reload(self) -> None:
        """Whatever is wrong with the new file, the last good one stays in force."""
        if self._ready:
            self._notifier.reloading()
        try:
            settings = load(self._crew.settings.path)
            settings.policy()
            if settings.warnings:  # a name that is not known: what it was meant for would fall back to its default
                raise ConfigError((), settings.warnings)
            check_leadership(settings)
            logs.set_levels(settings.logging, before=self._crew.settings.logging)
            self._crew.reload(settings)
            for warning in _nobodys(settings):
                logger.warning("%s", warning)
            self._vitals.refused_reload = None
        except ConfigError as error:
            for problem in error.lines:
                logger.error("%s", problem)
            logger.error("The configuration in force is unchanged")
            self._vitals.refused_reload = RefusedReload(self._vitals.clock.now(), error.lines)
        except Exception as error:
            if is_fatal(error):
                raise
            logger.exception("while reading the configuration again; the one in force is unchanged")
            problem = f"{type(error).__name__}: an error of the program, with a traceback in its log"
            self._vitals.refused_reload = RefusedReload(self._vitals.clock.now(), (problem,))
        if self._ready:
            self._notifier.ready()

    def _stop(self) -> bool:
        """Boots that have reached the cloud may finish; a second signal of a kind ends the wait. False: some actors
        hang, and perhaps children of theirs."""
        timeout = self._crew.settings.daemon.stop_timeout
        self._notifier.stopping()
        self._crew.begin_stop()
        self._run.stopping(timeout)
        deadline = time.monotonic() + timeout
        while not self._vitals.stopped.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                logger.warning("Operations were still under way after stop_timeout; the next run finishes them")
                break
            if _is_second_stop(self._signals.next(min(CHECK_EVERY, left))):
                logger.warning("Stopping all actors after a second signal")
                break
        over = self._crew.stop(HANGING)
        if self._lead is not None:
            self._lead.stop(HANGING, give_up=over)  # else what hangs may be a request: the lead runs out instead
        if over:
            return True
        logger.warning("Some actors hang; ending without them")
        return False

    def _good_round(self) -> None:
        """The watchdog's: everybody who waits for signs of life hears one."""
        self._run.good_round()
        self._writer.hear_callers()
        view = self._published.view
        counts = ", ".join(f"{number} {state}" for state, number in sorted(view.states.items()) if number)
        safe = "safe mode: nothing is created or destroyed; " if view.safe_mode else ""
        safe = "stands by; " + safe if view.stands_by else safe
        safe = "dry run; " + safe if self._dry_run else safe
        self._notifier.alive(f"{safe}{counts or 'no nodes'}; {view.wish} wanted, {len(view.jobs)} jobs waiting")


def _nobodys(settings: Settings) -> list[str]:
    """Accounts of budgets that Slurm does not know, a line each."""
    return unknown_accounts(settings.budgets) if settings.policy().asks_scheduler else []


def _is_second_stop(came: tuple[Signal, int] | None) -> bool:
    return came is not None and came[0] not in (SIGHUP, SIGUSR1) and came[1] > 1
