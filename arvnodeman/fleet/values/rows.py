"""Lists that come again and again, of which few rows change from one time to the next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import compress
from operator import is_, is_not
from typing import Generic, TypeVar

Row = TypeVar("Row")
_SAMPLE = 32  # rows: where none of so many is as it was, hardly any is


class Rows(Generic[Row]):
    """Gives each row that equals the one of its key in the last list as the object that it was then; and the last list,
    where all rows are those, in the same order. So who takes a list in finds what has changed by identity. A long list
    in which rows from all over it are others is taken as new, all of it."""

    def __init__(self, key: Callable[[Row], Hashable]) -> None:
        self._key = key
        self._rows: Sequence[Row] = ()
        self._by_key: dict[Hashable, Row] = {}

    def renewed(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows of the next list."""
        if self._are_others(rows):
            self._rows = tuple(rows)
            self._by_key = dict(zip(map(self._key, rows), rows, strict=True))
            return self._rows
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

    def _are_others(self, rows: Sequence[Row]) -> bool:
        """Is it a long list, and no row that is looked at as it was?"""
        step = len(rows) // _SAMPLE
        return step > 1 and all(self._by_key.get(self._key(row)) != row for row in rows[::step])


def _known(old: Row | None, row: Row) -> Row:
    return old if old is not None and (old is row or old == row) else row
