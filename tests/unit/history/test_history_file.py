"""The history file: real SQLite files, sound, broken and foreign, written while others read."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arvnodeman.history import schema
from arvnodeman.history.file import HistoryFile, life_row
from arvnodeman.history.lives import Life
from arvnodeman.history.reading import reading
from arvnodeman.history.schema import Row

T0 = 1_699_999_200
DAY = 86_400


def life(name: str, began: float, ended: float | None = None, how: str = "") -> Life:
    return Life(f"i-{name}", began, name, "compute1", "small", 0.25, True, False, ended, how)


def sample(at: float) -> Row:
    return "sample", (at, 0, 0, 1, 2, 0, 3, 8, 0.5)


def decision(at: float, words: str = "Booting a node.") -> Row:
    return "decision", (at, "boot", "small", words)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / schema.FILE_NAME


def opened(path: Path) -> HistoryFile:
    file = HistoryFile(path)
    file.open()
    return file


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    """As another program reads it."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_what_was_written_is_there_for_the_next_run(path: Path) -> None:
    file = opened(path)
    lives = [life("n1", T0), life("n2", T0, T0 + 600, "destroyed")]
    rows = [*map(life_row, lives), sample(T0), sample(T0 + 60), ("waiting", ("job1", T0 - 5.5)), decision(T0)]
    file.write([*rows, ("price", (T0, "small", 0.2)), ("price", (T0 + 60, "small", 0.25))])
    file.close()
    kept = opened(path).earlier_runs(since=T0)
    assert sorted(kept.lives, key=lambda each: each.id) == lives
    assert [one.at for one in kept.samples] == [T0, T0 + 60]
    assert (kept.began, kept.last) == (T0, T0 + 60)
    assert kept.waiting == {"job1": T0 - 5.5}
    assert kept.prices == {"small": 0.25}


def test_only_lives_of_the_time_asked_for_are_read(path: Path) -> None:
    file = opened(path)
    file.write(map(life_row, [life("n1", T0), life("n2", T0, T0 + 600, "gone"), life("n3", T0, T0 + 60, "gone")]))
    assert {each.name for each in file.earlier_runs(since=T0 + 100).lives} == {"n1", "n2"}


def test_the_newest_account_of_a_life_stands_and_figures_of_a_step_add_up(path: Path) -> None:
    file = opened(path)
    file.write([life_row(life("n1", T0)), ("usage", (T0, "small", 0, 0, 30, 30, 0)), ("tally", (T0, "boots_up", 2))])
    file.write([life_row(life("n1", T0, T0 + 9, "gone")), ("usage", (T0, "small", 0, 0, 5, 5, 0))])
    file.write([("tally", (T0, "boots_up", 1)), ("wait", (T0, 7, 2, 20.0, 12.0)), ("wait", (T0, 7, 1, 11.0, 11.0))])
    assert ask(path, "SELECT ended, how FROM life") == [(T0 + 9, "gone")]
    assert ask(path, "SELECT idle, busy FROM usage") == [(35, 35)]
    assert ask(path, "SELECT count FROM tally") == [(3,)]
    assert ask(path, "SELECT jobs, total, longest FROM wait") == [(3, 31, 12)]


def test_a_batch_is_written_whole_or_not_at_all(path: Path) -> None:
    file = opened(path)
    with pytest.raises(sqlite3.Error):
        file.write([sample(T0), ("sample", (T0, None, None))])
    assert ask(path, "SELECT * FROM sample") == []
    file.write([sample(T0)])
    assert len(ask(path, "SELECT * FROM sample")) == 1


# ---- files that cannot be used --------------------------------------------------------------------------------------


def garbage(path: Path) -> None:
    path.write_bytes(b"this is a shopping list\n" * 500)


def another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmark (url)")
    connection.close()


def another_version(path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 0")
    connection.close()


def written(path: Path) -> None:
    file = opened(path)
    file.write([decision(T0 + number, "x" * 200) for number in range(2000)])
    file.close()


def damaged_inside(path: Path) -> None:
    written(path)
    with path.open("r+b") as file:
        for page in range(5, 60):
            file.seek(page * 4096)
            file.write(os.urandom(4096))


def damaged_head(path: Path) -> None:
    written(path)
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def cut_short(path: Path) -> None:
    written(path)
    os.truncate(path, 50_000)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()
    (path / "something").touch()


BAD = [garbage, another_program, another_version, damaged_inside, damaged_head, cut_short, fifo, folder]


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_file_that_cannot_be_used_is_set_aside_with_one_line(
    path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(path)
    was = path.stat().st_ino
    with caplog.at_level(logging.WARNING):
        file = opened(path)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{path} cannot be used: ")
    assert caplog.messages[0].endswith("; it is set aside as history.sqlite.set-aside, a new one begins")
    assert "\n" not in caplog.messages[0]
    assert path.with_name("history.sqlite.set-aside").stat().st_ino == was
    file.write([sample(T0)])
    assert opened(path).earlier_runs(0).last == T0


def test_a_version_that_never_was_is_named(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    another_version(path)
    opened(path)
    assert "its version is 0, and none below 1 was ever made" in caplog.messages[0]


@pytest.fixture
def next_build(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The schema as a later build may have it; `undo()` is the way back."""
    steps = ("ALTER TABLE life ADD COLUMN zone TEXT NOT NULL DEFAULT ''", "CREATE TABLE budget (name TEXT PRIMARY KEY)")
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setattr(schema, "MIGRATIONS", {**schema.MIGRATIONS, schema.VERSION - 1: steps})
    return monkeypatch


def full(path: Path) -> HistoryFile:
    """A file of this build with a row in each table."""
    file = opened(path)
    rows = [sample(T0), decision(T0), life_row(life("n1", T0)), ("price", (T0, "m4", 0.25)), ("waiting", ("j1", T0))]
    rows += [
        ("usage", (T0, "m4", 1.0, 2.0, 3.0, 4.0, 5.0)),
        ("tally", (T0, "boots", 2)),
        ("wait", (T0, 3, 1, 9.0, 9.0)),
    ]
    file.write(rows)
    return file


def test_a_file_of_an_older_build_is_migrated_and_keeps_every_row(
    path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    full(path).close()
    before = ask(path, "SELECT * FROM life")
    request.getfixturevalue("next_build")
    file = opened(path)
    assert ask(path, "SELECT * FROM life") == [(*row, "") for row in before]
    assert ask(path, "PRAGMA user_version") == [(schema.VERSION,)]
    file.write([life_row(life("n2", T0)), ("tally", (T0, "boots", 3))])
    assert ask(path, "SELECT count FROM tally") == [(5,)]
    assert not caplog.messages


def test_an_older_build_goes_on_with_the_file_of_a_newer_one(
    path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    full(path).close()
    newer = request.getfixturevalue("next_build")
    opened(path).close()
    newer.undo()
    file = full(path)
    assert [kept.id for kept in file.earlier_runs(0).lives] == ["i-n1"]
    assert file.earlier_runs(0).last == T0
    with reading(path) as connection:
        assert connection.execute("SELECT count FROM tally").fetchall() == [(4,)]
    assert not caplog.messages


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, next_build: pytest.MonkeyPatch) -> None:
    next_build.undo()
    full(path).close()
    before = path.read_bytes()
    steps = ("CREATE TABLE budget (name TEXT)", "ALTER TABLE lives ADD x")
    next_build.setattr(schema, "MIGRATIONS", {**schema.MIGRATIONS, schema.VERSION: steps})
    next_build.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(sqlite3.OperationalError):
        HistoryFile(path).open()
    assert path.read_bytes() == before


def test_a_file_that_waits_for_its_migration_is_read_as_it_will_be(path: Path, request: pytest.FixtureRequest) -> None:
    full(path).close()
    before = path.read_bytes()
    request.getfixturevalue("next_build")
    with reading(path) as connection:
        assert schema.check(connection) == schema.VERSION
        assert connection.execute("SELECT count FROM tally").fetchall() == [(2,)]
        assert connection.execute("SELECT count(*) FROM budget").fetchall() == [(0,)]
    assert path.read_bytes() == before


def test_only_one_file_is_kept_aside(path: Path) -> None:
    for _ in range(3):
        garbage(path)
        opened(path).close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["history.sqlite", "history.sqlite.set-aside"]


def test_a_journal_goes_aside_with_its_file(path: Path) -> None:
    folder(path)
    path.with_name("history.sqlite-journal").write_bytes(b"of another file")
    file = opened(path)
    file.write([sample(T0)])
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["history.sqlite", "history.sqlite.set-aside", "history.sqlite.set-aside-journal"]


def test_a_file_that_is_damaged_while_in_use_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = opened(path)
    file.write([decision(T0 + number, "x" * 500) for number in range(2000)])
    with path.open("r+b") as spoiled:
        for page in range(1, 200):
            spoiled.seek(page * 4096)
            spoiled.write(b"\xff" * 4096)
    with sqlite3.connect(path) as connection:  # somebody else's commit: the pages in memory are not used any more
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(sqlite3.Error):
        file.write([decision(T0), life_row(life("n1", T0)), ("tally", (T0, "x", 1))])
    file.write([sample(T0)])
    assert "set aside" in caplog.text
    assert opened(path).earlier_runs(0).last == T0


def test_a_file_that_was_taken_away_is_made_anew(path: Path) -> None:
    file = opened(path)
    file.write([sample(T0)])
    path.unlink()
    with pytest.raises(sqlite3.Error):
        file.write([sample(T0 + 60)])
    file.write([sample(T0 + 60)])
    assert ask(path, "SELECT at FROM sample") == [(T0 + 60,)]


# ---- growth ---------------------------------------------------------------------------------------------------------


def test_what_is_older_than_wanted_is_forgotten(path: Path) -> None:
    file = opened(path)
    for day in range(10):
        at = T0 + day * DAY
        file.write([sample(at), decision(at), ("usage", (at, "s", 0, 0, 1, 0, 0)), ("tally", (at, "x", 1))])
        file.write([("wait", (at, 1, 1, 1.0, 1.0)), life_row(life(f"n{day}", at, at + 60, "gone"))])
    file.write([life_row(life("old", T0 - 90 * DAY)), ("waiting", ("job", T0 - 90 * DAY))])
    file.prune(T0 + 7 * DAY)
    for table in ("sample", "decision", "usage", "tally", "wait"):
        assert ask(path, f"SELECT min(at), count(*) FROM {table}") == [(T0 + 7 * DAY, 3)], table
    assert {name for (name,) in ask(path, "SELECT name FROM life")} == {"n7", "n8", "n9", "old"}, "a life that goes on"
    assert ask(path, "SELECT job FROM waiting") == [("job",)]


def test_there_are_never_more_rows_than_allowed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schema.MOST_ROWS, "decision", 100)
    file = opened(path)
    file.write([decision(T0 + number) for number in range(250)])
    file.prune(0)
    assert ask(path, "SELECT min(at), count(*) FROM decision") == [(T0 + 150, 100)]


def test_the_file_gets_smaller_when_much_was_forgotten(path: Path) -> None:
    file = opened(path)
    file.write([decision(T0 + number, "x" * 900) for number in range(5000)])
    large = file.size
    file.prune(T0 + 10_000)
    assert file.size < large / 10


def test_every_table_is_pruned() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == set(schema.AGES) == set(schema.MOST_ROWS)
    connection.close()


def test_a_reader_does_not_see_half_a_batch_and_hinders_nobody(path: Path) -> None:
    file = opened(path)
    file.write([sample(T0), decision(T0)])
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    for number in range(1, 50):
        file.write([sample(T0 + number), decision(T0 + number)])
        samples, decisions = reader.execute(
            "SELECT (SELECT count(*) FROM sample), (SELECT count(*) FROM decision)"
        ).fetchone()
        assert samples == decisions == number + 1
    reader.close()


def test_the_file_is_for_the_daemons_account_and_group(path: Path) -> None:
    umask = os.umask(0)
    try:
        opened(path)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_of_the_first_version_is_brought_to_this_one(path: Path) -> None:
    """Its lives stay, as such of nodes without a rung."""
    connection = sqlite3.connect(path)
    columns = "size TEXT NOT NULL, price REAL NOT NULL, preemptible INTEGER NOT NULL, follows INTEGER NOT NULL"
    life = f"""CREATE TABLE life (id TEXT NOT NULL, began REAL NOT NULL, ended REAL, how TEXT NOT NULL,
        name TEXT NOT NULL, hostname TEXT NOT NULL, {columns}, PRIMARY KEY (id, began)) WITHOUT ROWID"""
    for statement in (f"PRAGMA application_id = {schema.APPLICATION}", "PRAGMA user_version = 1", life):
        connection.execute(statement)
    for table in schema.TABLES[1:]:
        if table not in (*schema.PREDICTIONS, *schema.WHO_PAYS):
            connection.execute(table)
    for column in schema.READY:
        connection.execute(f"ALTER TABLE usage DROP COLUMN {column}")
    connection.execute("INSERT INTO life VALUES ('i-1', 1.0, 2.0, 'gone', 'n', 'h', 'small', 0.1, 0, 0)")
    connection.commit()
    connection.close()
    HistoryFile(path).open()
    query = f"SELECT {schema.LIFE} FROM life"
    assert ask(path, query) == [("i-1", 1.0, 2.0, "gone", "n", "h", "small", 0.1, 0, 0, "", 0.0, 0.0)]
    assert ask(path, "PRAGMA user_version") == [(schema.VERSION,)]
