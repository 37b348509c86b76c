"""The real daemon and what watches over it: one a cluster, safe mode, reloads, rotation, signals, state directory."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command, run
from drill_book import small_disk, wait_until_gone

from arvnodeman.sandbox.process import SiteProcess

Start = Callable[..., DaemonProcess]
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    with SiteProcess(speed=50) as site:
        yield site


@pytest.fixture
def start(site: SiteProcess, tmp_path: Path) -> Iterator[Start]:
    """Starts a daemon at the site. `program`: another one than the daemon alone; options as in write_config."""
    daemons: list[DaemonProcess] = []

    def start(
        overrides: Mapping[str, Mapping[str, object] | None] | None = None,
        program: list[str] | None = None,
        **options: object,
    ) -> DaemonProcess:
        log = tmp_path / f"log{len(daemons)}"
        changes = {"Logging": {"file": log, "level": "INFO"}, **(overrides or {})}
        config = site.write_config(tmp_path / f"site{len(daemons)}.cfg", changes, **options)
        daemons.append(DaemonProcess(config, log, site.environment(), program or command()))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.end()


# ---- one writer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_state_dir", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_second_daemon_says_who_runs_and_exits_3(
    start: Start, site: SiteProcess, tmp_path: Path, with_state_dir: bool
) -> None:
    options = {"state_dir": tmp_path / "state"} if with_state_dir else {}
    first = start(**options)
    first.wait_for_line("got response with", 3)
    config = site.write_config(
        tmp_path / "second.cfg", {"Logging": {"file": tmp_path / "second.log", "level": "INFO"}}, **options
    )
    answer = run("--config", str(config), "--foreground")
    assert answer.returncode == 3
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"{config}: another daemon of the cluster 127.0.0.1:{site.address.port} runs on this host: ")
    assert f"process {first.process.pid} of " in line
    assert str(first.config) in line
    assert first.stop() == 0
    start(**options).wait_for_line("got response with", 3)


@pytest.mark.long
def test_one_in_the_background_holds_the_lock_too(site: SiteProcess, tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = site.write_config(
        tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, state_dir=tmp_path / "state"
    )
    environment = site.environment()
    subprocess.run([*command(), "--config", str(config)], env=environment, timeout=BOUND, check=True)
    end = time.monotonic() + BOUND
    while "got response with" not in (text := log.read_text() if log.exists() else ""):
        assert time.monotonic() < end, text
        time.sleep(0.02)
    pid = int(text.partition("[")[2].partition("]")[0])
    try:
        answer = run("--config", str(config), "--foreground")
        assert answer.returncode == 3
        assert f"process {pid} of " in answer.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
    assert wait_until_gone(pid, BOUND) == []


# ---- safe mode -------------------------------------------------------------------------------------------------------


def test_after_quick_ends_it_polls_and_reports_and_boots_nothing(
    start: Start, site: SiteProcess, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    end = {"kind": "watchdog", "subject": "x", "at": time.time(), "lasted": 20.0}
    content = {"format": 1, "run": None, "ends": [end] * 3, "counts": {"watchdog": 3}}
    (state / "restarts.json").write_text(json.dumps(content))
    site.add_jobs({"cores": 1, "duration": 20})
    daemon = start(state_dir=state)
    daemon.wait_for_line("The last 3 runs ended early, all in this way: safe mode for 60 s")
    daemon.wait_for_line("got response with", 15)
    assert "Safe mode: lists are polled and reported, nothing is created or destroyed" in daemon.text()
    assert site.state()["cloud"]["created"] == 0
    assert daemon.stop() == 0
    start(state_dir=state).wait_for_line("Booting a node.")  # the clean end has ended the series


# ---- operators -------------------------------------------------------------------------------------------------------


def test_a_dead_operator_is_replaced_and_the_job_gets_its_node(start: Start, site: SiteProcess, tmp_path: Path) -> None:
    """SystemExit in an operator that has a record for a boot in hand."""
    drill = [sys.executable, str(Path(__file__).with_name("drill_daemon.py")), "operator-killed", str(tmp_path / "cue")]
    daemon = start(program=[*drill, "--"])
    daemon.wait_for_line("got response with", 3)
    (tmp_path / "cue").touch()
    site.add_jobs({"cores": 1, "duration": 20})
    daemon.wait_for_line("is replaced")
    site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 1, timeout=2 * BOUND)
    assert "its operator died: ActorExit: SystemExit" in daemon.text()
    assert daemon.stop() == 0
    assert site.verdict()["clean"]


# ---- reload, rotation, signals ---------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_reload_in_the_middle_of_a_boot_disturbs_nothing(start: Start, site: SiteProcess) -> None:
    daemon = start()
    site.add_jobs({"cores": 1, "duration": 60})
    daemon.wait_for_line("Sending create_node request")
    text = daemon.config.read_text().replace("consecutive_idle_count = 2", "consecutive_idle_count = 3")
    daemon.config.write_text(text.replace("watchdog = 60", "watchdog = 61"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_line("[Daemon] consecutive_idle_count has changed and is in force")
    daemon.wait_for_line("[Daemon] watchdog has changed: it will be in force after a restart")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_line("[Daemon] watchdog has changed: it will be in force after a restart", 2)
    assert daemon.text().count("consecutive_idle_count has changed") == 1
    site.wait_for(lambda state: state["quiet"] and state["jobs"].get("completed") == 1, timeout=2 * BOUND)
    verdict = site.verdict()
    assert verdict["clean"], verdict
    assert verdict["nodes_booted"] == 1
    assert daemon.stop() == 0


@pytest.mark.long
def test_the_log_may_be_rotated_at_any_time(start: Start, tmp_path: Path) -> None:
    daemon = start()
    daemon.wait_for_line("got response with", 3)
    for number in range(3):
        daemon.log.rename(tmp_path / f"old{number}")
        daemon.wait_for_line("got response with", 3)
    old = (tmp_path / "old0").read_text()
    assert "started, libcloud" in old
    assert "Traceback" not in old + daemon.text()
    assert daemon.stop() == 0


@pytest.mark.long
def test_a_storm_of_signals_is_weathered(start: Start) -> None:
    daemon = start(watchdog=5.0, watchdog_interval=0.2)
    daemon.wait_for_line("got response with", 3)
    for _ in range(300):
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGCONT, signal.SIGWINCH):
            daemon.process.send_signal(number)
    seen = daemon.text().count("got response with")
    daemon.wait_for_line("got response with", seen + 6)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.text()
    assert "CRITICAL" not in daemon.text()


@pytest.mark.long
def test_a_log_that_nobody_reads_any_more_ends_it_with_last_words(
    site: SiteProcess, tmp_path: Path, start: Start
) -> None:
    """As a log on a file system whose server is gone: every line waits for ever."""
    fifo, state = tmp_path / "fifo", tmp_path / "state"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 16384)
    daemon = start({"Logging": {"file": fifo, "level": "DEBUG"}}, state_dir=state, watchdog=3.0, watchdog_interval=0.2)
    try:
        assert daemon.process.wait(BOUND) == -signal.SIGKILL
    finally:
        daemon.end()
        os.close(reader)
    words = json.loads((state / "last_words.json").read_text())
    assert words["cause"] == "watchdog"
    assert any("emit" in call for calls in words["stacks"].values() for call in calls)
    again = start(state_dir=state)
    again.wait_for_line("The last run ended by its own watchdog")


# ---- the state directory ---------------------------------------------------------------------------------------------


@ROOT_ONLY
@pytest.mark.parametrize("trouble", ["full", pytest.param("read-only", marks=pytest.mark.long)])
def test_a_state_directory_that_takes_nothing_costs_a_line(start: Start, tmp_path: Path, trouble: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with small_disk(state):
        if trouble == "full":
            with (state / "filler").open("wb") as filler:
                os.posix_fallocate(filler.fileno(), 0, 2 << 20)
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(state)], check=True)
        daemon = start(state_dir=state)
        daemon.wait_for_line("got response with", 6)
        assert daemon.stop() == 0
        text = daemon.text()
    told = {"read-only": "Read-only file system", "full": "No space left on device"}[trouble]
    complaints = [line for line in text.splitlines() if "state" in line and " WARNING: " in line]
    assert complaints, text
    assert told in complaints[0]
    assert "Traceback" not in text


@pytest.mark.long
def test_what_another_version_left_is_set_aside(start: Start, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "restarts.json").write_text('{"format": 7, "runs": {}}')
    (state / "last_words.json").write_bytes(bytes(range(256)))
    (state / "stacks.txt").mkdir()
    daemon = start(state_dir=state)
    daemon.wait_for_line("got response with", 3)
    assert daemon.stop() == 0
    assert "restarts.json was not written by this version: its format is '7'" in daemon.text()
    assert (state / "restarts.json.set-aside").exists()
    assert json.loads((state / "restarts.json").read_text())["counts"] == {"clean": 1}


# ---- its children ----------------------------------------------------------------------------------------------------


def test_a_command_that_ignores_sigterm_is_a_failed_poll_and_its_children_go(
    start: Start, site: SiteProcess, tmp_path: Path
) -> None:
    """The hands bound their commands, so this does not come to the watchdog."""
    place = tmp_path / "bin"
    place.mkdir()
    squeue = place / "squeue"
    squeue.write_text('#!/bin/sh\ntrap "" TERM\nsleep 600 &\nwhile :; do sleep 1; done\n')
    squeue.chmod(0o755)
    program = ["env", f"PATH={place}:{site.environment()['PATH']}", *command()]
    daemon = start(program=program, watchdog=4.0, watchdog_interval=0.2)
    daemon.wait_for_line("squeue: did not end within 1 seconds, killed", 2)
    assert daemon.stop() == 0
    assert wait_until_gone(daemon.process.pid) == []
    assert "CRITICAL" not in daemon.text()
