"""A server of the tests' own: started on a free port; stopped, frozen and killed by its pid and its children's."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

BOUND = 60.0  # seconds that anything may take on a busy machine


def need(*what: tuple[str, object], apt: str) -> None:
    """Skip the tests where one of these is missing, with the way to get it; in CI that is a failure."""
    missing = [name for name, found in what if not found]
    if missing:
        complaint = f"not installed: {', '.join(missing)}; on Debian or Ubuntu: apt-get install {apt}"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)


def until(true: Callable[[], object], what: str, bound: float = BOUND) -> None:
    """Wait until it is so."""
    end = time.monotonic() + bound
    while not true():
        assert time.monotonic() < end, f"not so within {bound:g} s: {what}"
        time.sleep(0.05)


class StoreProcess:
    """One server. `user`: as whom it runs, where this process may choose."""

    def __init__(
        self, argv: Sequence[str], log: Path, environ: Mapping[str, str] | None = None, user: str | None = None
    ) -> None:
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(environ or {})},
                cwd=log.parent,
                user=user,
            )

    def send(self, number: int) -> None:
        """To the server and all that it has begun."""
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL, to all of it."""
        self.send(signal.SIGKILL)
        self.process.wait(BOUND)

    def end(self, number: int = signal.SIGTERM) -> None:
        """In order, if it does that."""
        self.send(signal.SIGCONT)
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(BOUND)
            except subprocess.TimeoutExpired:
                self.kill()


def descendants(pid: int) -> list[int]:
    """The processes below this one."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def replaced(folder: Path, fresh: Path) -> None:
    """This folder becomes a copy of another, with its owners."""
    shutil.rmtree(folder)
    subprocess.run(["cp", "-a", str(fresh), str(folder)], check=True)
