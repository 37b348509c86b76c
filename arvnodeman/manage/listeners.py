"""The ways in: the TCP port where one is configured, and the unix socket in the state directory."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from arvnodeman.config import ManageSettings
from arvnodeman.manage.places import SOCKET_NAME
from arvnodeman.manage.server import AnotherDaemon, CannotListen, ManagementServer, bind, bind_unix

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


logger = logging.getLogger("status.Handler")


@dataclass(slots=True)
class Listeners:
    """Sockets that are bound, and what is to be said of those that could not be."""

    sockets: list[socket.socket] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _servers: list[ManagementServer] = field(default_factory=list)

    def serve(self, application: WSGIApplication) -> None:
        """Serve on all of them."""
        for complaint in self.complaints:
            logger.warning("%s", complaint)
        for each in self.sockets:
            server = ManagementServer(application, each)
            server.start()
            self._servers.append(server)

    def close(self, timeout: float) -> None:
        """Stop to serve; waits for at most `timeout` seconds for each. Again is harmless."""
        while self._servers:
            self._servers.pop().stop(timeout)
        while self.sockets:
            self.sockets.pop().close()


NOBODY = (
    "status, explain and the other commands cannot reach this daemon: there is neither a [Manage] port nor a state "
    "directory (set [Daemon] state_dir, or STATE_DIRECTORY in the environment)"
)


def open_listeners(manage: ManageSettings, state_dir: Path | None, *, dry_run: bool = False) -> Listeners:
    """Bind what the configuration asks for. To be called before the fork, where somebody still reads stderr.

    Raises CannotListen for a port that cannot be had (a dry run goes without: the daemon that it runs beside has it),
    and for a unix socket on which another daemon listens. Any other trouble with the socket is a complaint: without it
    only the command line is deaf.
    """
    listeners = Listeners()
    if manage.port < 0:
        listeners.complaints.append("Management server disabled. Use [Manage] config section to enable.")
    else:
        try:
            listeners.sockets.append(bind(manage.address, manage.port))
        except CannotListen as error:
            if not dry_run:
                raise CannotListen(f"[Manage] port: {error}") from error
            listeners.complaints.append(f"[Manage] port: {error}; the dry run continues without it")
    if state_dir is None:
        if not listeners.sockets:
            listeners.complaints.append(NOBODY)
        return listeners
    try:
        listeners.sockets.append(bind_unix(state_dir / SOCKET_NAME))
    except AnotherDaemon as error:
        listeners.close(0)
        raise CannotListen(f"[Daemon] state_dir: {error}") from error
    except CannotListen as error:
        listeners.complaints.append(f"[Daemon] state_dir: {error}; the command line cannot reach the daemon through it")
    return listeners
