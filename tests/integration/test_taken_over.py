"""A configuration and a state directory that an earlier build wrote are taken over, without a word lost.

taken_over/BUILD.tar.gz holds what the real daemon of that build left at a site of the sandbox: runs that were killed,
failed and stopped in order, nodes that were up at the end; and what that build's own report said of it. Only paths and
the machine's id are made up.
"""

from __future__ import annotations

import configparser
import json
import sqlite3
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from daemon_process import DaemonProcess, run
from simulation.before_marks import ReplayBeforeMarks

from arvnodeman.journal.writer import files_of
from arvnodeman.sandbox.process import SiteProcess

BUILDS = sorted((Path(__file__).parent / "taken_over").glob("*.tar.gz"))
RECORDS = {"3ec0ed2": "arvados", "61029dd": "slurm"}


def build_of(path: Path) -> str:
    return path.name.partition(".")[0]


@pytest.fixture(params=BUILDS, ids=build_of)
def left(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a build left; its name is the build's."""
    monkeypatch.setenv("TZ", "UTC")  # in which its report was made
    folder = tmp_path / build_of(request.param)
    with tarfile.open(request.param) as packed:
        packed.extractall(folder, filter="data")
    return folder


def report(folder: Path, form: str) -> str:
    since, until = (folder / "range").read_text().split()
    history = str(folder / "state" / "history.sqlite")
    told = run("report", "--since", since, "--until", until, "--format", form, "--history", history)
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout


def columns_of(folder: Path) -> dict[str, str]:
    """Of the history's tables, which a later build may give more. Of lives not those of ends, which come later."""
    base = sqlite3.connect(folder / "state" / "history.sqlite")
    tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: ", ".join(row[1] for row in base.execute(f"PRAGMA table_info({table})")) for table in tables}
    base.close()
    return found | {"life": "id, began, name, hostname, size, price, preemptible, follows"}


def rows(folder: Path, columns: Mapping[str, str]) -> dict[str, set[tuple[Any, ...]]]:
    """All rows of the history by table, as far as these columns go."""
    base = sqlite3.connect(folder / "state" / "history.sqlite")
    found = {table: set(base.execute(f"SELECT {names} FROM {table}")) for table, names in columns.items()}
    base.close()
    return found


def as_before(now: Any, before: Any) -> Any:
    """What is said now, without what the other build did not say."""
    if isinstance(before, dict):
        return {name: as_before(now[name], each) for name, each in before.items()}
    if isinstance(before, list):
        return [as_before(one, other) for one, other in zip(now, before, strict=True)]
    return now


def taken_over(folder: Path, site: SiteProcess) -> Path:
    """The configuration, for this site and this state directory; all that is neither is as it was."""
    config = configparser.ConfigParser(interpolation=None)
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read(folder / "nodemanager.cfg")
    now = configparser.ConfigParser(interpolation=None)
    now.optionxform = str  # type: ignore[assignment,method-assign]
    now.read(site.write_config(folder / "now.cfg", {}))
    for section, option in (
        ("Arvados", "host"),
        ("Arvados", "token"),
        ("Cloud Credentials", "url"),
        ("Cloud Create", "ping_host"),
    ):
        if config.has_option(section, option):
            config.set(section, option, now.get(section, option))
    config.set("Daemon", "state_dir", str(folder / "state"))
    config.set("Daemon", "history_days", "3660")
    config.set("Logging", "file", str(folder / "log"))
    path = folder / "taken_over.cfg"
    with path.open("w") as file:
        config.write(file)
    return path


def test_there_is_one_of_each_build() -> None:
    assert [build_of(path) for path in BUILDS] == sorted(RECORDS)


def test_the_report_says_what_that_build_said(left: Path) -> None:
    told = json.loads(report(left, "json"))
    before = json.loads((left / "report.json").read_text())
    assert as_before(told, before) == before
    assert report(left, "table") == (left / "report.table").read_text()


def test_the_daemon_starts_on_it_and_loses_nothing(left: Path) -> None:
    columns = columns_of(left)
    before, ends = rows(left, columns), json.loads((left / "state" / "restarts.json").read_text())
    crash_report = (left / "state" / "last_words.json").read_text()
    assert all(before[table] for table in ("life", "sample", "usage", "wait", "price", "decision"))
    with SiteProcess(speed=60, records=RECORDS[left.name]) as site:
        config = taken_over(left, site)
        daemon = DaemonProcess(config, left / "log", site.environment())
        try:
            daemon.wait_for_line("got response with", 6)
            assert daemon.stop() == 0
        finally:
            daemon.end()
        log = daemon.text()
    assert "set aside" not in log
    assert "Traceback" not in log
    after = rows(left, columns)
    for table in before.keys() - {"waiting"}:
        assert before[table] <= after[table], table
    now = json.loads((left / "state" / "restarts.json").read_text())
    assert now["ends"][: len(ends["ends"])] == ends["ends"]
    assert all(now["counts"][kind] >= count for kind, count in ends["counts"].items())
    assert (left / "state" / "last_words.json").read_text() == crash_report
    told, said = json.loads(report(left, "json")), json.loads((left / "report.json").read_text())
    for part in ("since", "until", "recorded_hours", "waits", "events", "causes"):
        assert told[part] == said[part], part
    assert told["total"]["begun"] == said["total"]["begun"]
    assert told["total"]["busy_hours"] == said["total"]["busy_hours"]


@pytest.mark.parametrize("left", [path for path in BUILDS if build_of(path) == "61029dd"], indirect=True, ids=build_of)
def test_its_journal_is_understood_and_decided_again(left: Path) -> None:
    """The other build kept none."""
    outcome = ReplayBeforeMarks().play(files_of(left / "state" / "journal"))
    assert outcome.passed_over == {}
    assert outcome.compared == outcome.events > 20
    assert outcome.differences == []
