"""GET /: the page that people look at, page.html. All of it is in that one file; it reads the API like any client.

The page itself tells nothing, so anybody may have it: the token that the API asks for is typed into it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from werkzeug.wrappers import Request, Response


class FrontPage:
    """Serves the file as it was when the daemon began."""

    def __init__(self) -> None:
        self._body = (files("arvnodeman.manage") / "page.html").read_bytes()
        self._headers = {
            "Content-Security-Policy": content_security_policy(self._body.decode()),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
        }

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        return Response(self._body, headers=self._headers, content_type="text/html; charset=utf-8")


def content_security_policy(page: str) -> str:
    """What a browser lets this page do: run the one script and use the one style that are in it, known by their hashes,
    ask this server, and nothing else. Nor may the script make markup from texts (Trusted Types)."""
    allowed = {
        "default-src": "'none'",
        "script-src": _hash_of("script", page),
        "style-src": _hash_of("style", page),
        "img-src": "data:",  # the icon
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{what} {whence}" for what, whence in allowed.items())


def _hash_of(tag: str, page: str) -> str:
    """The hash of the only element with this tag."""
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
