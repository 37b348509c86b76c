"""Did spot pay? By pool, and by how long the jobs ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arvnodeman.history import report, spot
from arvnodeman.history.file import HistoryFile, life_row
from arvnodeman.history.lives import Life
from arvnodeman.history.reading import reading
from arvnodeman.history.report_words import as_csv, as_json, as_table
from arvnodeman.history.schema import FILE_NAME, Row

T0 = 1_700_000_000.0
HOUR = 3600.0


def life(name: str, hours: float, how: str = "destroyed", rung: str = "a/spot", lost: float = 0.0) -> Row:
    """A node of $0.2 an hour that would cost $1."""
    made = Life(f"i-{name}", T0, name, name, "small", 0.2, True, False, T0 + hours * HOUR, how, rung, 1.0, lost)
    return life_row(made)


def run(host: str, job: str, begin: float, end: float | None, part: float = 1.0) -> Row:
    """A job on a node between these hours."""
    ended = None if end is None else T0 + end * HOUR
    return "run", (host, T0 + begin * HOUR, job, ended, part, "ann", "lab", "normal", "batch")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Four hours: two nodes of one zone, of which one is taken; one of another zone; one on demand."""
    file = HistoryFile(tmp_path / FILE_NAME)
    file.open()
    rows = [
        life("n1", 4), life("n2", 2, "gone", lost=1.5 * HOUR), life("n3", 4, rung="b/spot"),
        life("n4", 4, rung="a/on-demand"),
        run("n1", "short", 0, 0.1), run("n1", "half", 0.5, 1, part=0.5), run("n1", "other", 0.5, 1, part=0.5),
        run("n2", "long", 0.5, 2), run("n4", "long", 2.1, 3.9),  # it was taken with its node, and began again
        run("n2", "ended", 0, 0.4), run("n3", "goes on", 1, None),
        ("sample", (T0, 0, 0, 1, 2, 0, 3, 8, 0.5)),
    ]  # fmt: skip
    file.write(rows)
    file.close()
    return tmp_path / FILE_NAME


def test_jobs_are_told_by_pool_and_by_how_long_they_run(path: Path) -> None:
    with reading(path) as connection:
        found = spot.jobs(connection, T0, T0 + 4 * HOUR, T0 + 4 * HOUR)
    told = [
        (each.zone, each.length, each.jobs, each.cut, *(round(n, 3) for n in (each.hours, each.cost, each.saved)))
        for each in found
    ]
    assert told == [
        ("a", "up to 10 min", 1, 0, 0.1, 0.02, 0.08),
        ("a", "10 to 60 min", 3, 0, 0.9, 0.18, 0.72),
        ("a", "1 to 6 h", 1, 1, 1.5, 0.3, -0.3),  # 1.5 hours at $0.2 instead of $1, and all of it lost
        ("b", "1 to 6 h", 1, 0, 3.0, 0.6, 2.4),
    ]
    assert [each.lost_hours for each in found] == [0.0, 0.0, 1.5, 0.0]


def test_only_what_lies_in_the_time_is_counted(path: Path) -> None:
    with reading(path) as connection:
        found = spot.jobs(connection, T0 + HOUR, T0 + 1.5 * HOUR, T0 + 4 * HOUR)
    assert [(each.zone, each.length, each.hours, each.cut) for each in found] == [
        ("a", "1 to 6 h", 0.5, 0),
        ("b", "1 to 6 h", 0.5, 0),
    ]


def test_pools(path: Path) -> None:
    with reading(path) as connection:
        first, second = spot.pools(connection, T0, T0 + 4 * HOUR, T0 + 4 * HOUR)
    assert (first.zone, first.nodes, first.taken, first.hours, round(first.saved, 3)) == ("a", 2, 1, 6.0, 3.3)
    assert (second.zone, second.nodes, second.taken, second.hours, round(second.saved, 3)) == ("b", 1, 0, 4.0, 3.2)


def test_the_report_tells_both(path: Path) -> None:
    with reading(path) as connection:
        made = report.make(connection, T0, T0 + 4 * HOUR, T0 + 4 * HOUR)
    lines = [" ".join(line.split()) for line in as_table(made).splitlines()]
    assert "small a 2 6.0 1 16.7 $1.20 $6.00 1.5 $1.50 $3.30" in lines
    assert "small a 1 to 6 h 1 1.5 1 $0.30 $1.50 1.5 $1.50 -$0.30" in lines
    assert json.loads(as_json(made))["spot_jobs"][2]["saved"] == -0.3
    assert "spot_jobs,small a 1 to 6 h,cut,1" in as_csv(made).splitlines()
