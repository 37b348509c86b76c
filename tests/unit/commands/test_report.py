"""The report: its figures, its forms, its dates, and what it says when it cannot be made."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from arvnodeman import cli
from arvnodeman.commands import report
from arvnodeman.history import plot, schema
from arvnodeman.history.dates import NoDate, moment
from arvnodeman.history.file import HistoryFile, life_row
from arvnodeman.history.lives import Life

HOUR, DAY = 3600, 86_400
NOW = datetime(2025, 5, 14, 12, 30).timestamp()
NOON = int(NOW) - HOUR // 2


class Told(NamedTuple):
    code: int
    out: str
    err: str


def life(number: int, began: float, ended: float | None, price: float = 0.5, how: str = "destroyed") -> Life:
    size = "small" if price < 1 else "large"
    return Life(f"i-{number}", began, f"n{number}", "", size, price, False, False, ended, how if ended else "")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Ten hours until noon: two small nodes, one of them repriced, and a large one that goes on."""
    path = tmp_path / schema.FILE_NAME
    file = HistoryFile(path)
    start = NOON - 10 * HOUR
    every_minute = range(start, NOON + 1, 60)
    file.write(("sample", (at, 0, 0, 1, 1, 0, 4, 8, 2.5)) for at in every_minute)
    file.write(("usage", (at, "large", 0, 0, 15, 45, 0)) for at in every_minute)
    repriced = life(2, start, start + HOUR, 0.5, "repriced")
    follows = life(2, start + HOUR, start + 2 * HOUR, 0.7, "gone")
    follows.follows = True
    lives = [life(1, start, start + 4 * HOUR), repriced, follows, life(3, start, None, 2.0)]
    file.write(map(life_row, lives))
    file.write([("tally", (start + 60, name, 2)) for name in ("boots_up", "boots_refused_quota", "jobs_cancelled")])
    file.write([("tally", (start + 60, "boot_failures", 1))])
    file.write(("wait", (start + 60, bucket, 19, 19.0 * bucket, bucket)) for bucket in (10, 20))
    file.write([("wait", (start + 120, 90, 1, 900.0, 900.0))])
    file.write(
        [("decision", (start + 60.0, "boot failed", f"n{n}", f"Cloud node n{n} did not come up")) for n in (7, 8)]
    )
    file.write([("decision", (start + 60.0, "boot failed", "small", "Actor error no room"))])
    file.close()
    return path


@pytest.fixture
def run(history: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str, path: Path | None = None, now: float = NOW) -> Told:
        code = report.main([*arguments, "--history", str(path or history)], now)
        return Told(code, *capsys.readouterr())

    return run


def shown(run: Any, *arguments: str) -> dict[str, Any]:
    told: Told = run(*arguments, "--format", "json")
    assert (told.code, told.err) == (0, "")
    found: dict[str, Any] = json.loads(told.out)
    return found


# ---- figures --------------------------------------------------------------------------------------------------------


def test_cost_and_hours_by_size(run: Any) -> None:
    large, small = shown(run, "--since", "1d")["sizes"]
    assert (large["size"], large["nodes"], large["begun"]) == ("large", 1, 1)
    assert large["hours"] == pytest.approx(10, abs=0.01), "up to the newest look: the daemon is away"
    assert large["cost"] == pytest.approx(20, abs=0.01)
    assert (large["busy_hours"], large["idle_hours"]) == pytest.approx((7.5, 2.5), abs=0.05)
    assert large["idle_cost"] == pytest.approx(5, abs=0.1)
    assert (small["nodes"], small["begun"]) == (2, 2), "another price is no other node"
    assert small["hours"] == pytest.approx(6)
    assert small["cost"] == pytest.approx(0.5 * 4 + 0.5 + 0.7)
    assert small["unseen_hours"] == pytest.approx(6), "nobody looked at them"


def test_only_what_lies_in_the_time_is_counted(run: Any) -> None:
    found = shown(run, "--since", "2025-05-14T03:00", "--until", "2025-05-14T05:00")
    sizes = {size["size"]: size for size in found["sizes"]}
    assert sizes["large"]["cost"] == pytest.approx(4)
    assert sizes["large"]["begun"] == 0
    assert sizes["small"]["hours"] == pytest.approx(3)
    assert found["recorded_hours"] == pytest.approx(2)
    assert found["total"]["cost"] == pytest.approx(sum(size["cost"] for size in found["sizes"]))
    assert found["waits"]["jobs"] == 0
    assert shown(run, "--since", "2025-05-14T11:00")["ends"] == {}


def test_while_the_daemon_runs_nodes_live_until_now(run: Any) -> None:
    told = json.loads(run("--since", "1d", "--format", "json", now=NOON + 300).out)
    assert told["sizes"][0]["cost"] == pytest.approx(2.0 * (10 + 300 / HOUR), abs=0.001)


def test_boots_ends_and_causes(run: Any) -> None:
    found = shown(run, "--since", "1d")
    assert found["boots"] == {"up": 2, "failed": 1, "stopped": 0, "refused_quota": 2}
    assert found["ends"] == {"destroyed": 1, "gone": 1}, "another price is no end"
    assert found["events"] == {"jobs_cancelled": 2}
    assert [tuple(each.values()) for each in found["causes"]] == [
        ("Cloud node ... did not come up", 2),
        ("Actor error no room", 1),
    ]


def test_waits(run: Any) -> None:
    waits = shown(run, "--since", "1d")["waits"]
    assert waits["jobs"] == 39
    assert waits["mean_seconds"] == pytest.approx((19 * 10 + 19 * 20 + 900) / 39, abs=0.01)
    assert (waits["p95_seconds"], waits["longest_seconds"]) == (20, 900)


def test_the_table(run: Any) -> None:
    told = run("--since", "1d")
    lines = told.out.splitlines()
    assert lines[0] == "From 2025-05-13 12:30 to 2025-05-14 12:30"
    assert lines[1] == "The history begins at 2025-05-14 02:00."
    assert lines[2] == "Recorded: 10.0 of 24.0 hours"
    assert " ".join(lines[4].split()) == "size nodes hours busy idle starting other unseen cost of it idle"
    assert lines[7].split()[:3] == ["total", "3", "16.0"]
    assert "$23.20" in lines[7]
    assert "2  refused: quota" in told.out
    assert "1  gone without us (spot, crash, by hand)" in told.out
    assert lines[-1].startswith("Jobs: 39 left the queue; they waited 38 s on average, 95 % of them at most 20 s")


def test_little_is_told_to_one_decimal_more(run: Any) -> None:
    """A demo has minutes and cents: else all is 0.0 hours and $0.00."""
    lines = run("--since", "2025-05-14T11:58", "--until", "2025-05-14T12:00").out.splitlines()
    assert lines[1] == "Recorded: 2 of 2 minutes"
    assert lines[5].split()[:3] == ["total", "1", "0.03"]
    assert "$0.067" in lines[5]
    assert run("--since", "2025-05-14T01:00", "--until", "2025-05-14T02:30").out.splitlines()[2] == (
        "Recorded: 30 minutes of 1.5 hours"
    )


def test_csv_has_a_line_for_each_figure(run: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--since", "1d", "--format", "csv").out)))
    assert set(rows[0]) == {"what", "which", "figure", "value"}
    found = {(row["what"], row["which"], row["figure"]): row["value"] for row in rows}
    assert float(found["size", "large", "cost"]) == pytest.approx(20, abs=0.01)
    assert float(found["total", "total", "nodes"]) == 3
    assert found["boots", "refused_quota", "count"] == "2"
    assert found["jobs", "", "longest_wait_seconds"] == "900.0"
    assert len(found) == len(rows), "no two lines for one figure"


def test_a_time_in_which_nothing_was_recorded(run: Any) -> None:
    told = run("--since", "2025-01-01", "--until", "2025-01-02")
    assert (told.code, told.err) == (0, "")
    assert "The history begins at 2025-05-14 02:00." in told.out
    assert "There were no nodes." in told.out
    assert "Jobs: none left the queue" in told.out


# ---- dates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2025-05-01", (2025, 5, 1)),
        ("2025-05-01T06:30", (2025, 5, 1, 6, 30)),
        ("2025-05-01 06:30:15", (2025, 5, 1, 6, 30, 15)),
        ("12h", (2025, 5, 14, 0, 30)),
        ("30min", (2025, 5, 14, 12, 0)),
        ("7d", (2025, 5, 7, 12, 30)),
        ("2w", (2025, 4, 30, 12, 30)),
        ("today", (2025, 5, 14)),
        ("yesterday", (2025, 5, 13)),
        ("this-month", (2025, 5, 1)),
        ("last-month", (2025, 4, 1)),
        ("now", (2025, 5, 14, 12, 30)),
    ],
)
def test_dates_as_people_write_them(text: str, parts: tuple[int, ...]) -> None:
    assert moment(text, NOW) == datetime(*parts).timestamp()  # type: ignore[arg-type]  # no tzinfo among them


def test_a_zone_is_heeded() -> None:
    assert moment("2025-05-01T00:00+02:00", NOW) == moment("2025-04-30T22:00Z", NOW)


NONSENSE = [
    "",
    "soon",
    "2025-13-01",
    "2025-02-30",
    "20250501",
    "7",
    "d",
    "7y",
    "999999w",
    "9999-99-99",
    "-3d",
    "٣d",
    "0001-01-01",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_dates_that_make_no_sense(text: str, run: Any) -> None:
    with pytest.raises(NoDate):
        moment(text, NOW)
    told = run(f"--since={text}")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("arvados-node-manager report: --since: ")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2025-06-01", "now", "--since: 2025-06-01 00:00 is still to come"),
        ("2025-05-02", "2025-05-01", "--until: 2025-05-01 00:00 is not after 2025-05-02 00:00"),
        ("today", "today", "--until: 2025-05-14 00:00 is not after 2025-05-14 00:00"),
    ],
)
def test_times_that_are_none(run: Any, since: str, until: str, said: str) -> None:
    assert run("--since", since, "--until", until) == (2, "", f"arvados-node-manager report: {said}\n")


# ---- files ----------------------------------------------------------------------------------------------------------


def test_there_is_no_history(run: Any, tmp_path: Path) -> None:
    told = run("--since", "7d", path=tmp_path / "away")
    assert told.code == 1
    assert told.err == f"arvados-node-manager report: {tmp_path}/away cannot be read: No such file or directory\n"
    assert not (tmp_path / "away").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a history that can be read: it is empty"),
        (b"shopping list\n" * 500, "cannot be read: file is not a database"),
        (None, "is not a history that can be read: it is not a regular file"),
    ],
)
def test_a_file_that_is_none(run: Any, tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "other"
    path.mkdir() if content is None else path.write_bytes(content)
    assert run("--since", "7d", path=path) == (1, "", f"arvados-node-manager report: {path} {said}\n")


@pytest.mark.parametrize(
    ("pragma", "said"),
    [
        ("user_version = 0", "its version is 0, and none below 1 was ever made"),
        ("application_id = 5", "it is another program's database"),
    ],
)
def test_a_foreign_history(run: Any, history: Path, pragma: str, said: str) -> None:
    with sqlite3.connect(history) as connection:
        connection.execute(f"PRAGMA {pragma}")
    connection.close()
    told = run("--since", "7d")
    assert told == (1, "", f"arvados-node-manager report: {history} is not a history that can be read: {said}\n")
    assert history.exists(), "it is not ours to set aside"


def test_a_damaged_history(run: Any, history: Path) -> None:
    with history.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (history.stat().st_size - 8192))
    told = run("--since", "7d")
    assert told.code == 1
    assert told.err == f"arvados-node-manager report: {history} cannot be read: database disk image is malformed\n"


def test_the_history_is_found_by_the_configuration(
    history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "nm.cfg"
    config.write_text(
        f"[Daemon]\nstate_dir = {history.parent}\n[Arvados]\nhost = h\ntoken = t\n[Cloud]\nprovider = dummy\n"
        "shutdown_windows = 0, 60\n[Size small]\ncores = 1\n"
    )
    assert cli.main(["report", "--since", "2025-05-01", "--config", str(config)]) == 0
    assert "large" in capsys.readouterr().out
    config.write_text("[Daemon]\nstate_dir = here\n")
    assert cli.main(["report", "--since", "7d", "--config", str(config)]) == 2
    assert "[Daemon] state_dir: 'here' does not begin with /" in capsys.readouterr().err


def test_a_reader_leaves_the_folder_as_it_is(run: Any, history: Path) -> None:
    before = history.stat()
    assert run("--since", "1d").code == 0
    after = history.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    assert [path.name for path in history.parent.iterdir()] == [history.name]


def test_a_daemon_that_was_killed_in_a_transaction_and_is_gone(run: Any, history: Path, tmp_path: Path) -> None:
    """Its journal is played back by the first who reads."""
    killed = tmp_path / "killed"
    killed.mkdir()
    connection = sqlite3.connect(history, isolation_level=None)
    connection.execute("PRAGMA cache_size = 5")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM usage")
    connection.executemany("INSERT INTO sample VALUES (?, 0, 0, 0, 0, 0, 0, 0, 0)", ((n,) for n in range(50_000)))
    for name in (history.name, f"{history.name}-journal"):
        shutil.copy(tmp_path / name, killed / name)
    connection.execute("ROLLBACK")
    connection.close()
    assert (killed / f"{history.name}-journal").stat().st_size
    told = run("--since", "1d", path=killed / history.name)
    assert told.err == ""
    assert told.out == run("--since", "1d").out


# ---- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("b.SVG", b"<?xml")])
def test_a_picture(run: Any, tmp_path: Path, name: str, begins: bytes) -> None:
    told = run("--since", "1d", "--plot", str(tmp_path / name))
    assert (told.code, told.err) == (0, "")
    content = (tmp_path / name).read_bytes()
    assert content.startswith(begins)
    assert len(content) > 10_000


@pytest.mark.parametrize(
    ("waits", "unit"),
    [
        ([math.nan, 4.0, 35.0], ("seconds", 1.0)),
        ([math.nan, 600.0], ("minutes", 60.0)),
        ([20_000.0, 5.0], ("hours", 3600.0)),
        ([math.nan], ("seconds", 1.0)),
    ],
)
def test_a_picture_has_waits_in_a_unit_that_can_be_read(waits: list[float], unit: tuple[str, float]) -> None:
    assert plot.best_unit(waits) == unit


def test_a_picture_of_nothing_is_a_picture(run: Any, tmp_path: Path) -> None:
    told = run("--since", "2025-01-01", "--until", "2025-01-02", "--plot", str(tmp_path / "a.png"))
    assert (told.code, told.err) == (0, "")


def test_the_curve_of_the_cost_ends_at_the_cost_of_the_report(history: Path, run: Any) -> None:
    from arvnodeman.history import curves
    from arvnodeman.history.reading import reading

    with reading(history) as connection:
        drawn = curves.make(connection, NOW - DAY, NOW, NOON)
    assert drawn.spent[-1] == pytest.approx(shown(run, "--since", "1d")["total"]["cost"], abs=0.01)
    assert drawn.spent[0] < 0.2
    assert list(drawn.spent) == sorted(drawn.spent)
    assert len(drawn.times) <= curves.STEPS + 2


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("a.gif", 2, "--plot: {} ends neither with .png nor with .svg"),
        ("away/a.png", 1, "{} cannot be written: No such file or directory"),
    ],
)
def test_a_picture_that_cannot_be(run: Any, tmp_path: Path, name: str, code: int, said: str) -> None:
    path = tmp_path / name
    told = run("--since", "1d", "--plot", str(path))
    assert (told.code, told.err) == (code, f"arvados-node-manager report: {said.format(path)}\n")


@pytest.mark.parametrize(("pip", "how"), [(object(), " -m pip install '.[report]', "), (None, "PYTHONPATH=FOLDER")])
def test_without_matplotlib_one_line_says_how_to_get_it(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pip: object, how: str
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(plot, "find_spec", {"pip": pip}.__getitem__)
    told = run("--since", "1d", "--plot", str(tmp_path / "a.png"))
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert told.err.startswith("arvados-node-manager report: --plot needs matplotlib, which ")
    assert how in told.err


def test_a_report_without_a_picture_needs_no_matplotlib(history: Path) -> None:
    code = "import sys; sys.modules['matplotlib'] = None; from arvnodeman.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "report", "--since", "2025-05-01", "--history", str(history)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
