"""Which page answers which request. Pages are plain callables, each in a module of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Page = Callable[[Request], Response]

logger = logging.getLogger("status.Handler")


def json_response(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(json.dumps(value) + "\n", status, content_type="application/json")


def error_response(status: int, text: str) -> Response:
    """An answer that says in JSON what is wrong, as Arvados' services do."""
    return json_response({"health": "ERROR", "error": text}, status)


class Application:
    """A WSGI application over pages for GET. A page that fails is a 500 and a line in the log, and nothing worse
    (row K7)."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = dict(pages)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, in one of the server's threads."""
        request = Request(environ)
        response = self._answer(request)
        logger.info('%s - "%s %s" %d', request.remote_addr, request.method, request.path, response.status_code)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            return self._page(request)(request)
        except HTTPException as error:
            return error_response(error.code or 500, error.name)
        except Exception:
            logger.exception("while answering %s", request.path)
            return error_response(500, "Internal Server Error")

    def _page(self, request: Request) -> Page:
        page = self._pages.get(request.path)
        if page is None:
            raise NotFound
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        return page
