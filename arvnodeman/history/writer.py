"""The writer: the one thread that touches the history file. A disk that hangs or is full holds up nobody else."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from arvnodeman.history import schema
from arvnodeman.history.chronicle import Chronicle
from arvnodeman.history.file import EarlierRuns, HistoryFile
from arvnodeman.history.money import starts
from arvnodeman.history.outbox import Outbox
from arvnodeman.money.ledger import KEPT
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.ending import is_fatal

PRUNE_EVERY = 3600.0  # seconds
WEIGH_EVERY = 600.0  # seconds
SPOT_DAYS = 30.0  # of which it is told whether spot paid
DAY = 86_400.0  # seconds

logger = logging.getLogger("arvnodeman.history")


class Writer:
    """Started and stopped by the recorder. `outbox` is what it is given."""

    def __init__(self, folder: Path, days: int, clock: Clock, chronicle: Chronicle) -> None:
        """`days`: how long rows are kept."""
        self.outbox = Outbox()
        self._earlier: EarlierRuns | None = None
        self._alone = False  # lives that an earlier run left open are not known to the recorder
        self.loaded = threading.Event()
        self._file = HistoryFile(folder / schema.FILE_NAME)
        self._days = days
        self._clock = clock
        self._chronicle = chronicle
        self._failing = False
        self._pruned: float | None = None  # monotonic
        self._weighed: float | None = None  # likewise: whether spot paid
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="HistoryWriter", daemon=True)

    def start(self) -> None:
        """Begin: what earlier runs have left is read first."""
        self._thread.start()

    def take_earlier(self) -> EarlierRuns | None:
        """What earlier runs have left; None when it is not known (yet). Then this run's lives stand alone."""
        kept, self._earlier = self._earlier, EarlierRuns()
        self._alone = kept is None
        return kept

    def write_soon(self) -> None:
        """There is something in the outbox. Never waits."""
        self._wake.set()

    def stop(self, timeout: float) -> None:
        """Write what there is, and end; waits for at most `timeout` seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        self._try(self._load)
        self.loaded.set()
        last = False
        while not last:
            self._wake.wait()
            self._wake.clear()
            last = self._stopping
            self._try(self._write)
        self._file.close()

    def _try(self, work: object) -> None:
        """Whatever fails costs a line when it begins and one when it is over, and is tried again the next time."""
        assert callable(work)
        try:
            work()
        except (sqlite3.Error, OSError) as error:
            if is_fatal(error):
                raise
            self._chronicle.writing = False
            if not self._failing:
                logger.warning(
                    "%s cannot be written: %s; the daemon continues without it", self._file.path, _text(error)
                )
            self._failing = True
        except Exception as error:
            if is_fatal(error):
                raise
            logger.exception("while writing %s", self._file.path)
        else:
            if self._failing:
                lost = f"; {self.outbox.dropped} rows were dropped so far" if self.outbox.dropped else ""
                logger.warning("%s is written again%s", self._file.path, lost)
            self._failing = False
            self._chronicle.writing = True
        self._chronicle.dropped = self.outbox.dropped
        self._chronicle.bytes = self._file.size

    def _load(self) -> None:
        self._file.open()
        now = self._clock.now()
        self._earlier = self._file.earlier_runs(since=min(starts(now)["month"], now - KEPT))

    def _write(self) -> None:
        if self._alone:
            self._file.open()
            self._file.forget_open_lives()
            self._alone = False
        while rows := self.outbox.take():
            try:
                self._file.write(rows)
            except BaseException:
                self.outbox.give_back(rows)
                raise
            self._chronicle.written += len(rows)
        now = self._clock.monotonic()
        if not self._stopping and (self._pruned is None or now - self._pruned >= PRUNE_EVERY):
            self._file.open()
            self._file.prune(self._clock.now() - self._days * DAY)
            self._pruned = now
        if not self._stopping and (self._weighed is None or now - self._weighed >= WEIGH_EVERY):
            self._file.open()
            wall = self._clock.now()
            self._chronicle.spot = self._file.spot(wall - SPOT_DAYS * DAY, wall)
            self._weighed = now


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
