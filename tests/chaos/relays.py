"""What stands between a manager and the outside: it breaks, and keeps a list of the requests that changed something.

Each such request has the generation of its lead, to the cloud and to Arvados as a header, and a command of Slurm's in
its environment, from where the sandbox's commands send it on; and with it when the fence let it through (manager.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tcp_proxy import BUFFER, TcpProxy

from arvnodeman.fence.fence import GENERATION_HEADER, steady
from arvnodeman.slurm.run import changes

_ASKING = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST = 90  # characters of a request that are kept


class Target(StrEnum):
    """Who was written to."""

    CLOUD = "cloud"
    ARVADOS = "Arvados"
    SLURM = "Slurm"


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request that changes something, when it was passed on."""

    at: float  # of the clock that leads are counted by
    manager: str
    generation: int  # 0: it says none
    what: str  # method and path, or the command
    let_through: float  # by the fence, of the same clock
    target: Target = Target.CLOUD


class RequestRelay(TcpProxy):
    """For one manager. A request that was held up is passed on when the way is free again, as a network may do it."""

    def __init__(self, to: int, manager: str) -> None:
        self.sent: list[SentRequest] = []
        self.keeps_destroys = False  # as a gateway does that passes them on when their sender has long gone
        self.kept: list[tuple[bytes, list[tuple[bytes, bytes]]]] = []
        self._manager = manager
        super().__init__(to)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        if late:
            await super()._pass_on(reader, writer, late=late)
            return
        rest = b""
        with contextlib.suppress(OSError):
            while data := await reader.read(BUFFER):
                await self._passes.wait()
                whole, rest = whole_requests(rest + data)
                if self.keeps_destroys and any(head.startswith(b"DELETE ") for head, _ in whole):
                    self.kept.append((data, whole))
                    continue
                for head, body in whole:
                    self._note(head, body)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    @property
    def kept_nodes(self) -> set[str]:
        """The ids of the nodes whose destroy is kept."""
        lines = [head.decode("latin-1").split(" ") for _, whole in self.kept for head, _ in whole]
        return {path.rpartition("/")[2] for method, path, *_ in lines if method == "DELETE"}

    def deliver_kept(self) -> None:
        """Pass on what was kept, each on a connection of its own, and keep nothing any more."""
        self.keeps_destroys = False
        for data, whole in self.kept:
            for head, body in whole:
                self._note(head, body)
            with socket.create_connection(("127.0.0.1", self.to), 10) as way:
                way.sendall(data)
                way.settimeout(10)
                way.recv(BUFFER)
        self.kept.clear()

    def _note(self, head: bytes, body: bytes) -> None:
        method, path, *_ = head.decode("latin-1").split(" ", 2)
        path = path.partition("?")[0]
        if path == "/slurm":
            argv = body.decode("utf-8", "replace").split("\0")[:-1]
            target, what, changing = Target.SLURM, " ".join(argv), changes(argv)
        else:
            target = Target.CLOUD if path.startswith("/cloud") else Target.ARVADOS
            what = f"{method} {path}"
            changing = (_header(head, "X-HTTP-Method-Override") or method) not in _ASKING
        if changing:
            generation, _, stamp = _header(head, GENERATION_HEADER).partition("@")
            now = steady()
            let_through = float(stamp or now)
            self.sent.append(SentRequest(now, self._manager, int(generation or 0), what[:_MOST], let_through, target))


def whole_requests(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The requests that have come in whole, head and body of each; and the rest."""
    found = []
    while (end := data.find(b"\r\n\r\n")) >= 0:
        head, follows = data[: end + 2], data[end + 4 :]
        length = int(_header(head, "Content-Length") or 0)
        if len(follows) < length:
            break
        found.append((head, follows[:length]))
        data = follows[length:]
    return found, data


def _header(head: bytes, name: str) -> str:
    found = re.search(rf"\r\n{name}: *([^\r]*)\r\n".encode(), head, re.IGNORECASE)
    return found[1].decode("latin-1") if found else ""


def out_of_turn(requests: list[SentRequest]) -> list[SentRequest]:
    """Those that the fence let through under a lead that had ended: another manager's had let one of a newer lead
    through before. And those that say none."""
    return _older_than_before(requests, lambda request: request.let_through)


def sent_late(requests: list[SentRequest]) -> list[SentRequest]:
    """Those that were let through in time, and came when cloud, Arvados or Slurm had seen one of a newer lead."""
    wrong = out_of_turn(requests)
    return [each for each in _older_than_before(requests, lambda request: request.at) if each not in wrong]


def _older_than_before(requests: list[SentRequest], when: Callable[[SentRequest], float]) -> list[SentRequest]:
    found: list[SentRequest] = []
    newest = 0
    for request in sorted(requests, key=when):
        if request.generation < newest or not request.generation:
            found.append(request)
        newest = max(newest, request.generation)
    return found
