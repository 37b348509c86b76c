"""GET /: the page that people look at, joined of the files in page/. It reads the API like any client.

There is no build: page.css goes into its <style>, and the scripts, one after the other, into its <script>, where they
share one scope. The page itself tells nothing, so anybody may have it: the token that the API asks for is typed into
it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from werkzeug.wrappers import Request, Response

SCRIPTS = ("basics", "asking", "following", "figures", "tiles", "node", "token", "lists", "hours", "begin")
"""In the order in which they run."""


def joined() -> str:
    """The whole page."""
    folder = files("arvnodeman.manage") / "page"
    style = (folder / "page.css").read_text(encoding="utf-8")
    script = "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    page = (folder / "page.html").read_text(encoding="utf-8")
    page = page.replace("<style></style>", f"<style>\n{style}</style>")
    return page.replace("<script></script>", f'<script>\n"use strict";\n(() => {{\n{script}}})();\n</script>')


class FrontPage:
    """Serves the page as it was when the daemon began."""

    def __init__(self) -> None:
        self._body = joined().encode()
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
