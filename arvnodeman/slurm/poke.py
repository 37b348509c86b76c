"""Pokes: a file that somebody touches to have the daemon look at Slurm now.

Those who touch it are programs that slurmctld runs (poke.sh), a job_submit.lua inside slurmctld, the command `wake`. It
is a file and no socket, since a shell without PATH can touch one, and so can Lua; since neither a dead nor a hung
daemon makes that wait, nor a full disk makes it fail; and since its mode says who may.
"""

from __future__ import annotations

import logging
import os
import shlex
import stat
import time
from collections.abc import Callable
from pathlib import Path

POKE_FILE = "/run/arvados-node-manager/poke"
"""Where the file is, unless the configuration says otherwise: in the RuntimeDirectory of the service unit."""
PROGRAM = Path(__file__).with_name("poke.sh")
"""The packaged program for slurm.conf, which touches POKE_FILE."""

_LINE = f"file={POKE_FILE}\n"
_MODE = 0o600
_SILENCE = 60.0  # seconds between two lines on what is wrong with the file
_OPEN = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_log = logging.getLogger("arvnodeman.slurm")


def program_for(file: str) -> str:
    """The text of a program that touches this file."""
    text = PROGRAM.read_text(encoding="utf-8")
    assert _LINE in text
    return text.replace(_LINE, f"file={shlex.quote(file)}\n")


def poke(file: str) -> None:
    """Touch the file as the program does. Raises OSError: FileNotFoundError, too, where no daemon has made it."""
    os.close(os.open(file, _OPEN | os.O_TRUNC))


class PokeFile:
    """The daemon's end: is the file touched? Whatever is wrong with it is one line a minute at most.

    It is made with a mode that lets nobody else in, and one that is there already keeps its own, so that whoever runs
    the host may let others in. It must stay empty: what somebody has written is removed, and does not count as a poke.
    """

    def __init__(self, path: str, *, ours: bool = True, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`ours`: make the file where it is missing, and empty it; else it is only looked at."""
        self._path = path
        self._ours = ours
        self._monotonic = monotonic
        self._stamp: tuple[int, int] | None = None
        self._silent_until = float("-inf")

    def poked(self) -> bool:
        """Was it touched since the last call? The first call is never True. Never raises OSError."""
        try:
            return self._observe()
        except OSError as error:
            self._stamp = None
            self._complain(f"cannot be used: {error.strerror or error}")
            return False

    def _observe(self) -> bool:
        try:
            seen = os.lstat(self._path)
        except FileNotFoundError:
            self._stamp = None
            if self._ours:
                self._stamp = _stamp(self._open(os.O_CREAT | os.O_EXCL))
            return False
        if not stat.S_ISREG(seen.st_mode):
            self._stamp = None
            self._complain("is not a plain file")
            return False
        if seen.st_size and self._ours:
            self._complain(f"should be touched, not written to; what was in it ({seen.st_size} bytes) is gone")
            self._stamp = _stamp(self._open(os.O_TRUNC))
            return False
        before, self._stamp = self._stamp, _stamp(seen)
        return before is not None and self._stamp != before and not seen.st_size

    def _open(self, flags: int) -> os.stat_result:
        descriptor = os.open(self._path, _OPEN | flags, _MODE)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def _complain(self, what: str) -> None:
        now = self._monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _SILENCE
            _log.warning("[Daemon] poke_file: %s %s", self._path, what)


def _stamp(seen: os.stat_result) -> tuple[int, int]:
    return seen.st_ino, seen.st_mtime_ns
