"""Which page answers which request. Pages are plain callables, each in a module of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.values.model import Secret
from arvnodeman.manage.access import AccessControl, Refusal, Right
from arvnodeman.manage.answers import ErrorShown, encode

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# (request, the parts of the path that its rule names) -> a Response, or a value that goes out as JSON
Page = Callable[..., Any]

logger = logging.getLogger("status.Handler")


def json_response(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(encode(value) + b"\n", status, content_type="application/json")


def response_of(answer: object) -> Response:
    """What a page answers, as a response."""
    return answer if isinstance(answer, Response) else json_response(answer)


def error_response(status: int, text: str) -> Response:
    """An answer that says in JSON what is wrong."""
    response = json_response(ErrorShown(text), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@dataclass(frozen=True, slots=True)
class Route:
    """One page, and what it needs."""

    rule: str  # werkzeug's: /v1/nodes/<name>
    page: Page
    right: Right = Right.OPEN
    method: str = "GET"


class Application:
    """A WSGI application. A page that fails is a 500 and a line in the log, and nothing worse (row K7)."""

    def __init__(self, routes: Sequence[Route], gate: AccessControl | None = None) -> None:
        """Without a gate only open pages are served."""
        self._gate = gate or AccessControl(Secret(""))
        self._routes = routes
        rules = [Rule(route.rule, methods=[route.method], endpoint=number) for number, route in enumerate(routes)]
        self._map = Map(rules, merge_slashes=False, redirect_defaults=False)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, in one of the server's threads."""
        request = Request(environ)
        response = self._answer(request)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        logger.info('%s - "%s %s" %d', request.remote_addr, request.method, _written(request), response.status_code)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            number, parts = self._map.bind_to_environ(request.environ).match()
            route = self._routes[number]
            self._gate.check(request, route.right)
            page: Page = route.page
            return response_of(page(request, **parts))
        except Refusal as refusal:
            return error_response(refusal.status, refusal.text)
        except HTTPException as error:
            return _http_error(error)
        except Exception:
            logger.exception("while answering %s", _written(request))
            return error_response(500, "Internal Server Error")


def _written(request: Request) -> str:
    """The path as it stands in a request's first line: whoever asks cannot put a line of his own into the log."""
    return quote(request.path, safe="/:@!$&'()*+,;=")


def _http_error(error: HTTPException) -> Response:
    text = error.description if error.code == 400 else None
    response = error_response(error.code or 500, text or error.name)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response
