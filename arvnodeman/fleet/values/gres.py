"""GRES: GPUs and other things that Slurm counts beside cores, memory and disk; what a size offers, what a job asks for.

Both are written NAME[:TYPE][:COUNT], with commas between: `gpu:1`, `gpu:tesla:2,license`. Without a count it is 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

Gres: TypeAlias = tuple[tuple[str, int], ...]
"""Counts by NAME or NAME:TYPE, sorted: `(("gpu:tesla", 2), ("license", 1))`. Of each node."""

_ITEM = re.compile(
    r"(?P<name>[a-z_][a-z0-9_.-]*)"
    r"(?::(?P<kind>(?![0-9]+[kmgtp]?(?:[:=]|$))[a-z0-9_][a-z0-9_.-]*))?"  # `1g.5gb` is a type, `2K` a count
    r"(?:[:=](?P<count>[0-9]{1,12})(?P<unit>[kmgtp]?))?",
    re.IGNORECASE,
)
_NO_GRES = ("cpu", "mem", "node", "billing", "energy", "pages", "vmem")  # other things that Slurm counts
_PREFIX = re.compile(r"gres[:/]", re.IGNORECASE)
_TIMES = {unit: 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p"))}
NONE = ("", "N/A", "(null)", "none")  # how Slurm writes that nothing is asked for


class NoGres(ValueError):
    """A text that is no list of GRES. `mistakes`: one line of words for each."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(self.mistakes))


def offered(text: str) -> Gres:
    """What a size offers, as an operator writes it. Raises NoGres with every mistake in it."""
    found: dict[str, int] = {}
    mistakes: list[str] = []
    for item in (part.strip() for part in text.split(",")):
        shown = repr(item if len(item) <= 40 else item[:40] + "…")
        match = _ITEM.fullmatch(item)
        if match is None or match["name"].lower() == "gres":
            mistakes.append(f"{shown} is not NAME, NAME:COUNT or NAME:TYPE:COUNT")
            continue
        name, number = _read(match)
        if not number:
            mistakes.append(f"{shown} offers nothing")
        elif name in found:
            mistakes.append(f"{shown} is there twice")
        else:
            found[name] = number
    if mistakes:
        raise NoGres(mistakes)
    return tuple(sorted(found.items()))


def asked(text: str, times: Callable[[int], int] = lambda count: count) -> dict[str, int]:
    """What a job asks for, as squeue writes it: `gres:gpu:tesla:2,gres:license:1`, `gres/gpu:1`, `gpu:1`, `N/A`.

    times: from a count to that of each node. Things that are no GRES (`cpu=2`, as newer Slurms list them, too) and
    counts of 0 are left out. Raises NoGres.
    """
    if text in NONE:
        return {}
    wanted: dict[str, int] = {}
    for item in text.split(","):
        bare = _PREFIX.sub("", item, count=1)
        match = _ITEM.fullmatch(bare)
        if match is None:
            raise NoGres([f"not a GRES: {item[:80]!r}"])
        name, number = _read(match)
        if number and not (bare == item and match["name"].lower() in _NO_GRES):
            wanted[name] = wanted.get(name, 0) + times(number)
    return wanted


def with_each(text: str, wanted: Mapping[str, int]) -> int:
    """What comes with the GRES that are wanted, as squeue writes it for one of them: `gpu:4`. Raises NoGres."""
    most = 0
    for name, each in asked(text).items():
        most = max(most, each * sum(wanted[of] for of in wanted if of == name or of.startswith(f"{name}:")))
    return most


def _read(match: re.Match[str]) -> tuple[str, int]:
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
