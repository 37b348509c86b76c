"""What stands between a daemon and EC2, and lets something happen at a moment that one request marks."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

_ANSWER = 30.0  # seconds for one answer of EC2


@dataclass(frozen=True, slots=True)
class Moment:
    """At the `count`th request of this action: before EC2 has it, or when it has worked and is not answered yet."""

    action: str
    count: int = 1
    done: bool = False


class Ec2Relay:
    """Passes requests on to EC2 at a port of this machine. In a `with`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._moment: Moment | None = None
        self._then: Callable[[], None] = lambda: None
        self.struck = threading.Event()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                relay._pass_on(self)

            def do_GET(self) -> None:
                relay._pass_on(self)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def at(self, moment: Moment, then: Callable[[], None]) -> None:
        """Do this at that moment, once; the request of that moment gets no answer."""
        with self._lock:
            self._seen.clear()
            self._moment, self._then = moment, then

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _pass_on(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        query = body.decode() or request.path.partition("?")[2]
        moment = self._is_now(parse_qs(query).get("Action", [""])[0])
        if moment is not None and not moment.done:
            self._strike(request)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=_ANSWER)
        try:
            connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if moment is not None:
            self._strike(request)
            return
        with suppress(OSError):  # who asked may be gone
            self._answer(request, response, answer)

    def _answer(self, request: BaseHTTPRequestHandler, response: http.client.HTTPResponse, answer: bytes) -> None:
        request.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("content-length", "connection", "date", "server", "transfer-encoding"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _is_now(self, action: str) -> Moment | None:
        with self._lock:
            self._seen[action] += 1
            moment = self._moment
            if moment is None or (moment.action, moment.count) != (action, self._seen[action]):
                return None
            self._moment = None
            return moment

    def _strike(self, request: BaseHTTPRequestHandler) -> None:
        self._then()
        self.struck.set()
        request.close_connection = True
