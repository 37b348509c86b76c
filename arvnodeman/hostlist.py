"""Slurm's way to write many names of nodes: compute[1-3,7]."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HOST_PART = re.compile(r"([^\[\],]+)(?:\[([0-9,-]+)\])?([^\[\],]*)")
_NAMES_LIMIT = 65536  # names in one hostlist, as in Slurm


def hostlist(expression: str) -> Iterable[str]:
    """The names in `compute[1-3,7]` or in a plain name. Raises ValueError for one that is empty, broken or too long."""
    if not expression or expression != expression.strip() or not expression.isprintable():
        raise ValueError(f"not a node name: {expression!r}")
    if not any(special in expression for special in "[],"):
        return [expression]
    names: list[str] = []
    for part in re.split(r",(?![^\[]*\])", expression):
        match = _HOST_PART.fullmatch(part)
        if match is None:
            raise ValueError(f"not a node name: {expression!r}")
        before, ranges, after = match.groups()
        numbers = [""] if ranges is None else _numbers(ranges)
        names += [f"{before}{number}{after}" for number in numbers]
        if len(names) > _NAMES_LIMIT:
            raise ValueError(f"too many nodes: {expression[:80]!r}")
    return names


def _numbers(ranges: str) -> list[str]:
    found: list[str] = []
    for item in ranges.split(","):
        first, _, last = item.partition("-")
        lowest, highest = int(first), int(last or first)
        if not lowest <= highest < lowest + _NAMES_LIMIT:
            raise ValueError(f"not a range of nodes: {item[:80]!r}")
        found += [f"{number:0{len(first)}d}" for number in range(lowest, highest + 1)]
    return found
