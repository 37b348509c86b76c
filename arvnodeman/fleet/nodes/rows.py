"""What is other in a list than in the one before it, by identity: pollers hand over what did not change as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from operator import eq, is_not
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")
FEW = 4  # in so many rows at most one has moved: then the lists are compared place by place


def moved(before: Sequence[T], after: Sequence[T]) -> tuple[list[T], list[T]]:
    """The rows of `after` that are not in `before`, and those of `before` that are not in `after`. A row that stands
    elsewhere may be in both; an equal one that is another object is."""
    if before is after:
        return [], []
    if len(before) == len(after):
        places = list(compress(range(len(after)), map(is_not, before, after)))
        if FEW * len(places) <= len(after):
            return [after[place] for place in places], [before[place] for place in places]
    was = set(map(id, before))
    came = [row for row in after if id(row) not in was]
    if len(came) == len(after):
        return came, list(before)
    now = set(map(id, after))
    return came, [row for row in before if id(row) not in now]


def keys_of_others(before: Mapping[K, T], after: Mapping[K, T]) -> list[K]:
    """The keys of `after` that have another object than in `before`, or are new."""
    if len(after) == len(before) and all(map(eq, after, before)):  # nearly always: then no key is looked up
        return list(compress(after, map(is_not, after.values(), before.values())))
    return list(compress(after, map(is_not, after.values(), map(before.get, after))))


def are_few(rows: Sequence[object], of: Sequence[object]) -> bool:
    """Is it less work to look at each of these rows than to take the list anew?"""
    return FEW * len(rows) <= len(of)
