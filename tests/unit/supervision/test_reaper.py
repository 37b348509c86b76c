"""Nothing outlives the daemon, whatever it died of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BOUND = 20.0
PROGRAM = """
import os, subprocess, sys, time
os.setsid()
from arvnodeman.supervision.reaper import Reaper
reaper = Reaper()
assert reaper.start()
subprocess.Popen(["sh", "-c", 'trap "" TERM HUP INT; while :; do sleep 1; done'], stdout=subprocess.DEVNULL)
print(os.getpid(), flush=True)
sys.stdin.readline()
"""


def members(group: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def gone(group: int) -> bool:
    end = time.monotonic() + BOUND
    while members(group) and time.monotonic() < end:
        time.sleep(0.01)
    return not members(group)


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_children_go_with_the_daemon(end: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM + end], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        assert len(members(group)) >= 3, "the daemon, the reaper, the stubborn child"
        os.killpg(group, signal.SIGTERM) if end == "os._exit(1)" else None
        process.communicate("go\n", timeout=BOUND)
    assert gone(group)


def test_an_orderly_end_kills_nobody() -> None:
    program = PROGRAM + "reaper.close()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        process.communicate("go\n", timeout=BOUND)
    assert process.returncode == 0
    left = members(group)
    assert left, "the stubborn child lives"
    os.killpg(group, signal.SIGKILL)
    assert gone(group)


def test_a_process_that_leads_no_group_gets_none() -> None:
    """Else it would kill strangers: a test's own process, for one."""
    program = "from arvnodeman.supervision.reaper import Reaper\nimport os\nassert os.getpgid(0) != os.getpid()\n"
    program += "assert not Reaper().start()\n"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=BOUND)
