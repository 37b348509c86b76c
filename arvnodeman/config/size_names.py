"""[Size NAME] node_names: which names in Slurm belong to which size, where slurm.conf declares them CLOUD."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from arvnodeman.config.hostlist import hostlist
from arvnodeman.fleet.values.model import SizeSection

SHOWN = 3  # names in one line


@lru_cache(maxsize=1024)
def names_in(text: str) -> tuple[str, ...]:
    """The names of a host list, in order, each once; none of an empty text. Raises ValueError."""
    return tuple(dict.fromkeys(hostlist(text))) if text else ()


def names_of_two(sizes: Sequence[SizeSection]) -> Iterator[tuple[str, str]]:
    """Of each size that lists names of an earlier one: its NAME, and what is wrong."""
    owners: dict[str, str] = {}
    for size in sizes:
        taken: dict[str, list[str]] = {}
        for name in names_in(size.node_names):
            owner = owners.setdefault(name, size.id)
            if owner != size.id:
                taken.setdefault(owner, []).append(name)
        for owner, names in taken.items():
            verb = "belongs" if len(names) == 1 else "belong"
            yield size.id, f"{few(names)} {verb} to [Size {owner}]; allowed: names of no other size"


def few(names: Sequence[str]) -> str:
    """The first of some names, for people."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
