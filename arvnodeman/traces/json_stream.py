"""The items of one long list in a JSON object, one by one: a file of any size in the memory of one item.

Python's own decoder makes an object of text that begins anywhere and says where it ended; so nothing has to be scanned
beforehand. Where the text that is there ends first, twice as much is read before it is tried again.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any

LONGEST_ITEM = 1 << 28  # characters
_BLANK = re.compile(r"[ \t\r\n]*")
_LEAST = 1 << 20


class NotJson(ValueError):
    """It is not one, or it is cut off. The text says which, in words."""


class JsonList:
    """Reads `{"NAME": [ITEM, ...], ...}`. What else is in the object is kept in `beside`."""

    def __init__(self, chunks: Iterator[bytes], name: str) -> None:
        self._chunks = chunks
        self._name = name
        self._bytes = getincrementaldecoder("utf-8")("surrogateescape")
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._all = False  # nothing more comes
        self.beside: dict[str, Any] = {}
        self.found = False  # the list was there

    def items(self) -> Iterator[Any]:
        """Of one object, or of several one after the other. Raises NotJson."""
        while True:
            yield from self._object()
            if not self._next():
                return

    def _object(self) -> Iterator[Any]:
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            key = self._value()
            if not isinstance(key, str):
                raise NotJson("it is not JSON")
            self._expect(":")
            if key == self._name and self._next() == "[":
                self.found = True
                yield from self._list()
            else:
                self.beside[key] = self._value()
            if self._next() != ",":
                break
            self._at += 1
        self._expect("}")

    def _list(self) -> Iterator[Any]:
        self._expect("[")
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            sign = self._next()
            if sign not in (",", "]"):
                raise NotJson("it is not JSON, or cut")
            self._at += 1
            if sign == "]":
                return

    def _value(self) -> Any:
        self._next()
        least = _LEAST
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise NotJson("it is nested too deep") from None
            except ValueError as error:
                if self._all:
                    raise NotJson(f"it is not JSON, or cut: {error}") from None
                if len(self._text) - self._at > LONGEST_ITEM:
                    raise NotJson("it is not JSON, or one of its jobs is too long") from None
            else:
                if end < len(self._text) or self._all:  # a number might go on
                    self._at = end
                    return value
            self._more(least)
            least *= 2

    def _next(self) -> str:
        """The next sign; '' at the end."""
        while True:
            match = _BLANK.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._all:
                return ""
            self._more(_LEAST)

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise NotJson("it is cut" if self._all and self._at >= len(self._text) else "it is not JSON")
        self._at += 1

    def _more(self, least: int) -> None:
        """Drop what was used, and read so many characters more, or all that there are."""
        parts, there = [self._text[self._at :]], 0
        while there < least and not self._all:
            chunk = next(self._chunks, None)
            self._all = chunk is None
            parts.append(self._bytes.decode(chunk or b"", self._all))
            there += len(parts[-1])
        self._text, self._at = "".join(parts), 0
