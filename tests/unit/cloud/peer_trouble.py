"""Trouble in front of a peer that speaks HTTP: requests that fail, hang, or work without an answer."""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cloud_peer import Verb
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
_LONGEST = 60.0  # seconds for which a request hangs if a test forgets to let it go


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What is to happen to one request. `answer` None: none, until the test is over; `works`: the peer is asked."""

    answer: Callable[[], Response] | None = None
    works: bool = False


class Trouble:
    """A WSGI application in front of another: passes on what is not to be spoilt. Many threads may call it.

    verb_of: what kind of request it is; None for one that no test spoils.
    """

    def __init__(self, wsgi: Wsgi, verb_of: Callable[[Request], Verb | None]) -> None:
        self._wsgi = wsgi
        self._verb_of = verb_of
        self._coming: dict[Verb, deque[Spoilt]] = {verb: deque() for verb in Verb}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._worked = threading.Event()
        self.requests = 0

    def spoil(self, verb: Verb, spoilt: Spoilt, times: int = 1) -> None:
        """Spoil the next requests of this kind."""
        with self._lock:
            self._coming[verb].extend([spoilt] * times)

    def wait_until_it_worked(self) -> None:
        """Return when a request whose answer is lost has worked."""
        assert self._worked.wait(_LONGEST)

    def let_go(self) -> None:
        """Let go of all requests that hang, and spoil no more."""
        with self._lock:
            for coming in self._coming.values():
                coming.clear()
        self._over.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)  # for the application behind, which reads it anew
        verb = self._verb_of(request)
        with self._lock:
            self.requests += 1
            coming = self._coming[verb] if verb else deque()
            spoilt = coming.popleft() if coming else None
        if spoilt is None:
            return self._wsgi(environ, start_response)
        if spoilt.works:
            Response.from_app(self._wsgi, environ)
            self._worked.set()
        if spoilt.answer is None:
            self._over.wait(_LONGEST)
            return Response("too late", 503)(environ, start_response)
        return spoilt.answer()(environ, start_response)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_args: Any) -> None:
        """Nothing."""


@contextmanager
def serving(wsgi: Wsgi) -> Iterator[int]:
    """Serve an application on a free port of loopback, in threads of this process; gives the port."""
    server = make_server("127.0.0.1", 0, wsgi, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
