"""Predictions in the history: kept, and held against what came."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest

from arvnodeman.commands import report
from arvnodeman.history import schema
from arvnodeman.history.file import HistoryFile, life_row
from arvnodeman.history.lives import Life
from arvnodeman.history.predictions import CannotSave, Prediction, save, scores
from arvnodeman.history.reading import reading

HOUR = 3600
T0 = 1_750_000_000 // 60 * 60  # a full minute
FORECAST = Prediction(T0 - 60.0, float(T0), T0 + 10.0 * HOUR, "new.cfg", 40, 22.0, 11.0, 90.0)
NOW = T0 + 11 * HOUR


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Ten hours: two nodes of 50 cents an hour all the time, and 40 jobs that waited 100 s."""
    path = tmp_path / schema.FILE_NAME
    file = HistoryFile(path)
    file.write(("sample", (at, 0, 0, 1, 1, 0, 4, 8, 1.0)) for at in range(T0, T0 + 10 * HOUR + 1, 60))
    for number in range(2):
        life = Life(f"i-{number}", float(T0), f"n{number}", "", "small", 0.5)
        life.ended, life.how = T0 + 10.0 * HOUR, "destroyed"
        file.write([life_row(life)])
    file.write([("wait", (T0 + HOUR, 1, 40, 4000.0, 100.0))])
    file.close()
    return path


def of_version_2(path: Path) -> Path:
    """As the build before the first predictions made it."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        schema.create(connection)
        for table in ("prediction", "run", "booted_for"):
            connection.execute(f"DROP TABLE {table}")
        for column in schema.READY:
            connection.execute(f"ALTER TABLE usage DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    return path


def test_a_prediction_is_held_against_what_came(history: Path) -> None:
    save(history, FORECAST)
    with reading(history) as connection:
        (score,) = scores(connection, 0, NOW, NOW)
    assert score.prediction == FORECAST
    assert (score.jobs, score.node_hours, score.cost, score.mean_wait) == (40, 20.0, 10.0, 100.0)
    assert score.is_over
    assert score.recorded_hours == pytest.approx(10.0)


def test_only_those_made_in_that_time_are_scored(history: Path) -> None:
    save(history, FORECAST)
    save(history, FORECAST._replace(made=T0 + 5.0, config="other.cfg"))
    with reading(history) as connection:
        assert [each.prediction.config for each in scores(connection, T0, NOW, NOW)] == ["other.cfg"]


def test_a_history_of_the_version_before_is_migrated_and_keeps_it(tmp_path: Path) -> None:
    path = of_version_2(tmp_path / schema.FILE_NAME)
    save(path, FORECAST)
    with reading(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION
        assert len(scores(connection, 0, NOW, NOW)) == 1


def test_the_daemon_migrates_a_history_of_the_version_before(tmp_path: Path) -> None:
    path = of_version_2(tmp_path / schema.FILE_NAME)
    file = HistoryFile(path)
    file.open()
    file.close()
    save(path, FORECAST)
    with reading(path) as connection:
        assert len(scores(connection, 0, NOW, NOW)) == 1


def test_old_predictions_are_forgotten_with_their_time(history: Path) -> None:
    save(history, FORECAST)
    file = HistoryFile(history)
    for moment, left in ((FORECAST.until - 1, 1), (FORECAST.until + 1, 0)):
        file.open()
        file.prune(moment)
        with reading(history) as connection:
            assert len(scores(connection, 0, NOW, NOW)) == left
    file.close()


def test_what_is_no_history_takes_no_prediction(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello " * 1000)
    for name, words in (
        ("away", "No such file"),
        ("empty", "it is empty"),
        ("text", "not a database"),
        ("", "regular"),
    ):
        with pytest.raises(CannotSave, match=words) as caught:
            save(tmp_path / name, FORECAST)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "empty").read_bytes() == b""


# ---- report --predictions --------------------------------------------------------------------------------------------


def told(history: Path, capsys: pytest.CaptureFixture[str], form: str = "table", now: float = NOW) -> str:
    arguments = ["--since", "2025-01-01", "--predictions", "--history", str(history), "--format", form]
    assert report.main(arguments, now) == 0
    return capsys.readouterr().out


def test_the_table_tells_how_far_off_it_was(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(history, FORECAST)
    lines = [line.split() for line in told(history, capsys).splitlines()]
    assert "of new.cfg, for" in " ".join(lines[0])
    assert lines[1:7] == [
        ["predicted", "came", "off", "by"],
        ["jobs", "40", "40", "+0.0%"],
        ["node", "hours", "22.00", "20.00", "+10.0%"],
        ["cost,", "$", "11.00", "10.00", "+10.0%"],
        ["mean", "wait", "90", "s", "100", "s", "-10.0%"],
        ["$", "for", "each", "job", "0.2750", "0.2500", "+10.0%"],
    ]


def test_json_and_csv_have_the_same(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(history, FORECAST)
    (shown,) = json.loads(told(history, capsys, "json"))["predictions"]
    assert (shown["config"], shown["is_over"], shown["off_by"]["node_hours"]) == ("new.cfg", True, 0.1)
    assert shown["came"] == {"jobs": 40, "node_hours": 20.0, "cost": 10.0, "mean_wait": 100.0}
    (row,) = csv.DictReader(io.StringIO(told(history, capsys, "csv")))
    assert (row["predicted_cost"], row["came_cost"], row["hours"]) == ("11.0", "10.0", "10.0")


def test_a_time_that_is_not_over_is_said_to_be_so(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(history, FORECAST)
    text = told(history, capsys, now=T0 + 5.0 * HOUR)
    assert "its time is not over: 5.0 of 10.0 hours have come and are recorded" in text


def test_a_time_that_nobody_recorded_is_said_to_be_so(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(history, FORECAST._replace(since=T0 - 10.0 * HOUR))
    text = told(history, capsys)
    assert "of its time 10.0 of 20.0 hours are recorded: what is missing counts as nothing" in text


def test_without_any_it_says_how_one_is_kept(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(history, capsys) == "No prediction was saved in that time: simulate --save saves one.\n"


def test_no_picture_is_made_of_predictions(history: Path) -> None:
    arguments = ["--since", "7d", "--predictions", "--plot", "x.png", "--history", str(history)]
    with pytest.raises(SystemExit):
        report.main(arguments, NOW)
