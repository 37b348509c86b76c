"""The management server: serves an application over HTTP in threads of its own, whatever the actors do."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import TYPE_CHECKING

from waitress import create_server, wasyncore  # type: ignore[import-untyped]  # it has no types

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

THREADS = 4
BACKLOG = 64
CONNECTION_LIMIT = 100
IDLE_CONNECTION = 30  # seconds that a silent connection is kept
LOOK_AROUND = 1.0  # seconds in which a stop is noticed at the latest, should its nudge get lost


class CannotListen(Exception):
    """The address or the port cannot be had. The text is one line for people."""


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
        raise CannotListen(f"cannot listen on {address}:{port}: {reason}") from error


class ManagementServer:
    """Serves on a socket that is bound already."""

    def __init__(self, application: WSGIApplication, listening: socket.socket) -> None:
        self.port: int = listening.getsockname()[1]
        logging.getLogger("waitress").setLevel(logging.ERROR)  # a client that goes away is nobody's concern
        self._sockets: dict[int, object] = {}
        self._server = create_server(
            application,
            map=self._sockets,
            sockets=[listening],
            threads=THREADS,
            connection_limit=CONNECTION_LIMIT,
            channel_timeout=IDLE_CONNECTION,
            cleanup_interval=IDLE_CONNECTION,
            asyncore_use_poll=True,
            ident=None,
            clear_untrusted_proxy_headers=True,
            max_request_body_size=1_000_000,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ManagementServer", daemon=True)

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop to serve and close the socket; waits for at most `timeout` seconds."""
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                wasyncore.loop(timeout=LOOK_AROUND, map=self._sockets, use_poll=True, count=1)
        finally:
            self._server.task_dispatcher.shutdown(timeout=1)
            wasyncore.close_all(self._sockets)
