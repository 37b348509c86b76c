"""A TCP proxy of the tests' own: between a client and its server it cuts, hangs, and lets answers come late."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

BUFFER = 65_536


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TcpProxy:
    """From a port of its own to another one on 127.0.0.1, in a thread of its own.

    `delay` (seconds) holds up what the server says; `hangs` keeps connections open and passes nothing on, as a network
    does that swallows packets."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.delay = 0.0
        self._passes = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._refuses = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._do(self._passes.set)

    def hang(self) -> None:
        """Nothing goes through in either way, and nobody is told."""
        self._do(self._passes.clear)

    def cut(self) -> None:
        """Connections are broken, and new ones too."""
        self._refuses = True
        self._do(self._break)

    def break_once(self) -> None:
        """Connections are broken; new ones are served."""
        self._do(self._break)

    def mend(self) -> None:
        """All goes through again."""
        self._refuses = False
        self._do(self._passes.set)

    def close(self) -> None:
        """End it."""
        self.cut()
        self._do(self._server.close)
        self._do(self._cancel)
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.05, self._loop.stop)  # after what is cancelled
        self._thread.join()
        self._loop.close()

    def _do(self, function: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(function)
        self._loop.call_soon_threadsafe(done.set)
        done.wait(10)

    def _break(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, other_writer}
        self._open |= both
        try:
            await asyncio.gather(
                self._pass_on(reader, other_writer, late=False), self._pass_on(other_reader, writer, late=True)
            )
        except asyncio.CancelledError:
            pass  # at the end of all: asyncio would print it
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(BUFFER):
                await self._passes.wait()
                if late and self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
