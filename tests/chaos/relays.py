"""What stands between a manager and the cloud: it breaks, and keeps a list of the requests that got through."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass

from tcp_proxy import BUFFER, TcpProxy

_HEAD = re.compile(rb"(POST|PUT|DELETE) (/cloud/\S+) HTTP/1\.1\r\n")
_GENERATION = re.compile(rb"\r\nX-Node-Manager-Generation: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request that changes something, when it was passed on to the cloud."""

    at: float  # monotonic
    manager: str
    generation: int  # 0: it says none
    what: str  # method and path
    late: float  # seconds for which it was held up on its way


class CloudRelay(TcpProxy):
    """For one manager. A request that was held up is passed on when the way is free again, as a network may do it."""

    def __init__(self, to: int, manager: str) -> None:
        self.sent: list[SentRequest] = []
        self._manager = manager
        super().__init__(to)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        if late:
            await super()._pass_on(reader, writer, late=late)
            return
        with contextlib.suppress(OSError):
            while data := await reader.read(BUFFER):
                came = time.monotonic()
                await self._passes.wait()
                self._note(data, came)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def _note(self, data: bytes, came: float) -> None:
        found = _HEAD.match(data)
        if found is None:
            return
        generation = _GENERATION.search(data)
        now = time.monotonic()
        number = int(generation[1]) if generation is not None else 0
        what = f"{found[1].decode()} {found[2].decode()}"
        self.sent.append(SentRequest(now, self._manager, number, what, now - came))


def out_of_turn(requests: list[SentRequest]) -> list[SentRequest]:
    """Those of a lead that had ended: the cloud had seen a request of a newer one before. And those that say none."""
    found: list[SentRequest] = []
    newest = 0
    for request in sorted(requests, key=lambda each: each.at):
        if request.generation < newest or not request.generation:
            found.append(request)
        newest = max(newest, request.generation)
    return found
