"""GRES: GPUs and other things that Slurm counts beside cores, memory and disk; what a size offers, what a job asks for.

Both are written NAME[:TYPE][:COUNT], with commas between: `gpu:1`, `gpu:tesla:2,license`. Without a count it is 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

Gres: TypeAlias = tuple[tuple[str, int], ...]
"""Counts by NAME or NAME:TYPE, sorted: `(("gpu:tesla", 2), ("license", 1))`. Of each node."""

_ITEM = re.compile(
    r"(?P<name>[a-z_][a-z0-9_.-]*)"
    r"(?::(?P<kind>(?![0-9]+[kmgtp]?(?:[:=]|$))[a-z0-9_][a-z0-9_.-]*))?"  # `1g.5gb` is a type, `2K` a count
    r"(?:[:=](?P<count>[0-9]{1,12})(?P<unit>[kmgtp]?))?",
    re.IGNORECASE,
)
_TIMES = {unit: 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))}


class NoGres(ValueError):
    """A text that is not a list of GRES. `mistakes`: one line of words for each."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(self.mistakes))


def offered(text: str) -> Gres:
    """What a size offers, as an operator writes it. Raises NoGres with every mistake in it."""
    found: dict[str, int] = {}
    mistakes: list[str] = []
    for item in (part.strip() for part in text.split(",")):
        shown = repr(item if len(item) <= 40 else item[:40] + "…")
        read = read_item(item)
        if read is None or read[0].partition(":")[0].lower() == "gres":
            mistakes.append(f"{shown} is not NAME, NAME:COUNT or NAME:TYPE:COUNT")
            continue
        name, number = read
        if not number:
            mistakes.append(f"{shown} offers nothing")
        elif name in found:
            mistakes.append(f"{shown} occurs twice")
        else:
            found[name] = number
    if mistakes:
        raise NoGres(mistakes)
    return tuple(sorted(found.items()))


def read_item(text: str) -> tuple[str, int] | None:
    """`gpu:tesla:2` as NAME or NAME:TYPE with the count; None for what is none."""
    match = _ITEM.fullmatch(text)
    if match is None:
        return None
    name, kind, count, unit = match["name"], match["kind"], match["count"], match["unit"] or ""
    return f"{name}:{kind}" if kind else name, int(count) * _TIMES[unit.lower()] if count else 1


def meets(offer: Gres, wanted: Gres) -> bool:
    """Does a node that offers this have what is wanted? `gpu:2` may be of any types, `gpu:tesla:1` of that alone."""
    for name, number in wanted:
        total = sum(count for each, count in offer if each == name or each.startswith(name + ":"))
        if total < number:
            return False
    return True


def words(gres: Gres) -> str:
    """`gpu:tesla:2,license:1`."""
    return ",".join(f"{name}:{count}" for name, count in gres)
