"""The restart accounts: each run knows how the one before it ended, and nothing in the state directory stops it."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path

import pytest

from arvnodeman.supervision import crash_report, last_resort, restarts
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.ending import ExitKind
from arvnodeman.supervision.past import End, Past
from arvnodeman.supervision.restarts import FILE_NAME, Restarts

NOW = 1_800_000_000.0


class World:
    """A state directory and a machine, for one run after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.monotonic = 100.0

    def start(self, watchdog: float = 600.0) -> tuple[Restarts, Past]:
        clock = Clock(now=lambda: self.now, monotonic=lambda: self.monotonic)
        accounts = Restarts(self.folder, clock, self.now)
        return accounts, accounts.begin(watchdog)

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.monotonic += seconds

    def says(self, cause: str, subject: str = "x", *, uptime: float = 5.0) -> None:
        """The run that began last leaves last words."""
        run = self.file()["run"]
        words = {"cause": cause, "subject": subject, "pid": run["pid"], "began": run["began"]}
        words |= {"at": self.now, "uptime": uptime}
        (self.folder / crash_report.FILE_NAME).write_text(json.dumps(words))

    def stacks(self, text: str) -> None:
        (self.folder / last_resort.FILE_NAME).write_text(text + "\0" * 1000)
        os.utime(self.folder / last_resort.FILE_NAME, (self.now, self.now))

    def file(self) -> dict[str, dict[str, object]]:
        content: dict[str, dict[str, object]] = json.loads((self.folder / FILE_NAME).read_text())
        return content


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_run_knows_nothing(world: World) -> None:
    _, past = world.start()
    assert past == Past()


def test_an_orderly_end_is_told_by_the_run_itself(world: World) -> None:
    accounts, _ = world.start()
    world.passes(50.0)
    accounts.stopping()
    accounts.ended(ExitKind.CLEAN, "SIGTERM")
    world.passes(10.0)
    _, past = world.start()
    assert past.last == End(ExitKind.CLEAN, "SIGTERM", NOW + 50, 50.0)
    assert past.counts == {"clean": 1}
    assert [path.name for path in world.folder.iterdir() if "draft" not in path.name] == [FILE_NAME]


@pytest.mark.parametrize(
    ("cause", "subject"),
    [
        ("watchdog", "JobQueueMonitorActor.0"),
        ("hopeless", "cloud"),
        ("fatal", "CloudNodeListMonitorActor.1: MemoryError"),
    ],
)
def test_a_run_that_killed_itself_is_known_by_its_last_words(world: World, cause: str, subject: str) -> None:
    world.start()
    world.passes(7.0)
    world.says(cause, subject, uptime=7.0)
    world.passes(1.0)
    _, past = world.start()
    assert past.last == End(ExitKind(cause), subject, NOW + 7, 7.0)


def test_last_words_of_another_run_are_not_this_ones(world: World) -> None:
    world.start()
    world.says("watchdog")
    world.passes(1.0)
    world.start()
    world.passes(1.0)
    _, past = world.start()
    assert past.last is not None
    assert past.last.kind is ExitKind.OUTSIDE
    assert past.counts == {"watchdog": 1, "outside": 1}


def test_words_that_were_asked_for_are_no_end(world: World) -> None:
    world.start()
    world.says("asked", "SIGUSR1")
    world.passes(1.0)
    _, past = world.start()
    assert past.last is not None
    assert (past.last.kind, past.last.subject) == (
        ExitKind.OUTSIDE,
        "by SIGKILL, or because its machine had no memory left",
    )


@pytest.mark.parametrize(
    ("text", "kind", "subject"),
    [
        ("Timeout (0:00:12)!\nThread 0x1:\n", ExitKind.STUCK, "the interpreter"),
        (
            "Fatal Python error: Aborted\n\nThread",
            ExitKind.STUCK,
            "SIGABRT, as the service manager's watchdog sends it",
        ),
        ("Fatal Python error: Segmentation fault\n\n", ExitKind.CRASH, "Fatal Python error: Segmentation fault"),
    ],
)
def test_an_end_without_python_is_known_by_the_stacks(world: World, text: str, kind: ExitKind, subject: str) -> None:
    world.start()
    world.passes(30.0)
    world.stacks(text)
    _, past = world.start()
    assert past.last == End(kind, subject, NOW + 30, 30.0)


def test_a_clock_that_was_set_back_makes_no_run_last_less_than_nothing(world: World) -> None:
    accounts, _ = world.start()
    world.now -= 86_400
    world.monotonic += 40
    accounts.ended(ExitKind.FAILED, "ZeroDivisionError")
    _, past = world.start()
    assert past.last == End(ExitKind.FAILED, "ZeroDivisionError", NOW - 86_400, 40.0)
    world.now -= 86_400
    world.stacks("Timeout (0:00:12)!\n")
    _, past = world.start()
    assert past.last is not None
    assert (past.last.kind, past.last.lasted) == (ExitKind.STUCK, 0.0)


def test_a_machine_that_went_down_is_told_from_a_kill(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start()
    (world.folder / "boot_id").write_text("another")
    monkeypatch.setattr(restarts, "BOOT_ID", world.folder / "boot_id")
    _, past = world.start()
    assert past.last == End(ExitKind.OUTSIDE, "its machine went down")


def test_a_kill_in_an_orderly_stop_is_nobodys_fault(world: World) -> None:
    accounts, _ = world.start()
    accounts.stopping()
    _, past = world.start()
    assert past.last == End(ExitKind.OUTSIDE, "while it stopped")


def test_quick_ends_lead_to_safe_mode_and_a_clean_one_out_of_it(world: World) -> None:
    found = []
    for _ in range(5):
        accounts, past = world.start()
        found.append((past.quick, past.safe_for))
        world.passes(20.0)
        world.says("watchdog", uptime=20.0)
    assert found == [(0, 0.0), (1, 0.0), (2, 0.0), (3, 60.0), (4, 120.0)]
    accounts, past = world.start()
    assert past.safe_for == 240.0
    accounts.ended(ExitKind.CLEAN, "SIGTERM")
    _, past = world.start()
    assert (past.quick, past.safe_for) == (0, 0.0)
    assert past.counts == {"watchdog": 5, "clean": 1}


def test_the_file_does_not_grow(world: World) -> None:
    for _ in range(25):
        accounts, _ = world.start()
        accounts.ended(ExitKind.FAILED, "x" * 10_000)
    assert len(world.file()["ends"]) == 20
    _, past = world.start()
    assert past.counts == {"failed": 25}
    assert (world.folder / FILE_NAME).stat().st_size < restarts.ROOM


GOOD: dict[str, object] = {"format": 1, "run": None, "ends": [], "counts": {}}
END = {"kind": "watchdog", "subject": "x", "at": 1.0, "lasted": 1.0}
RUBBISH: dict[str, object] = {
    "empty": "",
    "binary": "\x00\x01\x7f",
    "another thing": [1, 2],
    "newer": GOOD | {"format": 2},
    "no format": {"runs": 3},
    "foreign": {"format": 1, "run": {"pid": "x"}},
    "null ends": GOOD | {"ends": None},
    "unknown cause": GOOD | {"ends": [END | {"kind": "boredom"}]},
    "endless time": GOOD | {"ends": [END | {"at": 10**400}]},
    "negative": GOOD | {"ends": [END | {"lasted": -1}]},
    "a bool": GOOD | {"counts": {"clean": True}},
    "a count of text": GOOD | {"counts": {"clean": "many"}},
    "a list of counts": GOOD | {"counts": [1]},
    "a run of text": GOOD | {"run": "yes"},
}


@pytest.mark.parametrize("content", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_set_aside_with_one_line(world: World, content: object, caplog: pytest.LogCaptureFixture) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (world.folder / FILE_NAME).write_text(text)
    with caplog.at_level(logging.INFO):
        _, past = world.start()
    assert past == Past()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "set aside as restarts.json.set-aside" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert (world.folder / f"{FILE_NAME}.set-aside").read_text() == text
    _, past = world.start()
    assert past.counts == {"outside": 1}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"cause": "boredom"}'])
def test_last_words_that_are_rubbish_say_nothing(world: World, text: str) -> None:
    world.start()
    (world.folder / crash_report.FILE_NAME).write_text(text)
    _, past = world.start()
    assert past.last is not None
    assert past.last.kind is ExitKind.OUTSIDE


def test_last_words_of_the_run_with_strange_figures_say_nothing(world: World) -> None:
    world.start()
    world.says("watchdog", uptime=float("inf"))
    _, past = world.start()
    assert past.last is not None
    assert past.last.kind is ExitKind.OUTSIDE


@pytest.mark.parametrize(
    ("number", "text"), [(errno.EROFS, "Read-only file system"), (errno.ENOSPC, "No space left on device")]
)
def test_a_directory_that_takes_nothing_is_one_line_and_the_run_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int, text: str
) -> None:
    accounts, _ = world.start()
    accounts.ended(ExitKind.CLEAN, "SIGTERM")
    real = os.open

    def refuse(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(number, text)
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    accounts, past = world.start()
    accounts.stopping()
    accounts.ended(ExitKind.CLEAN, "SIGTERM")
    assert past.counts == {"clean": 1}, "what was there is read"
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{world.folder / FILE_NAME} cannot be written: {text}: the next run may not know why this one ended"
    )


def test_a_full_disk_takes_the_end_of_a_run_that_began_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts, _ = world.start()

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    accounts.ended(ExitKind.CLEAN, "SIGTERM")
    monkeypatch.undo()
    _, past = world.start()
    assert past.counts == {"clean": 1}
