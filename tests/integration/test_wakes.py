"""The real daemon is woken: polls of the queue are an hour apart, so that whatever happens sooner was woken."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from daemon_process import BOUND, DaemonProcess, command

from arvnodeman.sandbox.process import SiteProcess

HOUR = 3600


@contextmanager
def daemon_at(site: SiteProcess, folder: Path, **options: object) -> Iterator[DaemonProcess]:
    """A daemon whose first polls are over."""
    log = folder / "log"
    given = {"wishlist_poll_time": HOUR, "poll_stale_after": 3 * HOUR, "poke_file": folder / "poke", **options}
    config = site.write_config(folder / "site.cfg", {"Logging": {"file": log, "level": "DEBUG"}}, **given)
    daemon = DaemonProcess(config, log, site.environment())
    try:
        daemon.wait_for(lambda: polls(daemon), "the first poll of the queue")
        yield daemon
    finally:
        daemon.end()


def polls(daemon: DaemonProcess) -> int:
    return sum("JobQueueMonitorActor" in line and "got response" in line for line in daemon.text().splitlines())


def created(site: SiteProcess) -> int:
    return int(site.state()["counts"].get("node-created", 0))


def test_a_job_that_is_submitted_wakes(tmp_path: Path) -> None:
    with SiteProcess(speed=20, slots=4) as site, daemon_at(site, tmp_path, wake_poll=0.2) as daemon:
        site.add_jobs({"duration": 60})
        daemon.wait_for(lambda: created(site) == 1, "a node")
        assert polls(daemon) <= 5  # and not one with each look


def test_without_looks_a_poke_wakes(tmp_path: Path) -> None:
    """By slurm.conf's program, and by the command."""
    with SiteProcess(speed=20, slots=4) as site, daemon_at(site, tmp_path, wake_poll=0) as daemon:
        program = tmp_path / "program"
        subprocess.run(command("wake", "--config", str(daemon.config), "--install", str(program)), check=True)
        daemon.wait_for((tmp_path / "poke").exists, "the poke file")
        site.add_jobs({"duration": 600})
        subprocess.run([str(program), "cloud[1-2]"], cwd="/", env={"PWD": "/"}, check=True)
        daemon.wait_for(lambda: created(site) == 1, "a node")
        before = polls(daemon)
        site.add_jobs({"duration": 600, "cores": 4})  # of another size: the first node may be up and idle by now
        subprocess.run(command("wake", "--config", str(daemon.config)), check=True, timeout=BOUND)
        daemon.wait_for(lambda: created(site) == 2, "another node")
        assert polls(daemon) > before


@pytest.mark.long
def test_a_storm_of_pokes_costs_few_polls(tmp_path: Path) -> None:
    """No more than one a second, and the daemon answers meanwhile."""
    with SiteProcess(speed=20, slots=4) as site, daemon_at(site, tmp_path, wake_poll=0) as daemon:
        program = tmp_path / "program"
        subprocess.run(command("wake", "--config", str(daemon.config), "--install", str(program)), check=True)
        daemon.wait_for((tmp_path / "poke").exists, "the poke file")
        storm = f"n=0; while [ $n -lt 300 ]; do {program} cloud1; n=$((n+1)); done"
        began = polls(daemon)
        subprocess.run(["/bin/sh", "-c", storm], cwd="/", env={"PWD": "/"}, check=True, timeout=4 * BOUND)
        daemon.wait_for(lambda: polls(daemon) > began, "a poll")
        wakes = daemon.text().count("polling now: queue")
        assert 1 <= wakes <= 100
        assert polls(daemon) - began <= wakes


@pytest.mark.long
@pytest.mark.parametrize("garbage", [b"\0\xff\n" * 1000, b"hold node"])
def test_garbage_is_one_line(tmp_path: Path, garbage: bytes) -> None:
    with SiteProcess(speed=20, slots=4) as site, daemon_at(site, tmp_path, wake_poll=0) as daemon:
        path = tmp_path / "poke"
        daemon.wait_for(path.exists, "the poke file")
        for _ in range(3):
            path.write_bytes(garbage)
            daemon.wait_for(lambda: path.stat().st_size == 0, "an empty file")
        assert daemon.text().count("[Daemon] poke_file:") == 1
        assert daemon.text().count("polling now") == 0
        os.utime(path, (1, 1))
        daemon.wait_for_line("polling now: queue")


def test_a_look_that_hangs_holds_up_no_poll(tmp_path: Path) -> None:
    """slurmctld answers squeue and not sdiag: lists come, and the daemon lives."""
    with SiteProcess(speed=20, slots=4) as site:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "sdiag").write_text(f"#!/bin/sh\necho $$ >{tmp_path}/hangs\nexec sleep 600\n")
        (folder / "sdiag").chmod(0o755)
        environment = site.environment()
        environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
        log = tmp_path / "log"
        config = site.write_config(
            tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, wake_poll=0.1, poll_time=0.3, watchdog=6
        )
        daemon = DaemonProcess(config, log, environment)
        try:
            daemon.wait_for((tmp_path / "hangs").exists, "a look")
            before = polls(daemon)
            daemon.wait_for(lambda: polls(daemon) >= before + 5, "more polls")
            daemon.wait_for_line(
                "cannot see whether jobs come between two polls: sdiag: did not end within 1.5 seconds"
            )
            assert daemon.stop() == 0
        finally:
            daemon.end()
