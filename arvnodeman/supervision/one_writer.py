"""Two daemons of one cluster on one host never both act.

Two things are held, each by at most one process: an abstract unix socket with the cluster's name, which needs no
directory and goes with its process, and the state directory, by flock(2). The first holds across accounts and state
directories, the second across network namespaces, and it keeps two clusters from sharing a state directory.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import pwd
import socket
import struct
from pathlib import Path

from arvnodeman.config.settings import Settings

LONGEST_NAME = 80  # bytes; the kernel takes 107
CALLERS = 64  # connections that wait: nobody accepts them, they ask only who holds the socket


NEXT = "stop it first (systemctl stop arvados-node-manager), or look on with --dry-run"


class AlreadyRunning(Exception):
    """Another process holds the cluster, or the state directory. The text is one line for people."""


def cluster_of(settings: Settings) -> str:
    """The name of the cluster that a configuration is for: its API server, as HOST:PORT; without one, its Slurm."""
    host = settings.arvados.host
    if not host:
        return f"Slurm of {os.environ.get('SLURM_CONF') or 'this host'}"
    plain = host.startswith("http://")
    name = host.removeprefix("http://").removeprefix("https://").rstrip("/").lower()
    bare, colon, port = name.rpartition(":")
    if not (colon and port.isdecimal()):
        bare, port = name, "80" if plain else "443"
    return f"{bare.rstrip('.')}:{int(port)}"


def lock_of(settings: Settings, state_dir: Path | None, *, dry_run: bool = False) -> str:
    """What is held on this host, by one process at most: the cluster. Managers of which one is elected may stand beside
    each other here, too, as long as each has a state directory of its own."""
    cluster = cluster_of(settings)
    if dry_run:
        return f"{cluster} (dry run)"
    return f"{cluster} (elected, {state_dir or 'no state directory'})" if settings.leader.elects else cluster


class OneWriter:
    """Taken before the process goes into the background; `descriptors` are to be kept open."""

    def __init__(self, cluster: str, state_dir: Path | None) -> None:
        """Take both. Raises AlreadyRunning."""
        self._socket = _take_name(cluster)
        self._folder: int | None = None
        if state_dir is not None:
            try:
                self._folder = _take_folder(state_dir)
            except BaseException:
                self._socket.close()
                raise
        self.settle()

    @property
    def descriptors(self) -> list[int]:
        """What holds the locks."""
        return [self._socket.fileno(), *([] if self._folder is None else [self._folder])]

    def settle(self) -> None:
        """From now on this process is named as the holder. Call it again after a fork."""
        self._socket.listen(CALLERS)

    def hear_callers(self) -> None:
        """Close connections of those that asked who holds the socket. Never blocks."""
        with contextlib.suppress(OSError):
            while True:
                self._socket.accept()[0].close()

    def release(self) -> None:
        """Let others have both."""
        self._socket.close()
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def _take_name(cluster: str) -> socket.socket:
    name = f"arvados-node-manager:{cluster}".encode()
    if len(name) > LONGEST_NAME:
        name = b"arvados-node-manager:" + hashlib.sha256(name).hexdigest().encode()[:48]
    holding = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    holding.setblocking(False)
    try:
        holding.bind(b"\0" + name)
    except OSError as error:
        holding.close()
        if error.errno != errno.EADDRINUSE:
            raise
        who = _describe(_peer(b"\0" + name))
        raise AlreadyRunning(f"another daemon of the cluster {cluster} runs on this host: {who}; {NEXT}") from None
    return holding


def _peer(address: bytes) -> int:
    """The process id of the listener there; 0: not known."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        with contextlib.suppress(OSError):
            asking.connect(address)
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            pid: int = struct.unpack("3i", credentials)[0]
            return pid
    return 0


def _take_folder(folder: Path) -> int | None:
    """Lock the directory itself, so that nothing has to be written. None where that is not possible."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = _describe(_locker(os.fstat(descriptor)))
        os.close(descriptor)
        raise AlreadyRunning(f"another daemon uses the state directory {folder}: {who}; {NEXT}") from None
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _locker(folder: os.stat_result) -> int:
    """The process id that /proc/locks gives for an flock on this directory; 0: not known."""
    wanted = f"{os.major(folder.st_dev):02x}:{os.minor(folder.st_dev):02x}:{folder.st_ino}"
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text().splitlines():
            parts = line.split()
            if parts[1] == "FLOCK" and parts[5] == wanted:
                return int(parts[4])
    return 0


def _describe(pid: int) -> str:
    """A process in words."""
    if pid <= 0:
        return "a process that cannot be seen from here"
    words = f"process {pid}"
    with contextlib.suppress(OSError, KeyError):
        words += f" of {pwd.getpwuid(Path(f'/proc/{pid}').stat().st_uid).pw_name}"
    with contextlib.suppress(OSError):
        command = (
            Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
        )
        if command:
            words += f" ({''.join(c if c.isprintable() else '?' for c in command)[:200]})"
    return words
