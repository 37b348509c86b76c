"""The real daemon's journal: after a SIGKILL at any moment it is there, and a fresh Fleet decides the same by it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess

from arvnodeman.journal.codec import Codec
from arvnodeman.journal.reader import read
from arvnodeman.journal.replay import Replay, replay, words
from arvnodeman.journal.writer import files_of
from arvnodeman.sandbox.process import SiteProcess


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=50) as site:
        yield site


def test_runs_of_the_daemon_are_decided_again(site: SiteProcess, tmp_path: Path) -> None:
    """Two that are killed in the middle of their work, and one that stops in order."""
    log, state = tmp_path / "log", tmp_path / "state"
    config = site.write_config(tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, state_dir=state)
    site.post("jobs", {"workload": {"seed": 3, "jobs": 10, "window": 100, "duration": 60}})
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        daemon = DaemonProcess(config, log, site.environment())
        try:
            before = log.read_text().count("got response with") if log.exists() else 0
            daemon.wait_for_line("got response with", before + 6)
            time.sleep(random.random())  # the moment is the point; nothing is waited for
            if number is signal.SIGTERM:
                site.wait_for(lambda seen: seen["quiet"], timeout=4 * BOUND)
            daemon.stop(number)
        finally:
            daemon.end()
    files = files_of(state / "journal")
    outcome = Replay().play(files)
    assert outcome.differences == []
    assert outcome.runs == 3
    assert outcome.compared == outcome.events
    assert outcome.steps > 20
    assert not outcome.passed_over
    told = subprocess.run(
        [sys.executable, "-m", "arvnodeman.journal.replay", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )
    assert "3 runs" in told.stderr
    assert words(replay([state / "journal"])) == told.stderr.splitlines()


@pytest.mark.long
def test_no_journal_where_none_is_wanted(site: SiteProcess, tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    config = site.write_config(
        tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, state_dir=state, journal="no"
    )
    daemon = DaemonProcess(config, log, site.environment())
    try:
        daemon.wait_for_line("got response with", 3)
        assert daemon.stop() == 0
    finally:
        daemon.end()
    assert not (state / "journal").exists()


def test_what_the_daemon_dies_of_is_in_it(site: SiteProcess, tmp_path: Path) -> None:
    """A brain that raises ends the process; what it was told then is the last that the journal has."""
    log, state, cue = tmp_path / "log", tmp_path / "state", tmp_path / "cue"
    config = site.write_config(tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, state_dir=state)
    program = [sys.executable, str(Path(__file__).with_name("drill_daemon.py")), "brain-killed", str(cue), "--"]
    daemon = DaemonProcess(config, log, site.environment(), program)
    try:
        daemon.wait_for_line("got response with", 3)
        cue.touch()
        assert daemon.process.wait(BOUND) == -signal.SIGKILL
    finally:
        daemon.end()
    (path,) = files_of(state / "journal")
    entries = list(read(path, Codec()))
    outcome = Replay().play([path])
    assert outcome.events == len(entries) - 1 > 3
    assert outcome.differences == [] or "0 steps then" in str(outcome.differences[-1]), "it got no answer"
    assert len(outcome.differences) <= 1
