"""Slurm's way to write many names of nodes: compute[1-3,7]."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_HOST_PART = re.compile(r"(?:[^\[\],]+|\[[0-9,-]+\])+")
_RANGES = re.compile(r"\[([0-9,-]+)\]")
_NAMES_LIMIT = 65536  # names in one hostlist, as in Slurm


def hostlist(expression: str) -> Iterable[str]:
    """The names in `compute[1-3,7]`, `rack[1-2]node[1-4]` or in a plain name.

    Raises ValueError for one that is empty, broken or too long."""
    if not expression or expression != expression.strip() or not expression.isprintable():
        raise ValueError(f"not a node name: {expression!r}")
    if not any(special in expression for special in "[],"):
        return [expression]
    names: list[str] = []
    for part in _parts(expression):
        before, *pieces = _RANGES.split(part)  # ranges and what stands behind them, in turns
        found = [before]
        for ranges, after in zip(pieces[::2], pieces[1::2], strict=True):
            numbers = _numbers(ranges)
            if len(found) * len(numbers) > _NAMES_LIMIT:
                raise ValueError(f"too many nodes: {expression[:80]!r}")
            found = [name + number + after for name in found for number in numbers]
        names += found
        if len(names) > _NAMES_LIMIT:
            raise ValueError(f"too many nodes: {expression[:80]!r}")
    return names


def _parts(expression: str) -> Iterator[str]:
    """What stands between the commas that are in no brackets. Raises ValueError."""
    place = 0
    while (match := _HOST_PART.match(expression, place)) is not None:
        yield match[0]
        place = match.end() + 1
        if place > len(expression):
            return
        if expression[place - 1] != ",":
            break
    raise ValueError(f"not a node name: {expression!r}")


def _numbers(ranges: str) -> list[str]:
    found: list[str] = []
    for item in ranges.split(","):
        if item.isdigit():  # of those that are there, most are so
            found.append(item)
            continue
        first, _, last = item.partition("-")
        lowest, highest = int(first), int(last or first)
        if not lowest <= highest < lowest + _NAMES_LIMIT:
            raise ValueError(f"not a range of nodes: {item[:80]!r}")
        found += [f"{number:0{len(first)}d}" for number in range(lowest, highest + 1)]
    return found
