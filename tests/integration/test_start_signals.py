"""A signal at any moment of a start, the first ones included: the real daemon ends in order, with exit code 0."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command, held_back
from drill_book import wait_until_gone

from arvnodeman.sandbox.process import SiteProcess
from arvnodeman.supervision.first_signals import OTHERS, STOPS

Start = Callable[[], DaemonProcess]


@pytest.fixture(scope="module")
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=50) as site:
        yield site


@pytest.fixture
def start(site: SiteProcess, tmp_path: Path) -> Iterator[Start]:
    """Starts the daemon, each time with the same state directory."""
    daemons: list[DaemonProcess] = []

    def start() -> DaemonProcess:
        log = tmp_path / f"log{len(daemons)}"
        config = site.write_config(
            tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, state_dir=tmp_path / "state"
        )
        daemons.append(DaemonProcess(config, log, site.environment()))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.end()


def assert_ended_in_order(daemon: DaemonProcess) -> None:
    assert daemon.process.wait(BOUND) == 0, daemon.text()
    assert "Traceback" not in daemon.text()
    assert "CRITICAL" not in daemon.text()
    assert wait_until_gone(daemon.process.pid) == []
    assert daemon.end() == ""


def length_of_a_start(start: Start) -> float:
    """Seconds from the process to its first poll, on this machine as it is now."""
    began = time.monotonic()
    daemon = start()
    daemon.wait_for_line("got response with")
    took = time.monotonic() - began
    daemon.process.send_signal(signal.SIGTERM)
    assert_ended_in_order(daemon)
    return took


@pytest.mark.parametrize("number", [STOPS[0], *(pytest.param(each, marks=pytest.mark.long) for each in STOPS[1:])])
def test_a_stop_at_any_moment_of_a_start(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """The moments are drawn anew each time; what the next start makes of it is in the last run's restart accounts."""
    took = length_of_a_start(start)
    for moment in [0.0, *(random.random() * took for _ in range(7))]:
        daemon = start()
        time.sleep(moment)  # the moment is the point; nothing is waited for
        daemon.process.send_signal(number)
        assert_ended_in_order(daemon)
    counts = json.loads((tmp_path / "state" / "restarts.json").read_text())["counts"]
    assert set(counts) == {"clean"}


@pytest.mark.long
def test_a_second_stop_at_any_moment_after_the_first(start: Start) -> None:
    """Also in the interpreter's own last moments, when it has no handlers any more."""
    for _ in range(6):
        daemon = start()
        daemon.wait_for_line("got response with")
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon.process.send_signal(number)
        time.sleep(random.random() * 0.3)
        daemon.process.send_signal(signal.SIGTERM)
        assert_ended_in_order(daemon)


@pytest.mark.parametrize("number", [OTHERS[0], *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS[1:])])
def test_a_reload_or_a_wish_for_last_words_in_a_start_ends_nothing(start: Start, number: signal.Signals) -> None:
    with held_back(number):
        daemon = start()
    while not daemon.log.exists():
        assert daemon.process.poll() is None
        daemon.process.send_signal(number)
        time.sleep(0.02)
    daemon.wait_for_line("got response with", 3)
    daemon.process.send_signal(signal.SIGTERM)
    assert_ended_in_order(daemon)


def test_signals_are_obeyed_before_anything_of_weight_is_imported() -> None:
    """What the interpreter needs for itself comes first; then this, in a millisecond or two."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "arvnodeman", "--version"],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )
    order = [line.rpartition("|")[2].strip() for line in told.stderr.splitlines() if line.startswith("import time:")]
    ours = [name for name in order if name.startswith("arvnodeman")]
    assert ours[:3] == ["arvnodeman", "arvnodeman.supervision", "arvnodeman.supervision.first_signals"]
    assert order.index("argparse") > order.index("arvnodeman.supervision.first_signals")


def test_a_stop_as_soon_as_it_can_be_heard(site: SiteProcess, tmp_path: Path) -> None:
    """By a parent that holds nothing back: before its first line the interpreter ends by the signal, as any does."""
    config = site.write_config(tmp_path / "site.cfg", {"Logging": {"file": tmp_path / "log"}})
    process = subprocess.Popen(
        [*command(), "--config", str(config), "--foreground"], stderr=subprocess.PIPE, text=True, env=site.environment()
    )
    with process:
        end = time.monotonic() + BOUND
        while not caught(process.pid) & 1 << (signal.SIGTERM - 1):
            assert time.monotonic() < end
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert (process.wait(BOUND), process.stderr.read()) == (0, "")
    assert not (tmp_path / "log").exists()


def caught(pid: int) -> int:
    """The signals that a process has handlers for, a bit each."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)


def test_a_stop_while_slurm_is_asked_before_the_start_ends_the_command_too(site: SiteProcess, tmp_path: Path) -> None:
    place, began = tmp_path / "bin", tmp_path / "began"
    place.mkdir()
    scontrol = place / "scontrol"
    scontrol.write_text(f"#!/bin/sh\necho $$ >{began}.draft && mv {began}.draft {began}\nexec sleep 600\n")
    scontrol.chmod(0o755)
    config = site.write_config(
        tmp_path / "site.cfg", {"Logging": {"file": tmp_path / "log"}, "Arvados": {"node_records": "slurm"}}
    )
    environment = {**site.environment(), "PATH": f"{place}:{os.environ['PATH']}"}
    daemon = DaemonProcess(config, tmp_path / "log", environment)
    try:
        daemon.wait_for(began.exists, "scontrol")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(BOUND) == 0
        assert not lives(int(began.read_text()))
    finally:
        assert daemon.end() == ""


def test_a_stop_while_such_a_command_is_being_started_ends_it_too(site: SiteProcess, tmp_path: Path) -> None:
    """subprocess has forked and not returned yet: no variable holds the child."""
    began, program = tmp_path / "began", tmp_path / "program.py"
    program.write_text(
        f"""\
import os, signal, subprocess, sys
from arvnodeman import launcher
def check_keeper(_settings):
    try:
        child = subprocess.Popen(["sleep", "600"])
        open({str(began)!r}, "w").write(str(child.pid))
    finally:
        del child
    os.kill(os.getpid(), signal.SIGTERM)
launcher.check_keeper = check_keeper
sys.exit(launcher.main(sys.argv[2], foreground=True))
"""
    )
    config = site.write_config(tmp_path / "site.cfg", {"Logging": {"file": tmp_path / "log"}})
    daemon = DaemonProcess(config, tmp_path / "log", site.environment(), [sys.executable, str(program)])
    try:
        assert daemon.process.wait(BOUND) == 0
        assert not lives(int(began.read_text()))
    finally:
        daemon.end()


def lives(pid: int) -> bool:
    """Does the process still run? One that is dead may wait for somebody to ask for its end."""
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state in "ZX":
            return False
        time.sleep(0.02)
    return True
