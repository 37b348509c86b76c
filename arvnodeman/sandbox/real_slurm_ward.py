"""The process that supervises the daemons of a private Slurm: it starts and kills them, and ends all of them when it
ends.

slurmd detaches its slurmstepds, so that jobs outlive it. Here they stay in one tree: this process is a subreaper
(prctl(2)), and what loses its parent becomes its child. At the end of its standard input, however that comes about, it
kills all below itself and removes the directory that it was given, whatever its user died of.

One request a line, as JSON; each is answered with a line, {"error": TEXT} when it failed:

    {"do": "start", "name": NAME, "argv": [...], "env": {...}, "log": FILE}     {"pid": PID}
    {"do": "stop", "name": NAME, "signal": NUMBER, "wait": SECONDS}             {"ended": BOOL}
    {"do": "kill", "name": NAME, "holding": FILE}      {}; also all below it or beside it that holds FILE open
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 10.0  # seconds that killed processes may take to be gone
_LOOK = 0.01  # seconds between two looks for that
_REAP = 1.0  # seconds between two looks for children that ended by themselves


class Ward:
    """The processes, by name. One thread uses it."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}

    def obey(self, request: dict[str, Any]) -> dict[str, object]:
        """Carry out one request. Raises OSError, KeyError and ValueError for one that is wrong."""
        match request["do"]:
            case "start":
                return {"pid": self._start(request)}
            case "stop":
                return {"ended": self._stop(request["name"], request["signal"], request["wait"])}
            case "kill":
                self._kill(request["name"], request["holding"])
                return {}
            case word:
                raise ValueError(f"unknown request {word!r}")

    def end(self) -> None:
        """Kill everything below this process."""
        self._kill_until_gone(lambda: descendants(os.getpid()))

    def reap(self) -> None:
        """Take note of children that have ended."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                self._pids = {name: pid for name, pid in self._pids.items() if pid != ended}

    def _start(self, request: dict[str, Any]) -> int:
        name, argv = request["name"], request["argv"]
        if name in self._pids:
            raise ValueError(f"{name} is running already")
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, request["log"], append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        pid = os.posix_spawn(argv[0], argv, request["env"], file_actions=actions)
        self._pids[name] = pid
        return pid

    def _stop(self, name: str, number: int, wait: float) -> bool:
        pid = self._pids.get(name)
        if pid is None:
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        end = time.monotonic() + wait
        while name in self._pids and time.monotonic() < end:
            time.sleep(_LOOK)
            self.reap()
        return name not in self._pids

    def _kill(self, name: str, holding: str) -> None:
        """The named one first: it starts no more then."""
        self._stop(name, signal.SIGKILL, _PATIENCE)
        self._kill_until_gone(lambda: _with_all_below(p for p in descendants(os.getpid()) if holds(p, holding)))

    def _kill_until_gone(self, find: Any) -> None:
        end = time.monotonic() + _PATIENCE
        while (found := find()) and time.monotonic() < end:
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK)
            self.reap()


def descendants(of: int) -> list[int]:
    """All processes below this one, those that have ended and wait to be reaped left out."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found: list[int] = []
    waiting = [of]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def holds(pid: int, path: str) -> bool:
    """Has this process the file open? By its number: a process in another name space may know it by another path."""
    with contextlib.suppress(OSError):
        wanted = Path(path).stat()
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
    return False


def _with_all_below(pids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for pid in pids:
        found |= {pid, *descendants(pid)}
    return found


def main() -> int:
    """Serve requests until standard input ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C is for those who started us: we end when they do
    ward = Ward()
    buffer = b""
    try:
        while True:
            ready, _, _ = select.select([0], [], [], _REAP)
            ward.reap()
            if not ready:
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                return 0
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                _answer(ward, line)
    finally:
        ward.end()
        for folder in sys.argv[1:]:
            shutil.rmtree(folder, ignore_errors=True)


def _answer(ward: Ward, line: bytes) -> None:
    try:
        answer = ward.obey(json.loads(line))
    except (OSError, KeyError, ValueError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
