"""The tables of the history file, and how rows are put into them.

The file is SQLite with a rollback journal, not with a WAL. One thread writes one transaction a minute, so readers and
the writer hardly ever meet, and a WAL's shared memory has a price: a file that is cut short, or a broken disk, under it
ends the process by SIGBUS. With a journal there is one file at rest, which can be copied, and read by whoever may.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

FILE_NAME = "history.sqlite"
FIRST_VERSION, VERSION = 1, 5
APPLICATION = 0x414E4D48  # "ANMH", by which other programs' files are told apart

READY = ("spare", "ahead")  # idle nodes that stay as spares, or for jobs that cannot start yet
PREDICTIONS = (
    # What `simulate --save` told of a time, to be held against what came.
    """CREATE TABLE prediction (made REAL NOT NULL, since REAL NOT NULL, until REAL NOT NULL, config TEXT NOT NULL,
       jobs INTEGER NOT NULL, node_hours REAL NOT NULL, cost REAL NOT NULL, mean_wait REAL NOT NULL)""",
)
WHO_PAYS = (
    # Jobs on nodes, a row for each of both: until when (NULL: it is there), whose, and the larger of its shares of the
    # node's cores and memory. A node is known by the name that it had.
    """CREATE TABLE run (host TEXT NOT NULL, began REAL NOT NULL, job TEXT NOT NULL, ended REAL, part REAL NOT NULL,
       user TEXT NOT NULL, account TEXT NOT NULL, qos TEXT NOT NULL, "partition" TEXT NOT NULL,
       PRIMARY KEY (host, began, job)) WITHOUT ROWID""",
    "CREATE INDEX run_ended ON run (ended)",
    # The jobs that a node was booted for, by its id and when it was first seen.
    """CREATE TABLE booted_for (id TEXT NOT NULL, at REAL NOT NULL, job TEXT NOT NULL, part REAL NOT NULL,
       user TEXT NOT NULL, account TEXT NOT NULL, qos TEXT NOT NULL, "partition" TEXT NOT NULL,
       PRIMARY KEY (id, at, job)) WITHOUT ROWID""",
)
TABLES = (
    # Nodes, a row for each at one price: when it began and ended (NULL: not yet), and how; of one with a rung its key,
    # what it would cost on demand, and for how many seconds it had worked without a break when it was gone.
    """CREATE TABLE life (id TEXT NOT NULL, began REAL NOT NULL, ended REAL, how TEXT NOT NULL, name TEXT NOT NULL,
       hostname TEXT NOT NULL, size TEXT NOT NULL, price REAL NOT NULL, preemptible INTEGER NOT NULL,
       follows INTEGER NOT NULL, rung TEXT NOT NULL DEFAULT '', on_demand REAL NOT NULL DEFAULT 0,
       lost REAL NOT NULL DEFAULT 0, PRIMARY KEY (id, began)) WITHOUT ROWID""",
    "CREATE INDEX life_ended ON life (ended)",
    # The whole site at one moment.
    """CREATE TABLE sample (at INTEGER PRIMARY KEY, booting INTEGER NOT NULL, unpaired INTEGER NOT NULL,
       idle INTEGER NOT NULL, busy INTEGER NOT NULL, other INTEGER NOT NULL, queue INTEGER, capacity INTEGER NOT NULL,
       price REAL NOT NULL)""",
    # Seconds that nodes of one size spent in each state since the step before. Of idle ones those that stayed as
    # spares, or for jobs that could not start yet, are apart.
    """CREATE TABLE usage (at INTEGER NOT NULL, size TEXT NOT NULL, booting REAL NOT NULL, unpaired REAL NOT NULL,
       idle REAL NOT NULL, busy REAL NOT NULL, other REAL NOT NULL, spare REAL NOT NULL DEFAULT 0,
       ahead REAL NOT NULL DEFAULT 0, PRIMARY KEY (at, size)) WITHOUT ROWID""",
    # How far the brain's counters went on since the step before.
    """CREATE TABLE tally (at INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
       PRIMARY KEY (at, name)) WITHOUT ROWID""",
    # Jobs that left the queue since the step before, those together that had waited equally long (by 2 %).
    """CREATE TABLE wait (at INTEGER NOT NULL, bucket INTEGER NOT NULL, jobs INTEGER NOT NULL, total REAL NOT NULL,
       longest REAL NOT NULL, PRIMARY KEY (at, bucket)) WITHOUT ROWID""",
    # Jobs that wait now, for the next run.
    "CREATE TABLE waiting (job TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID",
    # Prices of sizes, when they change.
    """CREATE TABLE price (at INTEGER NOT NULL, size TEXT NOT NULL, price REAL NOT NULL,
       PRIMARY KEY (at, size)) WITHOUT ROWID""",
    "CREATE TABLE decision (at REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, words TEXT NOT NULL)",
    "CREATE INDEX decision_at ON decision (at)",
    *PREDICTIONS,
    *WHO_PAYS,
)

MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE life ADD COLUMN rung TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE life ADD COLUMN on_demand REAL NOT NULL DEFAULT 0",
        "ALTER TABLE life ADD COLUMN lost REAL NOT NULL DEFAULT 0",
    ),
    2: PREDICTIONS,
    3: WHO_PAYS,
    4: tuple(f"ALTER TABLE usage ADD COLUMN {kind} REAL NOT NULL DEFAULT 0" for kind in READY),
}
"""What turns a file of this version into one of the next. A step adds tables, or columns with a default, and changes
nothing that is there: a build that is older than the file goes on reading and writing it, so that neither an upgrade
nor a way back sets a site's costs aside. VERSION goes up by one with each, and TABLES change likewise."""

LIFE = "id, began, ended, how, name, hostname, size, price, preemptible, follows, rung, on_demand, lost"
SAMPLE = "at, booting, unpaired, idle, busy, other, queue, capacity, price"
PREDICTION = "made, since, until, config, jobs, node_hours, cost, mean_wait"
RUN = 'host, began, job, ended, part, user, account, qos, "partition"'
BOOTED_FOR = 'id, at, job, part, user, account, qos, "partition"'
"""The columns of some tables by name: a newer build may have added some behind them."""

INSERT = {
    "life": f"INSERT OR REPLACE INTO life ({LIFE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 (names of our own)
    "sample": f"INSERT OR REPLACE INTO sample ({SAMPLE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
    "usage": """INSERT INTO usage (at, size, booting, unpaired, idle, busy, other) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET booting = booting + excluded.booting,
        unpaired = unpaired + excluded.unpaired, idle = idle + excluded.idle,
        busy = busy + excluded.busy, other = other + excluded.other""",
    "stood ready": """INSERT INTO usage (at, size, booting, unpaired, idle, busy, other, spare, ahead)
        VALUES (?, ?, 0, 0, 0, 0, 0, ?, ?)
        ON CONFLICT DO UPDATE SET spare = spare + excluded.spare, ahead = ahead + excluded.ahead""",
    "tally": """INSERT INTO tally (at, name, count) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET count = count + excluded.count""",
    "wait": """INSERT INTO wait (at, bucket, jobs, total, longest) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs,
        total = total + excluded.total, longest = max(longest, excluded.longest)""",
    "waiting": "INSERT OR REPLACE INTO waiting (job, since) VALUES (?, ?)",
    "waits no more": "DELETE FROM waiting WHERE job = ?",
    "price": "INSERT OR REPLACE INTO price (at, size, price) VALUES (?, ?, ?)",
    "decision": "INSERT INTO decision (at, kind, subject, words) VALUES (?, ?, ?, ?)",
    "run": f"INSERT OR REPLACE INTO run ({RUN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
    "booted_for": f"INSERT OR REPLACE INTO booted_for ({BOOTED_FOR}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
    "prediction": f"INSERT INTO prediction ({PREDICTION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
}

# What is pruned: by which moment, and how many rows there may be at most, however young they are.
AGES = {"life": "ended", "sample": "at", "usage": "at", "tally": "at", "wait": "at", "price": "at", "decision": "at"}
AGES |= {"waiting": "since", "prediction": "until", "run": "ended", "booted_for": "at"}
MOST_ROWS = {
    "life": 1_000_000,
    "sample": 500_000,
    "usage": 2_000_000,
    "tally": 500_000,
    "wait": 1_000_000,
    "price": 100_000,
    "decision": 250_000,
    "waiting": 200_000,
    "prediction": 10_000,
    "run": 2_000_000,
    "booted_for": 1_000_000,
}

Row = tuple[str, tuple[object, ...]]  # a key of INSERT, and the values


class NotOurs(Exception):
    """The file is no history, or broken. The text says so in words."""


def is_empty(connection: sqlite3.Connection) -> bool:
    """Has nobody put anything into this file yet? Raises sqlite3.Error."""
    return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file, all or none. Raises sqlite3.Error."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    for table in TABLES:
        connection.execute(table)
    connection.execute("COMMIT")


def check(connection: sqlite3.Connection) -> int:
    """Is this a history? Its version: an older one is to be migrated before it is written to; a newer one is read and
    written as it is (see MIGRATIONS). Raises NotOurs, sqlite3.Error."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION:
        raise NotOurs("it is another program's database")
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version < FIRST_VERSION:
        raise NotOurs(f"its version is {version}, and none below {FIRST_VERSION} was ever made")
    return version


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Turn a file of an older version into one of this one, wholly or not at all. Raises sqlite3.Error."""
    if version >= VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, VERSION):
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise


def is_broken(error: sqlite3.Error) -> bool:
    """Does this error say that the file is not a database, or a damaged one? All others pass."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def no_file(path: Path) -> str:
    """Why there is no ordinary file at this path; '' when there is one, or none at all."""
    return "it is not a regular file" if path.exists() and not path.is_file() else ""
