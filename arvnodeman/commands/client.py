"""How the command line reaches the daemon: by the unix socket in the state directory, else over TCP with the token."""

from __future__ import annotations

import errno
import http.client
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from arvnodeman.config import Settings
from arvnodeman.fleet.values.model import Secret
from arvnodeman.manage.answers import ErrorShown, ReasonGiven, encode
from arvnodeman.manage.places import DRY_RUN_FOLDER, SOCKET_NAME, STATE_DIR

ANSWER = 10.0  # seconds that an answer may take

T = TypeVar("T")
_NO_TOKEN = Secret("")


class ClientError(Exception):
    """The daemon cannot be reached, or refuses. The text is for people; `code` is the exit code."""

    code = 1


class Unreachable(ClientError):
    """No way to the daemon leads anywhere."""


class Unknown(ClientError):
    """There is no such thing."""

    code = 3


class Busy(ClientError):
    """The daemon answers another question of this kind."""


class NotAllowed(ClientError):
    """The daemon answers, but not to us."""

    code = 4


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """http.client's hook."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the daemon: a socket's path, or an address."""

    path: str = ""
    address: str = ""
    port: int = 0
    token: Secret = _NO_TOKEN

    def __str__(self) -> str:
        return self.path or f"{self.address}:{self.port}"

    def open(self, timeout: float) -> http.client.HTTPConnection:
        """A connection, not connected yet."""
        if self.path:
            return _UnixConnection(self.path, timeout)
        return http.client.HTTPConnection(self.address, self.port, timeout=timeout)


def ways(settings: Settings, *, dry_run: bool = False) -> list[Way]:
    """The ways that a configuration knows, the socket first."""
    folder = Path(settings.daemon.state_dir or STATE_DIR)
    if dry_run:
        folder /= DRY_RUN_FOLDER
    found = [Way(path=str(folder / SOCKET_NAME))]
    manage = settings.manage
    if manage.port > 0:
        address = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(manage.address, manage.address)  # noqa: S104
        found.append(Way(address=address, port=manage.port, token=manage.management_token))
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What a daemon said."""

    body: bytes = field(repr=False)
    way: Way

    def read(self, kind: type[T]) -> T:
        """As one kind of answer. Raises ClientError where it is none; what this build does not know is left out."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as error:
            said = f": {error}" if isinstance(error, msgspec.ValidationError) else ""
            raise ClientError(f"what listens at {self.way} is not an Arvados Node Manager of this kind{said}") from None

    @property
    def plain(self) -> Any:
        """As it came, for programs."""
        return self.read(dict)


class DaemonClient:
    """Asks one daemon. Each request takes the first way that leads anywhere."""

    def __init__(self, ways: Sequence[Way], timeout: float = ANSWER) -> None:
        self._ways = list(ways)
        self._timeout = timeout

    def patient(self, timeout: float) -> DaemonClient:
        """Of the same daemon, and an answer may take so many seconds."""
        return DaemonClient(self._ways, timeout)

    def get(self, *path: str, **query: object) -> Answer:
        """GET /v1/PATH. Raises ClientError."""
        arguments = "&".join(f"{name}={value}" for name, value in query.items())
        return self._ask("GET", _url(path) + (f"?{arguments}" if arguments else ""))

    def find(self, *path: str) -> Answer | None:
        """The same; None when there is no such thing."""
        try:
            return self.get(*path)
        except Unknown:
            return None

    def post(self, *path: str, reason: str) -> Answer:
        """POST /v1/PATH. Raises ClientError."""
        return self.send(ReasonGiven(reason), *path)

    def send(self, body: msgspec.Struct, *path: str) -> Answer:
        """The same, with another body."""
        return self._ask("POST", _url(path), encode(body))

    def _ask(self, method: str, url: str, body: bytes | None = None) -> Answer:
        troubles: list[str] = []
        for way in self._ways:
            try:
                return self._ask_by(way, method, url, body)
            except (OSError, http.client.HTTPException) as error:
                troubles.append(f"{way}: {_trouble(error, self._timeout)}")
        raise Unreachable(f"cannot reach the daemon: {'; '.join(troubles)}")

    def _ask_by(self, way: Way, method: str, url: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if way.token:
            headers["Authorization"] = f"Bearer {way.token.reveal()}"
        connection = way.open(self._timeout)
        try:
            connection.request(method, url, body, headers)
            answer = connection.getresponse()
            return _checked(answer.status, Answer(answer.read(), way))
        finally:
            connection.close()


def _url(path: Sequence[str]) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in path)


def _checked(status: int, answer: Answer) -> Answer:
    if status < 300:
        return answer
    told = answer.read(ErrorShown).error
    if status == 404:
        raise Unknown(f"the daemon says: {told}")
    if status == 429:
        raise Busy("the daemon is answering another question of this kind: ask again in a moment")
    if status in (401, 403):
        raise NotAllowed(f"the daemon at {answer.way} says: {told}")
    raise ClientError(f"the daemon at {answer.way} says: {told}")


_SEE = "systemctl status arvados-node-manager says why"


def _trouble(error: Exception, timeout: float) -> str:
    """What went wrong, and what that most likely means."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        return f"no such socket (the daemon is not running, or has no [Daemon] state_dir); {_SEE}"
    if number == errno.ECONNREFUSED:
        return f"nobody listens there (the daemon is not running); {_SEE}"
    if number == errno.EACCES:
        return "not allowed: this is for root and the daemon's own account; try sudo"
    if number in (errno.ECONNRESET, errno.EPIPE) or isinstance(error, http.client.RemoteDisconnected):
        return "hung up: this is for root and the daemon's own account; try sudo"
    return os.strerror(number) if number is not None and number > 0 else str(error)
