"""Run one command: bounded in time and output, with a clean environment, never through a shell.

The command stays in the daemon's process group, so that it goes when the watchdog kills that group; at a time-out it is
killed with all its descendants, since a wrapper script's child would hang on alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arvnodeman.fence.fence import GENERATION_VARIABLE, of_process
from arvnodeman.fleet.values.model import RemoteFailure
from arvnodeman.slurm.errors import ControllerAway, NotInstalled, NotLeader

NOT_THERE = "not installed (no such command on PATH; Debian: apt-get install slurm-client)"
OUTPUT_LIMIT = 64 << 20  # bytes of stdout and stderr together; 5,000 jobs are 0.7 MB
_CHUNK = 1 << 20
_ASKING = frozenset({"squeue", "sinfo", "sacct", "sprio", "sshare", "sdiag", "sstat"})
_ASKING_WORDS = frozenset({"show", "list", "ping"})  # of scontrol and sacctmgr


@dataclass(frozen=True, slots=True)
class Output:
    """What a command wrote, decoded as UTF-8 (what is not UTF-8 is replaced), and its exit status."""

    stdout: str
    stderr: str
    returncode: int


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """PATH, what names the Slurm installation, a plain locale; SQUEUE_FORMAT and the like would change the output."""
    kept = {name: value for name, value in environ.items() if name.startswith("SLURM_")}
    kept["SLURM_TIME_FORMAT"] = "%s"  # seconds since the epoch, whatever the time zone
    kept["SLURM_BITSTR_LEN"] = "0"  # all tasks of an array, not 64 characters of them
    return {**kept, "PATH": environ.get("PATH") or os.defpath, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def run(argv: Sequence[str], *, timeout: float, limit: int = OUTPUT_LIMIT, text: str = "") -> Output:
    """Run a command to its end, in the calling thread.

    timeout: seconds until it is killed; limit: bytes of output until it is killed; text: its standard input. Raises
    NotInstalled, or ControllerAway when it was killed; NotLeader, where it would change something and another manager
    may lead. ENOMEM on fork and MemoryError pass through.
    """
    environ = clean_environment(os.environ)
    if changes(argv):
        generation, timeout = _fenced(argv[0], timeout)
        environ |= {GENERATION_VARIABLE: str(generation)} if generation else {}
    with _given(text) as stdin:
        process = _start(argv, stdin, environ)
    try:
        stdout, stderr = _read(process, timeout, limit)
    except _Killed as reason:
        kill_tree(process)
        raise ControllerAway(argv[0], str(reason)) from None
    except BaseException:
        kill_tree(process)
        raise
    finally:
        _close(process)
    return Output(stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"), process.returncode)


def changes(argv: Sequence[str]) -> bool:
    """May this command change something in Slurm? A command that is not known to only ask may change something."""
    command, *words = argv
    if Path(command).name in _ASKING or "--version" in words:
        return False
    return not any(word in _ASKING_WORDS for word in words)


def _fenced(command: str, timeout: float) -> tuple[int, float]:
    """The generation of the lead under which the command runs, and seconds for which it may. Raises NotLeader."""
    try:
        return of_process().fit(timeout)
    except RemoteFailure as failure:
        raise NotLeader(command, failure.error.text) from None


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and its descendants, and reap the child. Does not wait for one that the kernel cannot end."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGSTOP)  # so that it starts no more children while they are counted
    for pid in _descendants(process.pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)


def kill_descendants() -> None:
    """Kill all that this process has begun and that still runs, with what that has begun: for an end of the process in
    the middle of a command, also when it is only being started and nobody has its number yet."""
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


class _Killed(Exception):
    """Why the command has to be killed."""


@contextlib.contextmanager
def _given(text: str) -> Iterator[int]:
    """A text to be read, in memory: a pipe could fill up while nobody reads what the command answers."""
    if not text:
        yield subprocess.DEVNULL
        return
    try:
        descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        raise ControllerAway("a command", f"cannot get its input: {error.strerror}") from None
    with os.fdopen(descriptor, "w+b", buffering=0) as file:
        file.write(text.encode())
        file.seek(0)
        yield descriptor


def _start(argv: Sequence[str], stdin: int, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            bufsize=0,
        )
    except FileNotFoundError:
        raise NotInstalled(argv[0], NOT_THERE) from None
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise
        if error.errno in (errno.EAGAIN, errno.EMFILE, errno.ENFILE):  # row F7: passes
            raise ControllerAway(argv[0], f"cannot be started: {error.strerror}") from None
        raise NotInstalled(argv[0], f"cannot be run: {error.strerror}") from None


def _read(process: subprocess.Popen[bytes], timeout: float, limit: int) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + timeout
    assert process.stdout is not None
    assert process.stderr is not None
    chunks: dict[int, list[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    size = 0
    with selectors.PollSelector() as selector:
        for descriptor in chunks:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_left(deadline, timeout)):
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fd)
                chunks[key.fd].append(chunk)
                size += len(chunk)
            if size > limit:
                raise _Killed(f"wrote more than {limit} bytes, killed")
    try:
        process.wait(_left(deadline, timeout))
    except subprocess.TimeoutExpired:
        _left(deadline, timeout)
    stdout, stderr = (b"".join(parts) for parts in chunks.values())
    return stdout, stderr


def _left(deadline: float, timeout: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _Killed(f"did not end within {timeout:g} seconds, killed")
    return left


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
