"""HTTP for the SDK's client: bounded in time, no write sent twice, the discovery document fetched once a process."""

from __future__ import annotations

import contextlib
import email.utils
import errno
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import arvados.util
import httplib2

from arvnodeman.fence.fence import GENERATION_HEADER, of_process
from arvnodeman.fleet.values.model import RemoteFailure

# Of the discovery document (more than 300 KB) each thread gets only what is used here.
RESOURCES = ("nodes", "jobs", "logs", "containers", "users")
IDLE_BEFORE_WRITE = 2.0  # seconds after which a write goes out on a new connection, not on one that may have gone stale
BODY_TIMEOUTS = 4  # an answer that drips in may take so many time-outs in all
MAX_BODY = 256 << 20  # bytes
_METHOD_MEANT = "x-http-method-override"  # with it the SDK sends a GET that is too long as a POST


class NotArvados(ValueError):
    """The answer is not a discovery document."""


class NotLeading(Exception):
    """Nothing was sent: this manager does not lead. Of a text alone, since the SDK makes errors again of their text."""


class _BoundedResponse(http.client.HTTPResponse):
    """A body is read within a time of its own: with the time-out of the socket alone, an answer of a byte a second
    would never end."""

    deadline: float = 0.0

    def read(self, amt: int | None = None) -> bytes:
        if amt is not None:
            return super().read(amt)
        pieces: list[bytes] = []
        size = 0
        while piece := self.read1(1 << 16):
            pieces.append(piece)
            size += len(piece)
            if time.monotonic() > self.deadline or size > MAX_BODY:
                self.close()
                raise TimeoutError("the answer does not end")
        missing = self.length
        self.close()  # only a closed response lets its connection be used again
        if missing:
            raise http.client.IncompleteRead(b"", missing)
        return b"".join(pieces)


class _Once:
    """httplib2 sends a request again when a connection ends without an answer. For one that writes, that would be a
    second record with a second slot: here only reading is repeated."""

    response_class = _BoundedResponse
    timeout: float

    def request(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        """Send a request, and remember of what kind it is. There is a connection already, so this is the last moment at
        which to ask whether this manager leads. Raises NotLeading."""
        self._kind = method
        headers = dict(headers or {})
        if method != "GET" and _METHOD_MEANT not in headers:
            try:
                generation = of_process().check(self.timeout)
            except RemoteFailure as failure:
                raise NotLeading(failure.error.text) from None
            headers |= {GENERATION_HEADER: str(generation)} if generation else {}
        super().request(method, url, body, headers)  # type: ignore[misc]  # of the connection class beside this one

    def getresponse(self) -> _BoundedResponse:
        """The answer, its body bounded in time."""
        try:
            response: _BoundedResponse = super().getresponse()  # type: ignore[misc]
        except (http.client.BadStatusLine, http.client.ResponseNotReady):
            if self._kind == "GET":
                raise
            self.close()  # type: ignore[attr-defined]
            raise ConnectionResetError(errno.ECONNRESET, "the server closed the connection without an answer") from None
        response.deadline = time.monotonic() + BODY_TIMEOUTS * self.timeout
        return response


class _PlainConnection(_Once, httplib2.HTTPConnectionWithTimeout):  # type: ignore[misc]  # httplib2 has no types
    pass


class _TlsConnection(_Once, httplib2.HTTPSConnectionWithTimeout):  # type: ignore[misc]  # httplib2 has no types
    pass


class ArvadosHttp(httplib2.Http):  # type: ignore[misc]  # httplib2 has no types
    """One thread's connection to one API server, kept alive. `base` is its URL, without a path."""

    def __init__(self, base: str, *, timeout: float, insecure: bool, certs_file: str | None) -> None:
        super().__init__(
            timeout=timeout,
            ca_certs=certs_file or arvados.util.ca_certs_path(),
            disable_ssl_certificate_validation=insecure,
        )
        self.follow_redirects = False  # the token goes to the configured host and to no other
        self.base = base
        self.document_url = base + "/discovery/v1/apis/arvados/v1/rest"
        self.clock_offset: float | None = None
        self._connection_type = _TlsConnection if base.startswith("https:") else _PlainConnection
        self._last_use = 0.0

    def request(self, uri: str, method: str = "GET", **arguments: Any) -> tuple[Any, bytes]:
        """Send one request. The discovery document is asked of the server once in the life of the process."""
        if uri != self.document_url:
            return self._send(uri, method, **arguments)
        with _document_lock(self.timeout):
            document = _documents.get(uri)
            if document is None:
                response, body = self._send(uri, method, **arguments)
                if response.status >= 300:
                    return response, body
                document = _documents[uri] = trimmed_document(body, self.base + "/")
        return httplib2.Response({"status": 200}), document

    def _send(self, uri: str, method: str, **arguments: Any) -> tuple[Any, bytes]:
        started = time.monotonic()
        if method != "GET" and started - self._last_use > IDLE_BEFORE_WRITE:
            self.close()
        try:
            response, body = super().request(uri, method, connection_type=self._connection_type, **arguments)
        except httplib2.error.HttpLib2ErrorWithResponse as error:
            # The SDK makes such an error anew from its text alone, which that class does not allow.
            raise httplib2.HttpLib2Error(str(error)) from None
        except Exception:
            self.close()  # the rest of that answer must not be taken for the next one's
            raise
        finally:
            self._last_use = time.monotonic()
        self._read_clock(response.get("date"), (self._last_use - started) / 2)
        return response, body

    def _read_clock(self, date: str | None, half_the_way: float) -> None:
        """The server's clock less ours. Its Date header has whole seconds: on average half a second is missing."""
        try:
            moment = email.utils.parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        self.clock_offset = moment + 0.5 - (time.time() - half_the_way)


_documents: dict[str, bytes] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def _document_lock(timeout: float) -> Iterator[None]:
    """Threads that start together wait for the first one's document, but no longer than they would for the server's."""
    held = _lock.acquire(timeout=timeout)
    try:
        yield
    finally:
        if held:
            _lock.release()


def forget_document(url: str) -> None:
    """The server has changed, or was another one: let the next client ask it again."""
    _documents.pop(url, None)


def trimmed_document(body: bytes, root_url: str) -> bytes:
    """The part of a discovery document that is used here, with our own idea of where the server is.

    NotArvados (a ValueError) if it is not a discovery document, as when a proxy answers with a page of its own.
    """
    try:
        document = json.loads(body)
        resources = {name: value for name, value in document["resources"].items() if name in RESOURCES}
        schemas = document["schemas"]
        wanted = json.dumps(resources)
        # The methods' answers are not looked into; the SDK only needs the names to be there.
        kept = {name: {"id": name, "type": "object", "properties": {}} for name in schemas if f'"{name}"' in wanted}
        parts = {"parameters": document.get("parameters", {}), "maxRequestSize": document.get("maxRequestSize", 0)}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise NotArvados("no Arvados discovery document") from None
    head = {"name": "arvados", "version": "v1", "rootUrl": root_url, "servicePath": "arvados/v1/"}
    return json.dumps(head | parts | {"resources": resources, "schemas": kept}).encode()
