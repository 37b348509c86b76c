"""Two accounts on a real Slurm: what the report says that each pays is what the nodes have cost."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import DaemonProcess, run
from slurm_stage import need_slurm

from arvnodeman.sandbox.process import SiteProcess

SLOTS = 5
BOUND = 180.0  # seconds, on a busy machine
JOBS = {"physics": ("nobody", 3, 12), "biology": ("daemon", 2, 8)}  # user, jobs, seconds of each


@pytest.fixture
def site() -> Iterator[SiteProcess]:
    need_slurm()
    with SiteProcess(speed=10, slots=SLOTS, slurm="real", records="slurm") as site:
        yield site


def until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, f"{what} did not come within {BOUND:g} s"
        time.sleep(1.0)


def report(history: Path, *arguments: str) -> dict[str, Any]:
    told = run("report", "--since", "1h", "--format", "json", "--history", str(history), *arguments)
    assert (told.returncode, told.stderr) == (0, "")
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.long
def test_what_two_accounts_pay_is_what_their_nodes_cost(site: SiteProcess, tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    history = state / "history.sqlite"

    def slurm(*argv: str, text: str = "") -> str:
        done = subprocess.run(
            argv, env=site.environment(), input=text, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    for number in range(1, SLOTS + 1):
        slurm("scontrol", "update", f"NodeName=compute{number}", "NodeAddr=192.0.2.1")
    options = {"state_dir": state, "poll_time": 2, "payers_poll_time": 2}
    config = site.write_config(tmp_path / "site.cfg", {"Logging": {"file": log, "level": "INFO"}}, **options)
    daemon = DaemonProcess(config, log, site.environment())
    try:
        for account, (user, count, seconds) in JOBS.items():
            who = (f"--uid={user}", f"--account={account}", "--output=/dev/null", "--chdir=/tmp")
            for _ in range(count):
                slurm("sbatch", *who, "--cpus-per-task=1", "--mem=200", text=f"#!/bin/sh\nexec sleep {seconds}\n")
        until(lambda: not slurm("squeue", "--noheader") and history.exists(), "the end of all jobs")
        until(lambda: report(history)["ends"].get("destroyed", 0) >= SLOTS, "the end of all nodes")
        assert daemon.stop() == 0
    finally:
        daemon.end()
    whole = report(history)["total"]["cost"]
    assert whole > 0
    for by in ("account", "user", "job", "partition", "size"):
        found = report(history, "--by", by)
        assert sum(share["cost"] for share in found["shares"]) == pytest.approx(found["total"]["cost"], abs=1e-9)
        assert found["total"]["cost"] == pytest.approx(whole, abs=2e-4)  # each is rounded to four digits
    accounts = {share["name"]: share for share in report(history, "--by", "account")["shares"]}
    assert {name: accounts[name]["jobs"] for name in JOBS} == {name: count for name, (_, count, _) in JOBS.items()}
    worked = {name: accounts[name]["node_hours"] * 3600 for name in JOBS}
    assert all(worked[name] >= count * seconds - 1 for name, (_, count, seconds) in JOBS.items())
    users = {share["name"] for share in report(history, "--by", "user")["shares"]}
    assert {user for user, _, _ in JOBS.values()} <= users
