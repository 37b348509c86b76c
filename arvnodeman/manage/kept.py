"""Pages that cost something are made once a second at most, however many ask."""

from __future__ import annotations

import threading
from typing import NamedTuple

from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.view import View
from arvnodeman.manage.app import Page
from arvnodeman.manage.source import Source

KEPT_FOR = 1.0  # seconds
MOST_KEPT = 8  # forms of one page; clients that are honest accept one or two


class _Made(NamedTuple):
    view: View
    at: float  # monotonic
    body: bytes
    content_type: str


class Kept:
    """Such a page. While one thread makes it, others that ask for it wait for that one."""

    def __init__(self, page: Page, source: Source) -> None:
        self._page = page
        self._source = source
        self._made: dict[str, _Made] = {}  # by what the client accepts
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        """The page as it was less than a second ago, if the brain has published nothing since."""
        accepts = request.headers.get("Accept", "")
        with self._lock:
            now, view = self._source.vitals.clock.monotonic(), self._source.published.view
            made = self._made.get(accepts)
            if made is None or made.view is not view or not 0 <= now - made.at < KEPT_FOR:
                response = self._page(request)
                if response.status_code != 200:
                    return response
                if len(self._made) >= MOST_KEPT:
                    self._made.clear()
                made = self._made[accepts] = _Made(view, now, response.get_data(), response.content_type or "")
        return Response(made.body, content_type=made.content_type)
