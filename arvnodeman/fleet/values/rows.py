"""Lists that come again and again, of which few rows change from one time to the next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import is_
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Rows(Generic[Row]):
    """Gives each row that equals the one of its key in the last list as the object that it was then; and the last list,
    where all rows are those, in the same order. So who takes a list in finds what has changed by identity."""

    def __init__(self, key: Callable[[Row], Hashable]) -> None:
        self._key = key
        self._rows: Sequence[Row] = ()
        self._by_key: Mapping[Hashable, Row] = {}

    def renewed(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows of the next list."""
        if len(rows) == len(self._rows) and all(map(is_, rows, self._rows)):
            return self._rows
        before, keys = self._by_key.get, list(map(self._key, rows))
        found = [
            old if old is not None and (old is row or old == row) else row
            for old, row in zip(map(before, keys), rows, strict=True)
        ]
        if len(found) != len(self._rows) or not all(map(is_, found, self._rows)):
            self._rows = tuple(found)
            self._by_key = dict(zip(keys, found, strict=True))
        return self._rows
