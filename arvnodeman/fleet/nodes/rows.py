"""What is other in a list than in the one before it, by identity: pollers hand over what did not change as it was."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import is_not
from typing import TypeVar

T = TypeVar("T")
FEW = 4  # in so many rows at most one has moved: then the lists are compared place by place


def moved(before: Sequence[T], after: Sequence[T]) -> tuple[list[T], list[T]]:
    """The rows of `after` that are not in `before`, and those of `before` that are not in `after`. A row that stands
    elsewhere may be in both; an equal one that is another object is."""
    if before is after:
        return [], []
    if len(before) == len(after):
        came = list(compress(after, map(is_not, before, after)))
        if FEW * len(came) <= len(after):
            return came, list(compress(before, map(is_not, before, after)))
    was = set(map(id, before))
    came = [row for row in after if id(row) not in was]
    if len(came) == len(after):
        return came, list(before)
    now = set(map(id, after))
    return came, [row for row in before if id(row) not in now]


def are_few(rows: Sequence[object], of: Sequence[object]) -> bool:
    """Is it less work to look at each of these rows than to take the list anew?"""
    return FEW * len(rows) <= len(of)
