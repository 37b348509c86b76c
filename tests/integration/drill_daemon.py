"""The real daemon with one thing that goes wrong in it, on cue: a program for the drills, and for them alone.

    python drill_daemon.py DRILL CUE -- ARGUMENTS OF arvados-node-manager

When the file CUE appears, what DRILL names goes wrong at the next opportunity; the moment (of the monotonic clock,
which is that of the machine) is written to CUE.begun. By then the daemon has a child that ignores SIGTERM, as a hung
command may.
"""

from __future__ import annotations

import errno
import logging
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from arvnodeman import cli
from arvnodeman.actors import fetch, pollers, timer, watchdog
from arvnodeman.arvados import nodes
from arvnodeman.fleet import fleet
from arvnodeman.slurm import run as slurm_run

STUBBORN = ["sh", "-c", 'trap "" TERM INT HUP; while :; do sleep 1; done']
FOR_EVER = 3600.0
LIVES_ON = "operator-killed"  # the one drill that does not end the daemon


class Cue:
    """Tells when it is time, once."""

    def __init__(self, path: Path, *, hung_child: bool) -> None:
        self.path = path
        self._hung_child = hung_child
        self._lock = threading.Lock()
        self._given = False

    def came(self) -> bool:
        """True for the first caller after the file has appeared; notes the moment."""
        with self._lock:
            if self._given or not self.path.exists():
                return False
            self._given = True
        if self._hung_child:
            subprocess.Popen(STUBBORN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.path.with_suffix(".begun").write_text(repr(time.monotonic()))
        return True


def before(owner: Any, name: str, cue: Cue, fault: Callable[[], object]) -> None:
    """Let the fault happen in the first call of `owner.name` after the cue."""
    real = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if cue.came():
            fault()
        return real(*args, **kwargs)

    setattr(owner, name, call)


def wait_in_a_socket() -> None:
    ours, theirs = socket.socketpair()
    ours.recv(1)
    theirs.close()


def wait_in_a_subprocess() -> None:
    subprocess.run(STUBBORN, check=False)


def wait_for_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def hold_the_interpreter() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


def fail() -> NoReturn:
    raise ZeroDivisionError


def leave() -> NoReturn:
    raise SystemExit(3)


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def want_memory() -> None:
    bytearray(1 << 62)


def want_memory_for_a_command() -> NoReturn:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def want_a_thread() -> None:
    threading.stack_size(1 << 46)  # more than there is, so the thread cannot be started
    threading.Thread(target=fail).start()


def lock_the_log() -> None:
    locked = threading.Event()

    def hold() -> None:
        for handler in logging.getLogger().handlers:
            handler.acquire()
        logging._acquireLock()  # type: ignore[attr-defined]  # the lock of the whole module
        locked.set()
        time.sleep(FOR_EVER)

    threading.Thread(target=hold, daemon=True).start()
    locked.wait()


FAULTS: dict[str, tuple[Any, str, Callable[[], object]]] = {
    "socket": (fetch.RecordsFetch, "__call__", wait_in_a_socket),
    "subprocess": (fetch.QueueFetch, "__call__", wait_in_a_subprocess),
    "brain": (fleet.Fleet, "handle", wait_for_a_lock),
    "lock": (fetch.CloudFetch, "__call__", wait_for_a_lock),
    "interpreter": (fetch.CloudFetch, "__call__", hold_the_interpreter),
    "exception": (pollers.JobQueueMonitorActor, "receive", fail),
    "system-exit": (fetch.CloudFetch, "__call__", leave),
    "keyboard-interrupt": (fetch.RecordsFetch, "__call__", interrupt),
    "start": (pollers.CloudNodeListMonitorActor, "begin", fail),
    "brain-killed": (fleet.Fleet, "handle", fail),
    "watchdog-killed": (watchdog, "hopeless_poll", leave),
    "watchdog-hangs": (watchdog, "hopeless_poll", wait_for_a_lock),
    "timer-killed": (timer.Schedule, "due", leave),
    "no-memory": (fetch.CloudFetch, "__call__", want_memory),
    "no-memory-for-slurm": (slurm_run, "_start", want_memory_for_a_command),
    "no-threads": (fetch.CloudFetch, "__call__", want_a_thread),
    "log-locked": (fetch.CloudFetch, "__call__", lock_the_log),
    "disk-full": (fetch.RecordsFetch, "__call__", wait_in_a_socket),
    LIVES_ON: (nodes.ArvadosRecords, "prepare", leave),
    "killed": (fetch.RecordsFetch, "__call__", lambda: None),  # by whoever has given the cue
}


def main() -> int:
    drill, cue, dashes, *arguments = sys.argv[1:]
    assert dashes == "--"
    owner, name, fault = FAULTS[drill]
    before(owner, name, Cue(Path(cue), hung_child=drill != LIVES_ON), fault)
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
