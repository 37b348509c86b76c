"""What of texts from outside may be shown: no secret, and nothing of what a new node is given to read when it starts.

A cloud may repeat what it refuses, as it is, in base64, escaped, or a part of it. So parts count, too: whatever has
SHORTEST characters in a row in common with a hidden text, in any of its forms, is starred; and so is a long run of
base64 that nobody knows, since it may hold anything.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 16  # characters in a row
STARS = "***"
_LONGEST = 1_000_000  # characters of a text that are looked at
_SHORTEST_NAME = 4  # characters: a shorter name cannot be told from the rest of a text
_SHORTEST_CODE = 8  # characters of base64 that are taken for those of a secret
_LIMIT = 400  # characters that are shown
_TAIL = 139  # of them at the end, where it is often said what is wrong
_SHOWN = 200  # characters of a strange item
_QUERY = re.compile(r"(/[^\s?'\"]*)\?[^\s'\")>]+")
_PING_SECRET = re.compile(r"(ping_secret(?:=|%3D|\\u003[dD]))[^\s&'\")>]+", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_DENSE = re.compile(r"(?=[A-Za-z0-9+]*[a-z])(?=[A-Za-z0-9+]*[A-Z])(?=[A-Za-z0-9+]*[0-9])[A-Za-z0-9+]{20}")


class Hidden:
    """Texts of which no part may be shown. Not thread-safe: each driver has its own."""

    def __init__(self, *texts: str) -> None:
        """texts: hidden for as long as this lives."""
        self._kept = tuple(filter(None, texts))
        self._newest: tuple[str, ...] = ()

    def keep(self, *texts: str) -> None:
        """Hide these, too, from now on."""
        self._kept += tuple(filter(None, texts))

    def put(self, text: str, public: Iterable[str] = ()) -> None:
        """Hide a text as well, in the place of the one before. public: what is in it and no secret, such as names."""
        names = sorted({name for name in public if len(name) >= _SHORTEST_NAME}, key=len, reverse=True)
        pieces = re.split("|".join(map(re.escape, names)), text) if names else [text]
        self._newest = (text, *pieces)

    def starred(self, text: str) -> str:
        """The text without whatever it has of the hidden ones."""
        if len(text) < SHORTEST or not (self._kept or self._newest):
            return text
        places: dict[str, list[int]] = {}
        for start in range(len(text) - SHORTEST + 1):
            places.setdefault(text[start : start + SHORTEST], []).append(start)
        covered = bytearray(len(text))
        for form in self._forms():
            for start in range(len(form) - SHORTEST + 1):
                for place in places.pop(form[start : start + SHORTEST], ()):
                    covered[place : place + SHORTEST] = b"\1" * SHORTEST
        return _with_stars(text, covered)

    def _forms(self) -> Iterator[str]:
        for text in (*self._kept, *self._newest[1:]):
            yield from _written(text)
        for text in (*self._kept, *self._newest[:1]):
            yield from encoded(text)


def _with_stars(text: str, covered: bytearray) -> str:
    made: list[str] = []
    start = 0
    while (begin := covered.find(1, start)) >= 0:
        end = covered.find(0, begin)
        made += [text[start:begin], STARS]
        start = len(text) if end < 0 else end
    return "".join([*made, text[start:]])


def _written(text: str) -> Iterator[str]:
    """A text as it is, and as other texts may contain it."""
    forms = (
        text,
        " ".join(text.split()),
        repr(text)[1:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape(text),
        quote(text, safe=""),
        quote(text),
        quote_plus(text),
    )
    yield from dict.fromkeys(forms)


def encoded(text: str) -> Iterator[str]:
    """A text in base64, whatever stands before it in what was encoded; without what depends on its neighbours."""
    data = text.encode("utf-8", "surrogateescape")
    for before in range(3):
        form = base64.b64encode(b"\0" * before + data).decode()
        certain = form[(0, 2, 3)[before] : (before + len(data)) * 8 // 6]
        forms = (form, certain) if before == 0 else (certain,)
        yield from dict.fromkeys((*forms, *(each.translate(_URL_SAFE) for each in forms)))


_URL_SAFE = str.maketrans("+/", "-_")


def _star_secret(text: str, secret: str) -> str:
    forms = {*_written(secret), *(form for form in encoded(secret) if len(form) >= _SHORTEST_CODE)}
    for form in sorted(filter(None, forms), key=len, reverse=True):
        text = text.replace(form, STARS)
    return text


def without_secrets(text: str, secrets: Iterable[str] = (), hidden: Hidden | None = None) -> str:
    """The text with stars in place of what nobody may see."""
    text = text[:_LONGEST]
    for secret in filter(None, secrets):
        text = _star_secret(text, secret)
    if hidden is not None:
        text = hidden.starred(text)
    text = _RUN.sub(lambda run: STARS if _DENSE.search(run[0]) else run[0], text)
    return _PING_SECRET.sub(rf"\1{STARS}", text)


def one_line(text: str, secrets: Iterable[str] = (), hidden: Hidden | None = None, limit: int = _LIMIT) -> str:
    """A cloud's words as one line for a log: without query strings and secrets. A long one is cut in its middle."""
    text = _QUERY.sub(r"\1?…", without_secrets(text, secrets, hidden))
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if len(text) <= limit:
        return text
    tail = min(_TAIL, limit // 3)
    return f"{text[: limit - tail - 1]}…{text[len(text) - tail :]}"


def shown(value: object) -> str:
    """A value of the cloud's, whatever it is, for a log line."""
    return one_line(ascii(value), limit=_SHOWN)


def named(item: object) -> str:
    """An item of a cloud's list that cannot be understood, for a log line: what it is called, nothing of what is in it,
    which may be what the node reads when it starts."""
    if not isinstance(item, dict):
        return type(item).__name__
    name = item.get("name") or item.get("id")
    return shown(name) if isinstance(name, str | int) else f"one without a name, with {shown(sorted(map(str, item)))}"
