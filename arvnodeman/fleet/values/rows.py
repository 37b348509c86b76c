"""Lists that come again and again, of which few rows change from one time to the next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import compress
from operator import is_, is_not
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Rows(Generic[Row]):
    """Gives each row that equals the one of its key in the last list as the object that it was then; and the last list,
    where all rows are those, in the same order. So who takes a list in finds what has changed by identity."""

    def __init__(self, key: Callable[[Row], Hashable]) -> None:
        self._key = key
        self._rows: Sequence[Row] = ()
        self._by_key: dict[Hashable, Row] = {}

    def renewed(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows of the next list."""
        last = self._rows
        others = list(compress(range(len(rows)), map(is_not, rows, last))) if len(rows) == len(last) else None
        if others is None or any(self._key(rows[place]) != self._key(last[place]) for place in others):
            keys = list(map(self._key, rows))
            self._rows = tuple(map(_known, map(self._by_key.get, keys), rows))
            self._by_key = dict(zip(keys, self._rows, strict=True))
            return self._rows
        found = list(last)
        for place in others:
            row = found[place] = _known(last[place], rows[place])
            self._by_key[self._key(row)] = row
        if not all(map(is_, found, last)):
            self._rows = tuple(found)
        return self._rows


def _known(old: Row | None, row: Row) -> Row:
    return old if old is not None and (old is row or old == row) else row
