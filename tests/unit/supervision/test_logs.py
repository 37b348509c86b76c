"""Where the log goes and what its lines look like."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from arvnodeman.config.settings import LoggingSettings
from arvnodeman.supervision import logs


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


def settings(
    file: Path | str, level: str = "INFO", form: Literal["text", "json"] = "text", **loggers: str
) -> LoggingSettings:
    return LoggingSettings(file=str(file), level=level, loggers=loggers, format=form)


def test_a_line_as_operators_grep_it(tmp_path: Path) -> None:
    logs.set_up(settings(tmp_path / "log"))
    logging.getLogger("NodeManagerDaemonActor.0123").warning("it is %s", "so")
    line = (tmp_path / "log").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d NodeManagerDaemonActor\.0123\[\d+\] WARNING: it is so\n", line)


def test_a_line_in_json(tmp_path: Path) -> None:
    logs.set_up(settings(tmp_path / "log", form="json"))
    logging.getLogger("ComputeNodeSetupActor.7").warning('it is "%s"\nand more', "sö")
    try:
        raise KeyError("node")
    except KeyError:
        logging.getLogger("x").exception("while handling")
    first, second = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("time"))
    assert first == {
        "level": "WARNING",
        "logger": "ComputeNodeSetupActor.7",
        "pid": os.getpid(),
        "message": 'it is "sö"\nand more',
    }
    assert second["error"].startswith("Traceback")
    assert "KeyError: 'node'" in second["error"]


def test_under_systemd_no_line_has_two_time_stamps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The journal stamps what comes through the socket that JOURNAL_STREAM names; a file of ours it does not."""
    stat = os.fstat(2)
    record = logging.LogRecord("x", logging.WARNING, "", 0, "hello", (), None)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
    assert logs.formatter(settings("/dev/stderr")).format(record) == f"x[{os.getpid()}] WARNING: hello"
    assert logs.formatter(settings(tmp_path / "log")).format(record)[:2] == "20"
    monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino + 1}")  # redirected since
    assert logs.formatter(settings("/dev/stderr")).format(record)[:2] == "20"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_like_the_one_before_is_written_again(tmp_path: Path, form: Literal["text", "json"]) -> None:
    """Row K2: held back, it would hide that something goes on; whoever counts lines would count wrong."""
    logs.set_up(settings(tmp_path / "log", form=form))
    for _ in range(50):
        logging.getLogger("JobQueueMonitorActor.7").warning("got error: %s", "HTTP 503")
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 50
    assert all("got error: HTTP 503" in line for line in lines)


def test_levels_for_the_root_and_for_loggers(tmp_path: Path) -> None:
    first = settings(tmp_path / "log", "WARNING", chatty="DEBUG")
    logs.set_up(first)
    logging.getLogger("quiet").info("no")
    logging.getLogger("chatty.child").debug("yes")
    logs.set_levels(settings(tmp_path / "log", "INFO"), before=first)
    logging.getLogger("chatty").debug("not any more")
    logging.getLogger("quiet").info("now it is")
    text = (tmp_path / "log").read_text()
    assert [line.rpartition(": ")[2] for line in text.splitlines()] == ["yes", "now it is"]


def test_a_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    logs.set_up(settings(tmp_path / "log"))
    logging.getLogger("x").warning("old")
    (tmp_path / "log").rename(tmp_path / "log.1")
    logging.getLogger("x").warning("new")
    assert "new" in (tmp_path / "log").read_text()
    assert "new" not in (tmp_path / "log.1").read_text()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(logs.CannotLog, match=r"^\[Logging\] file: cannot write .*: Is a directory$"):
        logs.check(settings(tmp_path))
    with pytest.raises(logs.CannotLog, match="No such file or directory"):
        logs.check(settings(tmp_path / "away" / "log"))
    logs.check(settings("/dev/stderr"))
    logs.check(settings(tmp_path / "log"))


def test_streams_are_written_to_without_opening_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    """Row M7: a journal's socket cannot be opened by its path."""
    logs.set_up(settings("/dev/stderr"))
    logging.getLogger("x").warning("hello")
    assert "hello" in capsys.readouterr().err
    logs.set_up(settings("/dev/stdout"))
    logging.getLogger("x").warning("hello")
    assert "hello" in capsys.readouterr().out


def test_a_full_disk_is_not_answered_with_tracebacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, _text: str) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stdout", Full())
    logs.set_up(settings("/dev/stdout"))
    monkeypatch.undo()
    logging.getLogger("x").warning("hello")
    assert capsys.readouterr().err == ""


def test_a_folder_that_is_gone_costs_lines_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever logs is not told: an actor would die of it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    logs.set_up(settings(folder / "log"))
    folder.rename(tmp_path / "old")
    for _ in range(3):
        logging.getLogger("x").warning("lost")
    folder.mkdir()
    logging.getLogger("x").warning("found")
    assert (folder / "log").read_text().endswith("found\n")
    assert "lost" not in (folder / "log").read_text()
    assert capsys.readouterr().err == ""


def test_a_fifo_that_nobody_reads_is_one_line_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(logs.CannotLog, match=r"cannot write .*/log: nobody reads from it"):
        logs.check(settings(tmp_path / "log"))
