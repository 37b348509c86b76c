"""The process that stands over Slurm's daemons, tried with other daemons: it starts them, kills what they leave behind,
and ends everything with itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BOUND = 20.0  # seconds that a condition may take to come true
# A daemon that holds a log open, and lets go of a child that holds it, too, and has a child of its own.
DAEMON = """
exec 3>>{log}
(trap '' HUP TERM; sleep 1000 & echo $! >{folder}/below; echo $BASHPID >{folder}/beside; wait) &
disown
[ {stays} = 1 ] && exec sleep 1000
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(true: Callable[[], object]) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


class Warded:
    """A ward as a process, and what is asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.doomed = folder / "doomed"
        self.doomed.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "arvnodeman.sandbox.real_slurm_ward", str(self.doomed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: object) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def start(self, name: str, *, stays: bool = True) -> dict[str, int]:
        """Start a daemon; the pids of it, of the child that it lets go, and of that one's child."""
        folder = self.folder / name
        folder.mkdir()
        script = DAEMON.format(log=self.log(name), folder=folder, stays=int(stays))
        out = str(folder / "out")
        pid = self.ask(do="start", name=name, argv=["/bin/bash", "-c", script], env=dict(os.environ), log=out)["pid"]
        wait_for(lambda: (folder / "below").exists() and (folder / "beside").exists())
        wait_for(lambda: (folder / "below").read_text() and (folder / "beside").read_text())
        found = {word: int((folder / word).read_text()) for word in ("below", "beside")}
        return {"daemon": pid, **found}

    def log(self, name: str) -> str:
        return str(self.folder / f"{name}.log")


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Warded]:
    ward = Warded(tmp_path)
    yield ward
    ward.process.stdin.close()  # type: ignore[union-attr]
    ward.process.wait(BOUND)
    ward.process.stdout.close()  # type: ignore[union-attr]


def test_a_machine_that_ends_takes_along_what_its_daemon_let_go_and_nobody_else(ward: Warded) -> None:
    one, other = ward.start("one"), ward.start("other")
    assert ward.ask(do="kill", name="one", holding=ward.log("one")) == {}
    assert not any(map(alive, one.values()))
    assert all(map(alive, other.values()))


def test_a_daemon_killed_alone_leaves_its_jobs(ward: Warded) -> None:
    pids = ward.start("one")
    assert ward.ask(do="stop", name="one", signal=signal.SIGKILL, wait=BOUND) == {"ended": True}
    assert [alive(pids[who]) for who in ("daemon", "beside", "below")] == [False, True, True]


def test_a_daemon_that_does_not_end_in_time_is_told_so(ward: Warded) -> None:
    ward.start("one")
    assert ward.ask(do="stop", name="one", signal=0, wait=0.05) == {"ended": False}
    assert ward.ask(do="stop", name="nobody", signal=signal.SIGTERM, wait=0) == {"ended": True}


def test_everything_ends_with_its_user_and_the_directory_is_removed(ward: Warded) -> None:
    pids = ward.start("one") | {"left": ward.start("two", stays=False)["beside"]}
    assert ward.process.stdin is not None
    ward.process.send_signal(signal.SIGINT)  # a Ctrl-C of the terminal is not for the ward
    ward.process.stdin.close()  # as the kernel does for a user that was killed
    assert ward.process.wait(BOUND) == 0
    assert not any(map(alive, pids.values()))
    assert not ward.doomed.exists()


def test_a_wrong_request_is_answered_and_costs_nothing_else(ward: Warded) -> None:
    assert "unknown request 'dance'" in ward.ask(do="dance")["error"]
    assert "KeyError" in ward.ask(do="start")["error"]
    assert "No such file" in ward.ask(do="start", name="x", argv=["/nonexistent"], env={}, log="/dev/null")["error"]
    ward.start("one")
    again = ward.ask(do="start", name="one", argv=["/bin/true"], env={}, log="/dev/null")
    assert "one is running already" in again["error"]
