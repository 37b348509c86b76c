"""What the last words tell, and that they get to the log and the state directory."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from pathlib import Path

import pytest

from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.values.model import Policy
from arvnodeman.fleet.view.view import OperationStatus, View
from arvnodeman.supervision.clock import Clock
from arvnodeman.supervision.crash_report import FILE_NAME, collect, file_writer, lines, log_writer
from arvnodeman.supervision.ending import ExitCause, ExitKind
from arvnodeman.supervision.inbox import Inbox
from arvnodeman.supervision.ready_file import ReadyFile
from arvnodeman.supervision.vitals import Vitals
from arvnodeman.version import __version__

CAUSE = ExitCause(ExitKind.WATCHDOG, "JobQueueMonitorActor", "Actor X watchdog ping time out, killing Node Manager")
TIME = [100.0]


class PlayedMind:
    """A brain with one operation under way and one decision."""

    def view(self) -> View:
        operation = OperationStatus(7, "shutdown", "i-7", "draining", 910.0, 2)
        return View(t=1000.0, policy=Policy(sections=(), shutdown_windows=(1.0, 1.0)), operations=(operation,))

    def decisions(self, newest: int) -> list[tuple[float, str]]:
        assert newest == 50
        return [(1e9, "Starting shutdown")]


MIND = PlayedMind()


@pytest.fixture
def vitals() -> Vitals:
    """An hour of life: the queue was polled, one actor works."""
    TIME[0] = 100.0
    vitals = Vitals(Clock(now=lambda: TIME[0] + 1e9, monotonic=lambda: TIME[0]))
    vitals.polls.began(Poll.QUEUE, 100.0, 300.0)
    vitals.polls.began(Poll.CLOUD, 100.0, 300.0)
    inbox = Inbox()
    inbox.monotonic = lambda: 95.0
    inbox.put("DestroyNode")
    inbox.put("another")
    inbox.get()
    vitals.enter("OperatorActor.1", inbox).begins("DestroyNode of operation 7")
    vitals.enter("WatchdogActor.2")
    vitals.polls.succeeded(Poll.QUEUE, 110.0, 4)
    vitals.polls.failed(Poll.QUEUE, 120.0, "squeue timed out")
    TIME[0] = 3700.0
    return vitals


def wait_here(entered: threading.Event, leave: threading.Event) -> None:
    entered.set()
    leave.wait(10.0)


def test_everything_is_told(vitals: Vitals) -> None:
    entered, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=wait_here, args=(entered, leave), name="a-hung-thread")
    thread.start()
    assert entered.wait(10.0)
    words = collect(CAUSE, vitals, MIND)
    leave.set()
    thread.join()
    assert (words.cause, words.subject, words.version, words.uptime) == (
        "watchdog",
        "JobQueueMonitorActor",
        __version__,
        3600.0,
    )
    assert words.polls["queue"] == {"since_attempt": 3580.0, "since_success": 3590.0, "error": "squeue timed out"}
    assert words.polls["cloud"]["since_success"] is None
    assert words.actors["OperatorActor.1"] == {
        "doing": "DestroyNode of operation 7",
        "for": 3600.0,
        "oldest_message": 3605.0,
        "waiting": 1,
        "words": "DestroyNode of operation 7 for 3600.000 s, its oldest message is 3605.000 s old, 1 more wait",
    }
    assert words.operations == [
        {"id": 7, "kind": "shutdown", "subject": "i-7", "stage": "draining", "for": 90.0, "attempts": 2}
    ]
    assert words.decisions == [{"at": 1e9, "text": "Starting shutdown"}]
    assert (words.began, words.pid) == (1e9 + 100, os.getpid())
    assert words.actors["WatchdogActor.2"]["doing"] == ""
    (calls,) = [calls for name, calls in words.stacks.items() if name.startswith("a-hung-thread (")]
    assert any(call.endswith(" wait_here") for call in calls)


def test_lines_for_the_log(vitals: Vitals) -> None:
    told = "\n".join(lines(collect(CAUSE, vitals, MIND)))
    assert "poll queue: last attempt 3580.0 s ago, last success 3590.0 s ago, error: squeue timed out" in told
    assert "poll cloud: last attempt 3600.0 s ago, last success never" in told
    assert "actor OperatorActor.1: DestroyNode of operation 7 for 3600.000 s" in told
    assert "actor WatchdogActor.2: waiting for 3600.000 s" in told
    assert "operation 7: shutdown of i-7, draining, under way for 90.0 s, 2 failed attempts" in told
    assert ": Starting shutdown" in told
    assert "thread MainThread" in told


def test_the_log_gets_the_cause_first_at_critical(vitals: Vitals, caplog: pytest.LogCaptureFixture) -> None:
    log_writer(vitals, MIND)(CAUSE)
    first = caplog.records[0]
    assert (first.levelno, first.getMessage(), first.name) == (logging.CRITICAL, CAUSE.text, "root")


def test_a_fatal_error_is_logged_under_its_actors_name_with_its_traceback(
    vitals: Vitals, caplog: pytest.LogCaptureFixture
) -> None:
    cause = ExitCause(ExitKind.FATAL, "X.1: MemoryError", "fatal", "X.1", MemoryError("all gone"))
    log_writer(vitals, MIND)(cause)
    assert {record.name for record in caplog.records} == {"X.1"}
    assert caplog.records[-1].exc_info
    assert "error: MemoryError: all gone" in caplog.text


def test_words_that_were_asked_for_are_no_alarm(vitals: Vitals, caplog: pytest.LogCaptureFixture) -> None:
    log_writer(vitals, MIND)(ExitCause(ExitKind.ASKED, "SIGUSR1", "asked"))
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_the_file_is_whole_and_alone(vitals: Vitals, tmp_path: Path) -> None:
    write = file_writer(vitals, MIND, ReadyFile(tmp_path / FILE_NAME, 1000))
    write(CAUSE)
    write(ExitCause(ExitKind.HOPELESS, "cloud", "hopeless"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE_NAME, f"{FILE_NAME}.draft"]
    read = json.loads((tmp_path / FILE_NAME).read_text())
    assert (read["cause"], read["subject"]) == ("hopeless", "cloud")


def test_a_state_directory_that_is_away_is_an_error_of_the_writer_alone(vitals: Vitals, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        file_writer(vitals, MIND, ReadyFile(tmp_path / "away" / FILE_NAME, 1000))(CAUSE)


def test_on_a_full_disk_the_room_taken_beforehand_is_used_and_the_stacks_are_cut(
    vitals: Vitals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is more than the room cannot be written."""
    file = ReadyFile(tmp_path / FILE_NAME, 20_000)
    file.prepare()
    real = os.pwrite

    def full(descriptor: int, content: bytes, offset: int) -> int:
        if offset + len(content) > 20_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr("arvnodeman.supervision.crash_report.stacks", lambda: {"a": ["x" * 1000] * 50})
    file_writer(vitals, MIND, file)(CAUSE)
    read = json.loads((tmp_path / FILE_NAME).read_text())
    assert read["cause"] == "watchdog"
    assert len(read["stacks"]["a"]) == 8
