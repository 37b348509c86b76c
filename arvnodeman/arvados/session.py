"""One thread's client of the API server, made with the SDK. Every error is put into our own words here, once."""

from __future__ import annotations

import email.utils
import errno
import http.client
import json
import logging
import ssl
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import arvados
import arvados.api
import googleapiclient.errors
import httplib2

from arvnodeman.arvados.transport import ArvadosHttp, NotArvados, NotLeading, forget_document
from arvnodeman.config.settings import ArvadosSettings
from arvnodeman.fence.fence import of_process
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure

TOKEN = "[Arvados] token"  # noqa: S105  # the name of an option
HOST = "[Arvados] host"
SERVED = "it left Arvados with 3.0, and Slurm can keep the node records only with [Daemon] dispatcher = slurm"
_AGAIN = (408, 409, 423)  # as the SDK: a conflict or a lock passes
_MAX_TEXT = 300
_ASKING = frozenset({"list", "get", "queue", "current"})  # methods that change nothing
_log = logging.getLogger(__name__)

# Every way in which a request may fail that is not a fault of ours; MemoryError and RuntimeError are not among them.
_EXPECTED = (
    googleapiclient.errors.Error,
    httplib2.HttpLib2Error,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class StatusFailure(RemoteFailure):
    """A RemoteFailure that the server answered with an HTTP status."""

    def __init__(self, error: RemoteError, status: int) -> None:
        super().__init__(error)
        self.status = status


class Session:
    """The client of one thread. RemoteFailure from every method.

    `clock_offset`: the server's clock less ours in seconds, from the last answer; None before the first.
    """

    def __init__(self, options: ArvadosSettings, certs_file: str) -> None:
        self.options, self.certs_file = options, certs_file
        self._token = options.token.reveal()
        host = options.host.rstrip("/")
        base = host if host.startswith(("http://", "https://")) else f"https://{host}"
        if not (self._token and self._token.isascii() and self._token.isprintable()):
            text = "Arvados: the token is empty or has characters that no token has"
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, text, hint=TOKEN))
        self.outdated = False
        self._methods: dict[tuple[str, str], Any] = {}
        _quieten_loggers()
        self._http = ArvadosHttp(base, timeout=options.timeout, insecure=options.insecure, certs_file=certs_file)
        try:
            self._sdk = arvados.api.api_client(
                "v1", self._http.document_url, self._token, cache=False, http=self._http, num_retries=0
            )
        except Exception as error:
            self.close()
            if isinstance(error, AttributeError | KeyError | TypeError):  # JSON, but not of that shape
                forget_document(self._http.document_url)
                error = NotArvados("not a discovery document of Arvados")
            if not isinstance(error, _EXPECTED):
                raise
            self._fail("discovery document", error)

    @property
    def clock_offset(self) -> float | None:
        """The server's clock less ours, in seconds."""
        return self._http.clock_offset

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def has(self, resource: str) -> bool:
        """Whether the server has this resource, by its discovery document."""
        return hasattr(self._sdk, resource)

    def call(self, resource: str, method: str, **arguments: Any) -> dict[str, Any]:
        """One request: the answer as a dict. Sent once; no longer than a few time-outs."""
        what = f"{resource}.{method}"
        make = self._method(resource, method)
        try:
            request = make(**arguments)
        except TypeError as error:  # the server's document lacks a parameter
            self._refuse(f"{what}: this server's API is not the one that is expected ({error})", HOST)
        if method not in _ASKING:
            of_process().check(self.options.timeout)
        try:
            answer = request.execute()
        except NotLeading as error:
            raise RemoteFailure(RemoteError(ErrorKind.NOT_LEADER, str(error))) from None
        except _EXPECTED as error:
            self._fail(what, error, known="uuid" in arguments)
        if not isinstance(answer, dict):
            self._fail(what, ValueError("answer is not a JSON object"))
        return answer

    def _method(self, resource: str, method: str) -> Any:
        """The SDK's function, kept: the SDK makes all methods of a resource anew each time, at a request's cost."""
        key = (resource, method)
        if key not in self._methods:
            try:
                self._methods[key] = getattr(getattr(self._sdk, resource)(), method)
            except (AttributeError, KeyError, TypeError):
                self._outdate()
                self._refuse(f"this server has no {resource} API: {SERVED}", HOST)
        return self._methods[key]

    def _outdate(self) -> None:
        """Let the next use ask the server for its document again: it may have been upgraded, or work again."""
        self.outdated = True
        forget_document(self._http.document_url)

    def _refuse(self, text: str, hint: str) -> NoReturn:
        raise RemoteFailure(RemoteError(ErrorKind.REFUSED, self._line(text), hint=hint)) from None

    def _fail(self, what: str, error: Exception, *, known: bool = False) -> NoReturn:
        """Raise the error as a RemoteFailure. `known`: the request was about one object."""
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            raise error
        if isinstance(error, googleapiclient.errors.HttpError):
            self._fail_status(what, error, known=known)
        if isinstance(error, ssl.SSLCertVerificationError | FileNotFoundError):
            self._refuse(f"{what}: {error}", "[Daemon] certs_file")
        if isinstance(error, http.client.InvalidURL | UnicodeError) and not isinstance(error, UnicodeDecodeError):
            self._refuse(f"{what}: the host is not a host name", HOST)
        reason = str(error)
        if isinstance(error, TimeoutError):
            reason = f"no answer in time ({reason})"
        elif isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            reason = "the answer is not JSON"
        elif isinstance(error, NotArvados):
            reason = f"the answer is {reason}"
        text = self._line(f"{what}: {reason or type(error).__name__}")
        raise RemoteFailure(RemoteError(ErrorKind.TRANSIENT, text)) from None

    def _fail_status(self, what: str, error: Any, *, known: bool) -> NoReturn:
        status, kind, hint = int(error.resp.status), ErrorKind.REFUSED, ""
        if status in (401, 403):
            hint = TOKEN
        elif status == 404 and known:
            kind = ErrorKind.GONE
        elif status == 404 or 300 <= status < 400:
            self._outdate()
            hint = HOST
        elif status == 429:
            kind = ErrorKind.THROTTLED
        elif status >= 500 or status in _AGAIN:
            kind = ErrorKind.TRANSIENT
        text = self._line(f"{what}: HTTP {status} {_reason(error)}")
        raise StatusFailure(RemoteError(kind, text, _retry_after(error.resp), hint), status) from None

    def _line(self, text: str) -> str:
        """One line, not too long, without the token."""
        return "Arvados: " + " ".join(text.replace(self._token, "***").split())[:_MAX_TEXT]


def _reason(error: Any) -> str:
    """What the server says in its own form of error, without the request id's brackets; else the status' own words.

    A page in HTML, as a proxy sends it, is not for a log line."""
    try:
        errors = json.loads(error.content)["errors"]
        return "; ".join(text for text in errors if isinstance(text, str)) or "without a reason"
    except (ValueError, TypeError, KeyError):
        return str(error.resp.reason or http.client.responses.get(error.resp.status, "without a reason"))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks us to wait: a number, or a date (row A13). None where it asks for no wait."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        date = None if value.isdecimal() else email.utils.parsedate_to_datetime(value)
        seconds = float(value) if date is None else date.timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        _log.warning("Arvados: Retry-After %.80r is not a time; the status alone decides", value)
        return None
    return seconds if seconds > 0 else None  # 0 leaves the doubling of our own waits alone (row A12)


def _quieten_loggers() -> None:
    """The SDK prints its own lines to stderr, beside our log, and its HTTP library logs the body of every 403."""
    arvados.logger.removeHandler(arvados.log_handler)
    logger = logging.getLogger("googleapiclient.http")
    if _no_bodies not in logger.filters:
        logger.addFilter(_no_bodies)


def _no_bodies(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("Invalid JSON content", "Encountered 403"))
