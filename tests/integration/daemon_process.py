"""The real daemon as a child process of a test."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from arvnodeman.supervision.first_signals import STOPS

BOUND = 30.0  # seconds that anything may take on a busy machine


def command(*arguments: str) -> list[str]:
    """The program with these arguments."""
    return [sys.executable, "-m", "arvnodeman", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=BOUND, check=False)


class DaemonProcess:
    """A daemon in the foreground with its log in a file."""

    def __init__(
        self, config: Path, log: Path, environment: Mapping[str, str], program: Sequence[str] = command()
    ) -> None:
        """`program`: what stands before its arguments, where it is not the daemon alone."""
        self.config = config
        self.log = log
        with held_back(*STOPS):
            self.process = subprocess.Popen(
                [*program, "--config", str(config), "--foreground"], env=environment, stderr=subprocess.PIPE, text=True
            )

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text() if self.log.exists() else ""

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Wait until the condition holds; the daemon must live meanwhile."""
        end = time.monotonic() + BOUND
        while not condition():
            assert self.process.poll() is None, f"the daemon ended with {self.process.poll()}:\n{self.text()}"
            assert time.monotonic() < end, f"{what} did not come:\n{self.text()}"
            time.sleep(0.02)

    def wait_for_line(self, text: str, count: int = 1) -> None:
        """Wait until the log has this text so many times."""
        self.wait_for(lambda: self.text().count(text) >= count, f"{count} times {text!r}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(BOUND)

    def end(self) -> str:
        """End it however it is; what it said on stderr."""
        self.process.kill()
        self.process.wait()
        stderr = self.process.stderr
        if stderr is None or stderr.closed:
            return ""
        with stderr:
            return stderr.read()


@contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Children begun in this block get these signals when they let them in. The daemon does so in its first line; until
    then there is but the interpreter, which would end by them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port on which nobody listens, and that nobody else gets meanwhile."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def mute_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]
