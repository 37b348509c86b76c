"""Pages that cost something are made once a second at most, however many ask."""

from __future__ import annotations

import gzip
import secrets
import threading
from dataclasses import dataclass
from functools import cached_property

from werkzeug.wrappers import Request, Response

from arvnodeman.fleet.view.view import View
from arvnodeman.manage.app import Page, response_of
from arvnodeman.manage.source import Source

CACHED_FOR = 1.0  # seconds
MOST_FORMS = 8  # forms of one page; clients that are honest accept one or two
WORTH_PACKING = 16_384  # bytes: a smaller page is one packet or a few anyway
EFFORT = 3  # of gzip: the list of 5,000 nodes in 8 ms, to a fortieth


@dataclass(frozen=True)
class _Made:
    view: View
    at: float  # monotonic
    body: bytes
    content_type: str

    @cached_property
    def packed(self) -> bytes:
        """With gzip."""
        return gzip.compress(self.body, EFFORT, mtime=0)


class CachedPage:
    """Such a page. While one thread makes it, others that ask for it wait for that one."""

    def __init__(self, page: Page, source: Source, *, tagged: bool = False) -> None:
        """`tagged`: the page tells the brain's view and nothing else. It is served with a weak ETag, and who has it
        already is answered 304 until the brain publishes another view; until then only durations have grown."""
        self._page = page
        self._source = source
        self._tagged = tagged
        self._run = secrets.token_hex(4)  # another process counts from 1 again
        self._view: View | None = None
        self._views = 0  # that were met here
        self._made: dict[str, _Made] = {}  # by what the client accepts
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        """The page as it was less than a second ago, if the brain has published nothing since."""
        accepts = request.headers.get("Accept", "")
        packs = request.accept_encodings.quality("gzip") > 0
        with self._lock:
            now, view = self._source.vitals.clock.monotonic(), self._source.published.view
            if view is not self._view:
                self._view, self._views = view, self._views + 1
            tag = f"{self._run}-{self._views}"
            if self._tagged and request.if_none_match.contains_weak(tag):
                return self._label(Response(status=304), tag)
            made = self._made.get(accepts)
            if made is None or made.view is not view or not 0 <= now - made.at < CACHED_FOR:
                response = response_of(self._page(request))
                if response.status_code != 200:
                    return response
                if len(self._made) >= MOST_FORMS:
                    self._made.clear()
                made = self._made[accepts] = _Made(view, now, response.get_data(), response.content_type or "")
            packed = made.packed if packs and len(made.body) >= WORTH_PACKING else None
        answer = Response(made.body if packed is None else packed, content_type=made.content_type)
        if packed is not None:
            answer.content_encoding = "gzip"
        answer.vary.add("Accept-Encoding")
        return self._label(answer, tag)

    def _label(self, answer: Response, tag: str) -> Response:
        if self._tagged:
            answer.set_etag(tag, weak=True)
        return answer
