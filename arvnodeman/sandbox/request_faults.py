"""Faults of connections: requests of the daemon that are slow, hang, are cut or refused, whatever they ask for.

It stands between the HTTP server and the site's application. A request that hangs holds one of the server's threads for
as long, and no lock. What runs the site itself, /site, is never struck.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from typing import TYPE_CHECKING

from waitress.channel import ClientDisconnected  # type: ignore[import-untyped]  # waitress has no types
from werkzeug.wrappers import Response

from arvnodeman.sandbox.faults import Faults, Where, names_of
from arvnodeman.sandbox.site_events import SiteEvents
from arvnodeman.sandbox.site_faults import SiteFaults

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PIECES = 8  # of an answer that trickles in
_FAULTS = names_of(Where.REQUEST)


class HangUp(ClientDisconnected):  # type: ignore[misc]  # see above
    """The connection ends without an answer: so does waitress when an application raises this."""


class FaultyApplication:
    """The WSGI application of a site with its faults of the place `request`, and its outages."""

    def __init__(
        self,
        application: WSGIApplication,
        lock: RLock,
        faults: Faults,
        events: SiteEvents,
        site_faults: SiteFaults,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._application = application
        self._lock = lock
        self._faults = faults
        self._events = events
        self._site_faults = site_faults
        self._sleep = sleep

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, in the caller's thread, well or badly. Raises HangUp."""
        service = service_of(environ.get("PATH_INFO", ""))
        fault, times = self._fault_of(service)
        match fault:
            case "":
                return self._application(environ, start_response)
            case "away":
                raise HangUp(service)
            case "http-unavailable":
                refusal = Response('{"error": {"code": "Unavailable", "message": "try again"}}', 503)
                refusal.content_type = "application/json"
                return refusal(environ, start_response)
            case "http-hangs" | "http-closed":
                if times % 2:
                    self._obey(environ)
                if fault == "http-hangs":
                    self._sleep(self._faults.values["hang"])
                raise HangUp(fault)
        response = self._obey(environ)
        body = response.get_data()
        if service == "slurm" and fault != "http-slow":  # no command ends well with half of its output
            body = b""
            response.headers.pop("X-Returncode", None)
        length = len(response.get_data())
        response.response = self._pieces(body, fault)
        response.headers["Content-Length"] = str(length)
        return response(environ, start_response)

    def _fault_of(self, service: str) -> tuple[str, int]:
        """The fault that strikes this request, and how many times it has struck so far."""
        if not service:
            return "", 0
        with self._lock:
            if self._site_faults.is_away(service):
                return "away", 0
            for fault in _FAULTS:
                if self._faults.strikes(fault, service):
                    self._events.add("fault", service, fault)
                    return fault, self._faults.struck[fault]
        return "", 0

    def _obey(self, environ: WSGIEnvironment) -> Response:
        return Response.from_app(self._application, environ, buffered=True)

    def _pieces(self, body: bytes, fault: str) -> Iterator[bytes]:
        """The answer's body as it comes: too little of it makes the server close the connection."""
        if fault == "http-slow":
            size = len(body) // _PIECES + 1
            for start in range(0, _PIECES * size, size):
                self._sleep(self._faults.values["slow"] / _PIECES)
                yield body[start : start + size]
            return
        yield body[: max(1, len(body) // 2)]
        if fault == "http-stalls":
            self._sleep(self._faults.values["hang"])


def service_of(path: str) -> str:
    """Whose path it is: cloud, arvados or slurm; '' for the site's own."""
    first = path.strip("/").split("/")[0]
    if first in ("cloud", "slurm"):
        return first
    return "arvados" if first in ("arvados", "discovery") else ""
