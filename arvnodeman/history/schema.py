"""The tables of the history file, and how rows are put into them.

The file is SQLite with a rollback journal, not with a WAL. One thread writes one transaction a minute, so readers and
the writer hardly ever meet, and a WAL's shared memory has a price: a file that is cut short, or a broken disk, under it
ends the process by SIGBUS. With a journal there is one file at rest, which can be copied, and read by whoever may.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

FILE_NAME = "history.sqlite"
VERSION = 1
APPLICATION = 0x414E4D48  # "ANMH", by which other programs' files are told apart

TABLES = (
    # Nodes, a row for each at one price: when it began and ended (NULL: not yet), and how.
    """CREATE TABLE life (id TEXT NOT NULL, began REAL NOT NULL, ended REAL, how TEXT NOT NULL, name TEXT NOT NULL,
       hostname TEXT NOT NULL, size TEXT NOT NULL, price REAL NOT NULL, preemptible INTEGER NOT NULL,
       follows INTEGER NOT NULL, PRIMARY KEY (id, began)) WITHOUT ROWID""",
    "CREATE INDEX life_ended ON life (ended)",
    # The whole site at one moment.
    """CREATE TABLE sample (at INTEGER PRIMARY KEY, booting INTEGER NOT NULL, unpaired INTEGER NOT NULL,
       idle INTEGER NOT NULL, busy INTEGER NOT NULL, other INTEGER NOT NULL, queue INTEGER, capacity INTEGER NOT NULL,
       price REAL NOT NULL)""",
    # Seconds that nodes of one size spent in each state since the step before.
    """CREATE TABLE usage (at INTEGER NOT NULL, size TEXT NOT NULL, booting REAL NOT NULL, unpaired REAL NOT NULL,
       idle REAL NOT NULL, busy REAL NOT NULL, other REAL NOT NULL, PRIMARY KEY (at, size)) WITHOUT ROWID""",
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
)

INSERT = {
    "life": "INSERT OR REPLACE INTO life VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "sample": "INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "usage": """INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        booting = booting + excluded.booting, unpaired = unpaired + excluded.unpaired, idle = idle + excluded.idle,
        busy = busy + excluded.busy, other = other + excluded.other""",
    "tally": "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
    "wait": """INSERT INTO wait VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs,
        total = total + excluded.total, longest = max(longest, excluded.longest)""",
    "waiting": "INSERT OR REPLACE INTO waiting VALUES (?, ?)",
    "waits no more": "DELETE FROM waiting WHERE job = ?",
    "price": "INSERT OR REPLACE INTO price VALUES (?, ?, ?)",
    "decision": "INSERT INTO decision VALUES (?, ?, ?, ?)",
}

# What is pruned: by which moment, and how many rows there may be at most, however young they are.
AGES = {"life": "ended", "sample": "at", "usage": "at", "tally": "at", "wait": "at", "price": "at", "decision": "at"}
AGES["waiting"] = "since"
MOST_ROWS = {
    "life": 1_000_000,
    "sample": 500_000,
    "usage": 2_000_000,
    "tally": 500_000,
    "wait": 1_000_000,
    "price": 100_000,
    "decision": 250_000,
    "waiting": 200_000,
}

Row = tuple[str, tuple[object, ...]]  # a key of INSERT, and the values


class NotOurs(Exception):
    """The file is no history, or of another version, or broken. The text says so in words."""


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


def check(connection: sqlite3.Connection) -> None:
    """Is this a history of this version? Raises NotOurs, sqlite3.Error."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION:
        raise NotOurs("it is another program's database")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise NotOurs(f"its version is {version}, and {VERSION} is known")


def is_broken(error: sqlite3.Error) -> bool:
    """Does this error say that the file is no database, or a damaged one? All others pass."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def no_file(path: Path) -> str:
    """Why there is no ordinary file at this path; '' when there is one, or none at all."""
    return "it is no regular file" if path.exists() and not path.is_file() else ""
