"""Slurm's hostlist expressions: compute[1-3,7] and back."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PART = re.compile(r"([^,\[\]]+)(?:\[([0-9,\-]+)\])?$")
_NUMBERED = re.compile(r"(.*?)(\d+)$")
_LIMIT = 65_536  # names in one expression, as Slurm has a limit, too


def expand(expression: str) -> list[str]:
    """The names in an expression, in its order. Raises ValueError for one that Slurm would not take."""
    names: list[str] = []
    for part in _split(expression):
        match = _PART.match(part.strip())
        if match is None:
            raise ValueError(f"Invalid hostlist expression: {expression}")
        prefix, ranges = match.groups()
        names.extend([prefix] if ranges is None else (prefix + number for number in _numbers(ranges)))
        if len(names) > _LIMIT:
            raise ValueError(f"Too many hosts: {expression[:80]}")
    return names


def compress(names: Iterable[str]) -> str:
    """The shortest expression for these names, numbers in order, as Slurm prints it."""
    plain: list[str] = []
    groups: dict[tuple[str, int], set[int]] = {}
    for name in names:
        match = _NUMBERED.match(name)
        if match is None:
            plain.append(name)
            continue
        prefix, digits = match.groups()
        width = len(digits) if digits.startswith("0") and len(digits) > 1 else 0
        groups.setdefault((prefix, width), set()).add(int(digits))
    parts = sorted(set(plain))
    for (prefix, width), numbers in sorted(groups.items()):
        ranges = ",".join(_range_text(first, last, width) for first, last in _runs(sorted(numbers)))
        parts.append(f"{prefix}[{ranges}]" if len(numbers) > 1 else prefix + ranges)
    return ",".join(parts)


def _split(expression: str) -> list[str]:
    """Split at the commas outside brackets."""
    return [part for part in re.split(r",(?![^\[]*\])", expression) if part.strip()]


def _numbers(ranges: str) -> list[str]:
    found: list[str] = []
    for item in ranges.split(","):
        first, dash, last = item.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()) or int(last or first) < int(first):
            raise ValueError(f"Invalid hostlist range: {ranges}")
        if int(last or first) - int(first) > _LIMIT:
            raise ValueError(f"Too many hosts: {ranges}")
        found.extend(f"{number:0{len(first)}d}" for number in range(int(first), int(last or first) + 1))
    return found


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _range_text(first: int, last: int, width: int) -> str:
    text = f"{first:0{width}d}"
    return text if first == last else f"{text}-{last:0{width}d}"
