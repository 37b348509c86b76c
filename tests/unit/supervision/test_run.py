"""What watches over one run: told in the log, armed in time, and put away at the end."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from arvnodeman.config import DaemonSettings, load
from arvnodeman.fleet.values.model import Policy
from arvnodeman.fleet.view.view import View
from arvnodeman.supervision import run as run_module
from arvnodeman.supervision.ending import ExitKind
from arvnodeman.supervision.run import Run, longest_silence, open_state_dir, silence_allowed
from arvnodeman.supervision.vitals import Vitals

TEXT = """\
[Arvados]
host = zyxwv.example.com
token = sesame
[Daemon]
watchdog = 100
watchdog_interval = 10
[Cloud]
provider = dummy
shutdown_windows = 54, 5, 1
[Size small]
cores = 2
"""


class NoMind:
    """A brain that knows nothing."""

    def view(self) -> View:
        return View(t=0.0, policy=Policy(sections=(), shutdown_windows=(1.0, 1.0)))

    def decisions(self, newest: int) -> list[tuple[float, str]]:
        return []


@dataclass
class Played:
    """Notes what is done to the C timer and the reaper, which would end this very process."""

    done: list[object] = field(default_factory=list)

    def __call__(self, _folder: Path | None = None) -> Played:
        return self

    def open(self) -> None:
        self.done.append("open")

    def arm(self, seconds: float) -> None:
        self.done.append(seconds)

    def start(self) -> bool:
        self.done.append("start")
        return True

    def close(self) -> None:
        self.done.append("close")


@pytest.fixture
def resort(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    played = Played()
    hook, handlers = threading.excepthook, logging.getLogger().handlers[:]
    monkeypatch.setattr(run_module, "LastResort", played)
    monkeypatch.setattr(run_module, "Reaper", Played())
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    yield played
    threading.excepthook, logging.getLogger().handlers = hook, handlers


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonSettings:
    path = tmp_path / "site.cfg"
    path.write_text(TEXT)
    return load(str(path)).daemon


def make(daemon: DaemonSettings, state_dir: Path | None) -> tuple[Run, list[int]]:
    killed: list[int] = []
    return Run(daemon, state_dir, Vitals(), NoMind(), kill=lambda: killed.append(1)), killed


def test_the_c_timer_waits_for_a_round_and_the_service_manager_for_the_c_timer(daemon: DaemonSettings) -> None:
    assert silence_allowed(daemon) > daemon.watchdog_interval + daemon.watchdog
    assert longest_silence(daemon) >= silence_allowed(daemon) + 6.0


def test_the_c_timer_is_armed_from_the_start_to_the_end(resort: Played, daemon: DaemonSettings) -> None:
    run, _ = make(daemon, None)
    run.begin()
    run.good_round()
    run.stopping(60.0)
    run.close(ExitKind.CLEAN, "SIGTERM")
    assert resort.done == ["open", 122.0, 122.0, 75.0, "close"]


def test_the_reaper_is_left_to_its_work_when_something_hangs(
    resort: Played, daemon: DaemonSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hanging, done in ((False, ["start", "close"]), (True, ["start"])):
        reaper = Played()
        monkeypatch.setattr(run_module, "Reaper", reaper)
        run, _ = make(daemon, None)
        run.begin()
        run.close(ExitKind.CLEAN, "SIGTERM", hanging=hanging)
        assert reaper.done == done


def test_without_a_state_directory_one_line_says_what_is_missed(
    resort: Played, daemon: DaemonSettings, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = make(daemon, None)
    with caplog.at_level(logging.INFO):
        past = run.begin()
    run.close(ExitKind.CLEAN, "SIGTERM")
    assert (past.last, past.safe_for) == (None, 0.0)
    assert [record.getMessage() for record in caplog.records] == [
        "Without a state directory, the next run does not know why this one ended"
    ]


def test_the_next_run_says_how_the_last_one_ended(
    resort: Played, daemon: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, _ = make(daemon, tmp_path)
    run.begin()
    run.close(ExitKind.CLEAN, "SIGTERM")
    run, _ = make(daemon, tmp_path)
    with caplog.at_level(logging.INFO):
        run.begin()
    run.close(ExitKind.CLEAN, "SIGTERM")
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("The last run ended in order: SIGTERM, at ")
    assert second == "Ends of runs so far: 1 clean"


def test_a_series_of_quick_ends_begins_safe_mode(
    resort: Played, daemon: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    end = {"kind": "watchdog", "subject": "x", "at": 1e9, "lasted": 60.0}
    content = {"format": 1, "run": None, "ends": [end] * 4, "counts": {"watchdog": 4}}
    (tmp_path / "restarts.json").write_text(json.dumps(content))
    run, _ = make(daemon, tmp_path)
    past = run.begin()
    run.close(ExitKind.CLEAN, "SIGTERM")
    assert past.safe_for == 120.0
    assert "The last 4 runs ended early, all in this way: safe mode for 120 s" in caplog.text


def fail_in_a_thread(error: BaseException) -> None:
    def fail() -> None:
        raise error

    thread = threading.Thread(target=fail, name="a-thread")
    thread.start()
    thread.join()


def test_a_fatal_error_in_any_thread_ends_the_process(
    resort: Played, daemon: DaemonSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not only in actors."""
    run, killed = make(daemon, tmp_path)
    run.begin()
    fail_in_a_thread(ZeroDivisionError())
    assert killed == []
    assert "Unhandled exception in thread a-thread" in caplog.text
    fail_in_a_thread(MemoryError())
    assert killed == [1]
    run.close(ExitKind.CLEAN, "SIGTERM")
    words = json.loads((tmp_path / "last_words.json").read_text())
    assert (words["cause"], words["subject"]) == ("fatal", "a-thread: MemoryError")
    assert threading.excepthook is threading.__excepthook__


def test_room_for_the_last_words_is_taken_at_the_start_and_given_back(
    resort: Played, daemon: DaemonSettings, tmp_path: Path
) -> None:
    run, _ = make(daemon, tmp_path)
    run.begin()
    assert (tmp_path / "last_words.json.draft").stat().st_size > 100_000
    run.close(ExitKind.CLEAN, "SIGTERM")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["restarts.json", "site.cfg"]


def test_a_state_directory_is_made_or_complained_about_in_one_line(tmp_path: Path) -> None:
    assert open_state_dir("") == (None, "")
    assert open_state_dir(f"{tmp_path}/a/b") == (tmp_path / "a/b", "")
    assert (tmp_path / "a/b").is_dir()
    (tmp_path / "file").touch()
    assert open_state_dir(f"{tmp_path}/file/b") == (
        None,
        f"[Daemon] state_dir: cannot use {tmp_path}/file/b: Not a directory; let the account of the daemon write there",
    )
