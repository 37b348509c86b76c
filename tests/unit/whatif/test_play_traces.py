"""Traces of all kinds are played to their end."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from journal_doubles import journalled, lively_site
from stage import BOOT, configured, scenario

from arvnodeman.history import schema
from arvnodeman.traces.reading import TraceOptions, read_trace
from arvnodeman.traces.trace import Trace
from arvnodeman.whatif.as_shared import as_shared
from arvnodeman.whatif.play import play

RECORDED = Path(__file__).parents[1] / "traces" / "recorded"
UTC = TraceOptions(zone="UTC")
FILES = ("sacct-22.05.psv", "sacct-24.11.json", "sacct-26.05-exact.txt", "jobcomp-20.11.txt", "sacct-20.11.psv")


def assert_played(folder: Path, trace: Trace) -> None:
    settings = configured(folder, daemon="")
    forecast = play(scenario(settings, *as_shared(settings, trace.jobs).jobs, assumed=BOOT)).forecast
    counts = forecast.jobs
    assert not forecast.partial
    assert counts.all == len(trace.jobs) == counts.done + counts.withdrawn + counts.impossible
    assert counts.done > counts.all / 2
    assert forecast.waits.jobs == counts.done
    assert forecast.cost > 0


@pytest.mark.parametrize("name", FILES)
def test_what_slurm_recorded_is_played_to_its_end(name: str, tmp_path: Path) -> None:
    assert_played(tmp_path, read_trace(RECORDED / name, UTC))


def test_a_log_in_the_standard_format_is_played_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log.swf"
    rows = [f"{n} {60 * n} 5 {90 * n} 2 -1 -1 2 3600 100000 1 {n % 3} 1 -1 1 -1 -1 -1" for n in range(1, 20)]
    path.write_text("; UnixStartTime: 1700000000\n" + "\n".join(rows) + "\n", encoding="ascii")
    assert_played(tmp_path, read_trace(path, UTC))


def test_a_journal_is_played_to_its_end(tmp_path: Path) -> None:
    journalled(tmp_path, lively_site(3, names=True), 4.0)
    (folder,) = {path.parent for path in tmp_path.rglob("*.gz")}
    assert_played(tmp_path, read_trace(folder))


def test_a_history_is_played_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / schema.FILE_NAME
    with sqlite3.connect(path, isolation_level=None) as connection:
        schema.create(connection)
        rows = [(1_700_000_000 + 60 * number, number, 1, 50.0, 50.0) for number in range(9)]
        connection.executemany("INSERT INTO wait VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute(schema.INSERT["usage"], (1700000000, "small", 0, 0, 0, 5000, 0))
    connection.close()
    assert_played(tmp_path, read_trace(path))
