"""The management server: serves an application over HTTP in threads of its own, whatever the actors do.

Nothing that a client does, or leaves undone, takes more than its share: requests are small, a connection that does not
get on is closed, and when there are too many the oldest that waits makes room for the newest.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from waitress import wasyncore  # type: ignore[import-untyped]  # it has no types
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer, UnixWSGIServer  # type: ignore[import-untyped]
from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]

from arvnodeman.manage.access import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = {socket.AF_UNIX: 2}  # by family of the socket
OTHER_THREADS = 4
BACKLOG = 128
MOST_CONNECTIONS = 100
PATIENCE = 30.0  # seconds that a connection may be silent, or take for one request, or leave an answer unread
LOOK_AROUND = 1.0  # seconds in which a stop is noticed at the latest, should its nudge get lost
LARGEST_BODY = 16_384
LARGEST_HEADER = 16_384
LONGEST_UNIX_PATH = 107  # bytes, of Linux

logger = logging.getLogger("status.Handler")


_NEXT = {  # what to type
    errno.EADDRINUSE: "; `ss -ltnp` shows by whom; write another port",
    errno.EACCES: "; write a port from 1024 on",
    errno.EADDRNOTAVAIL: "; write an address of this host",
}


class CannotListen(Exception):
    """The address or the port cannot be had. The text is one line for people."""


class AnotherDaemon(CannotListen):
    """Somebody listens on our unix socket already."""


def bind(address: str, port: int) -> socket.socket:
    """A listening socket. Raises CannotListen. To be called before the fork, where somebody still reads stderr."""
    try:
        family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        if port != where[1]:
            raise CannotListen(f"cannot listen on {address}:{port}: there is no such port")
        return socket.create_server(where[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror  # the resolver's own numbers are negative
        raise CannotListen(f"cannot listen on {address}:{port}: {reason}{_NEXT.get(number, '')}") from error


def bind_unix(path: Path) -> socket.socket:
    """A listening unix socket that only this account and root can open. A stale file in its place is replaced.

    Raises AnotherDaemon when somebody listens there, CannotListen for all else."""
    if len(os.fsencode(path)) > LONGEST_UNIX_PATH:
        raise CannotListen(f"cannot listen on {path}: a socket's path has at most {LONGEST_UNIX_PATH} bytes")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        if is_alive(path):
            raise AnotherDaemon(f"cannot listen on {path}: another daemon does")
        if path.is_socket():
            path.unlink()
        listening.bind(os.fspath(path))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise CannotListen(f"cannot listen on {path}: {error.strerror or error}") from error
    except CannotListen:
        listening.close()
        raise
    finally:
        os.umask(umask)
    return listening


def is_alive(path: Path) -> bool:
    """Does somebody listen on this unix socket?"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EINPROGRESS)  # its queue is full: it hangs, but it is there
        return True


def peer(connection: socket.socket) -> int:
    """The account at the other end of a unix socket, as the kernel knows it."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


class ManagementServer:
    """Serves on a socket that is bound already: TCP, or a unix socket, whose clients are trusted with everything."""

    def __init__(self, application: WSGIApplication, listening: socket.socket) -> None:
        logging.getLogger("waitress").setLevel(logging.ERROR)  # a client that goes away is nobody's concern
        is_unix = listening.family == socket.AF_UNIX
        self._path = Path(listening.getsockname()) if is_unix else None
        self.port: int = -1 if is_unix else listening.getsockname()[1]
        self._sockets: dict[int, object] = {}
        self._dispatcher = ThreadedTaskDispatcher()
        self._dispatcher.set_thread_count(THREADS.get(listening.family, OTHER_THREADS))
        self._server = (_UnixServer if is_unix else _TcpServer)(
            _as_local(application) if is_unix else application,
            self._sockets,
            True,
            listening,
            dispatcher=self._dispatcher,
            adj=_adjustments(listening),
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
        )
        self._stopping = threading.Event()
        self._open = threading.Lock()  # held for a nudge, and for closing: a closed trigger's number may be another's
        self._thread = threading.Thread(target=self._run, name="ManagementServer", daemon=True)

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop to serve and close the socket; waits for at most `timeout` seconds."""
        self._stopping.set()
        with self._open:
            if self._sockets:
                self._server.pull_trigger()
        self._thread.join(timeout)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                wasyncore.loop(timeout=LOOK_AROUND, map=self._sockets, use_poll=True, count=1)
        except Exception:
            logger.exception("The management server ends; the daemon continues without it")
        finally:
            self._dispatcher.shutdown(timeout=1)
            with self._open:
                wasyncore.close_all(self._sockets)


def _adjustments(listening: socket.socket) -> Adjustments:
    return Adjustments(
        sockets=[listening],
        connection_limit=4 * MOST_CONNECTIONS,  # beyond it nobody is let in; it is not reached, since we make room
        backlog=BACKLOG,
        channel_timeout=PATIENCE,
        cleanup_interval=PATIENCE / 6,
        max_request_body_size=LARGEST_BODY,
        max_request_header_size=LARGEST_HEADER,
        log_socket_errors=False,
        ident=None,
        clear_untrusted_proxy_headers=False,  # they tell that a request does not come from this machine
    )


def _as_local(application: WSGIApplication) -> WSGIApplication:
    def local(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[LOCAL] = True
        return application(environ, start_response)

    return local


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that knows when the request that is coming in has begun."""

    request_began = 0.0

    def received(self, data: bytes) -> bool:
        """waitress's hook: data has come."""
        if self.request is None:
            self.request_began = time.time()
        return bool(super().received(data))

    def is_stuck(self, now: float) -> bool:
        """It is silent, or drips, or leaves its answer unread, for longer than we have patience."""
        if self.request is not None and now - self.request_began > PATIENCE:
            return True
        at_rest = not self.requests or self.total_outbufs_len > 0
        return bool(at_rest and now - self.last_activity > PATIENCE)

    def give_up(self) -> None:
        """End the connection now. A socket whose client does not read is never writable, and waitress would leave it,
        and the thread that waits for room in it, alone; one that is shut down is."""
        self.will_close = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    @property
    def is_waiting(self) -> bool:
        """Nothing is being done for it."""
        return not self.requests and not self.will_close


class _Bounded:
    """What both servers add to waitress's: room for the newest connection, patience for none for ever."""

    active_channels: dict[int, _Channel]

    def maintenance(self, now: float) -> None:
        """waitress's hook, every few seconds in the server's thread."""
        for channel in self.active_channels.values():
            if channel.is_stuck(now):
                channel.give_up()

    def handle_accept(self) -> None:
        """waitress's hook: a connection can be accepted."""
        if len(self.active_channels) >= MOST_CONNECTIONS:
            waiting = [channel for channel in self.active_channels.values() if channel.is_waiting]
            if waiting:
                min(waiting, key=lambda channel: float(channel.creation_time)).give_up()
        super().handle_accept()  # type: ignore[misc]  # of waitress's server, which stands behind this class


class _TcpServer(_Bounded, TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    channel_class = _Channel


class _UnixServer(_Bounded, UnixWSGIServer):  # type: ignore[misc]
    channel_class = _Channel

    def accept(self) -> tuple[socket.socket, object] | None:
        """waitress's hook. The file's mode keeps others out already; a mode can be changed, the kernel's word not."""
        accepted: tuple[socket.socket, object] | None = super().accept()
        if accepted is not None and peer(accepted[0]) not in (0, os.geteuid()):
            accepted[0].close()
            return None
        return accepted
