"""The history file as others read it, while the daemon writes it or long after."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from arvnodeman.history import schema
from arvnodeman.history.schema import NotOurs

PATIENCE = 10.0  # seconds that the writer may hold a reader up


class CannotRead(Exception):
    """The file is not there, no history, or broken. The text is one line for people."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One moment of the file, whatever is written meanwhile; nothing in it is changed. Raises CannotRead, also for
    what goes wrong inside the block."""
    try:
        connection = _open(path)
    except NotOurs as error:
        raise CannotRead(f"{path} is not a history that can be read: {error}") from None
    except (sqlite3.Error, OSError) as error:
        raise CannotRead(f"{path} cannot be read: {_text(error)}") from None
    try:
        yield connection
    except sqlite3.Error as error:
        raise CannotRead(f"{path} cannot be read: {error}") from None
    finally:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    """Raises NotOurs, sqlite3.Error, OSError."""
    if complaint := schema.no_file(path):
        raise NotOurs(complaint)
    os.close(os.open(path, os.O_RDONLY))  # its errors say more than SQLite's
    try:
        return _snapshot(path)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_READONLY:
            raise
    # A daemon was killed in the middle of a transaction and has not come back: its journal is to be played back first.
    mending = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=PATIENCE)
    try:
        mending.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        mending.close()
    return _snapshot(path)


def _snapshot(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=PATIENCE, isolation_level=None)
    try:
        connection.execute("BEGIN")
        if schema.is_empty(connection):
            raise NotOurs("it is empty")
        version = schema.check(connection)
        return connection if version >= schema.VERSION else _as_newest(connection, version)
    except BaseException:
        connection.close()
        raise


def _as_newest(older: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """What an older build left, before a daemon of this one has brought it on: a copy of this version, which is gone
    when it is closed. It is on the disk (SQLite's own temporary file) where it is too large for the cache."""
    copy = sqlite3.connect("", isolation_level=None)
    try:
        older.backup(copy)
        schema.migrate(copy, version)
    except BaseException:
        copy.close()
        raise
    older.close()
    return copy


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
