"""The history file, as its one writer uses it: opened with caution, written in whole transactions, pruned."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arvnodeman.history import schema
from arvnodeman.history.lives import Life
from arvnodeman.history.paying import PaidLife, paid_lives
from arvnodeman.history.samples import KEPT, Sample
from arvnodeman.history.schema import NotOurs, Row
from arvnodeman.history.spot import SpotPaid, paid

PATIENCE = 30.0  # seconds that a reader may hold the writer up
CHUNK = 86_400.0  # seconds of history that are pruned in one transaction
PAGES_GIVEN_BACK = 5000  # to the file system, after each pruning

logger = logging.getLogger("arvnodeman.history")


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """What earlier runs have left."""

    lives: Sequence[Life] = ()  # that go on, or ended in the time asked for
    samples: Sequence[Sample] = ()
    waiting: Mapping[str, float] = field(default_factory=dict)  # job -> since when it waits
    prices: Mapping[str, float] = field(default_factory=dict)  # size -> $/hour
    began: float | None = None  # when the account begins; None: it is a new one
    last: float | None = None  # the newest sample
    paid: Sequence[PaidLife] = ()  # lives that go on, or ended of late, with the jobs that were on them


class HistoryFile:
    """Used by one thread. What cannot be used is set aside; what fails for another reason raises, and may be tried
    again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open, or make, the file. Raises sqlite3.Error, OSError."""
        if self._connection is not None:
            return
        try:
            self._open()
        except NotOurs as error:
            self._set_aside(str(error))
            self._open()
        except sqlite3.Error as error:
            self.close()
            if not schema.is_broken(error):
                raise
            self._set_aside(str(error))
            self._open()

    def earlier_runs(self, since: float) -> EarlierRuns:
        """What is in it: all lives that go on or ended since this moment. Raises sqlite3.Error."""
        ask = self._open_connection().execute
        life = f"SELECT {schema.LIFE} FROM life WHERE ended"  # noqa: S608 (names of our own)
        lives = ask(f"{life} IS NULL UNION ALL {life} >= ?", (since,))
        sample = f"SELECT {schema.SAMPLE} FROM sample ORDER BY at DESC LIMIT ?"  # noqa: S608
        samples = [Sample(*row) for row in ask(sample, (KEPT,))]
        samples.reverse()
        first = ask("SELECT min(at) FROM sample").fetchone()[0]
        prices = ask("SELECT size, price FROM price ORDER BY at")
        return EarlierRuns(
            lives=[life_of(row) for row in lives],
            samples=samples,
            waiting=dict(ask("SELECT job, since FROM waiting")),
            prices=dict(prices),
            began=None if first is None else float(first),
            last=samples[-1].at if samples else None,
            paid=list(paid_lives(self._open_connection(), since, math.inf)),
        )

    def write(self, rows: Iterable[Row]) -> None:
        """Put these in, all or none. Raises sqlite3.Error, OSError."""
        self.open()
        connection = self._open_connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for kind, values in rows:
                connection.execute(schema.INSERT[kind], values)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._take_back(error)
            raise

    def forget_open_lives(self) -> None:
        """Those of an earlier run: nobody knows when they ended, and those that go on are written anew. Raises
        sqlite3.Error."""
        self._open_connection().execute("DELETE FROM life WHERE ended IS NULL")

    def prune(self, before: float) -> None:
        """Forget what is older than this moment, and what is too much. Raises sqlite3.Error."""
        connection = self._open_connection()
        try:
            for table, moment in schema.AGES.items():
                cut = (
                    max(before, _cut(connection, table, moment))
                    if table != "waiting"
                    else _cut(connection, table, moment)
                )
                _delete(connection, table, moment, cut)
            # a page for each step, and no rows: only executescript() steps to the end
            connection.executescript(f"PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})")
        except sqlite3.Error as error:
            self._take_back(error)
            raise

    def spot(self, since: float, now: float) -> SpotPaid:
        """Whether spot nodes paid. Raises sqlite3.Error."""
        return paid(self._open_connection(), since, now)

    @property
    def size(self) -> int:
        """In bytes; 0 when it is not there."""
        with contextlib.suppress(OSError):
            return self.path.stat().st_size
        return 0

    def close(self) -> None:
        """Let go of it. Again is harmless."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _open(self) -> None:
        if complaint := schema.no_file(self.path):
            raise NotOurs(complaint)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
        connection = self._connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        try:
            if schema.is_empty(connection):
                schema.create(connection)
            else:
                version = schema.check(connection)
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    raise NotOurs(f"it is damaged: {found.splitlines()[0]}")
                schema.migrate(connection, version)
        except BaseException:
            self.close()
            raise

    def _open_connection(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def _take_back(self, error: sqlite3.Error) -> None:
        """A transaction has failed. A damaged file is not written to any more: the next try begins a new one."""
        connection = self._open_connection()
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self.close()
        if schema.is_broken(error):
            self._set_aside(str(error))

    def _set_aside(self, why: str) -> None:
        """Out of the way, its journal too: that belongs to it. Raises OSError."""
        aside = self.path.with_name(f"{self.path.name}.set-aside")
        journal = self.path.with_name(f"{self.path.name}-journal")
        if journal.exists():
            journal.replace(aside.with_name(f"{aside.name}-journal"))
        self.path.replace(aside)
        logger.warning("%s cannot be used: %s; it is set aside as %s, a new one begins", self.path, why, aside.name)


def life_of(row: Sequence[object]) -> Life:
    """A row of the table `life`."""
    identity, began, ended, how, name, hostname, size, price, preemptible, follows, rung, on_demand, lost = row
    return Life(
        id=str(identity),
        began=_number(began),
        name=str(name),
        hostname=str(hostname),
        size=str(size),
        price=_number(price),
        preemptible=bool(preemptible),
        follows=bool(follows),
        ended=None if ended is None else _number(ended),
        how=str(how),
        rung=str(rung),
        on_demand=_number(on_demand),
        lost=_number(lost),
    )


def life_row(life: Life) -> Row:
    """The row of a life."""
    return "life", (
        life.id,
        round(life.began, 3),
        None if life.ended is None else round(life.ended, 3),
        life.how,
        life.name,
        life.hostname,
        life.size,
        life.price,
        life.preemptible,
        life.follows,
        life.rung,
        life.on_demand,
        round(life.lost, 3),
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _cut(connection: sqlite3.Connection, table: str, moment: str) -> float:
    """The moment before which rows must go for their number alone."""
    ended = f"WHERE {moment} IS NOT NULL"
    count = connection.execute(f"SELECT count(*) FROM {table} {ended}").fetchone()[0]  # noqa: S608 (names of our own)
    surplus = count - schema.MOST_ROWS[table]
    if surplus <= 0:
        return 0.0
    query = f"SELECT {moment} FROM {table} {ended} ORDER BY {moment} LIMIT 1 OFFSET ?"  # noqa: S608
    return _number(connection.execute(query, (surplus,)).fetchone()[0])


def _delete(connection: sqlite3.Connection, table: str, moment: str, before: float) -> None:
    while True:
        oldest = connection.execute(f"SELECT min({moment}) FROM {table}").fetchone()[0]  # noqa: S608
        if oldest is None or oldest >= before:
            return
        connection.execute(f"DELETE FROM {table} WHERE {moment} < ?", (min(before, oldest + CHUNK),))  # noqa: S608
