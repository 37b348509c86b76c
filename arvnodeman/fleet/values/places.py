"""Which names of nodes a job may have: by Slurm's reservations, and by what it asks of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

_NAMES_SHOWN = 8  # of a list of nodes, to people

Zone: TypeAlias = tuple[str, ...]
"""The reservations of Slurm that the name of a node is in, in order; then the keys of the `Needs` that it meets, of
those that jobs of the newest queue have."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a job asks of the names of its nodes, beside partitions and reservations."""

    features: str = ""  # its constraint, see features.py; '' where it says no more than a size
    required: tuple[str, ...] = ()  # names that it must have, all of them
    excluded: tuple[str, ...] = ()  # names that it must not have
    nodes: int = 1

    @property
    def key(self) -> str:
        """It as a word, and a short one: a job may exclude thousands of names."""
        return _key_of(self)

    @property
    def words(self) -> str:
        """rack1&ssd, one of compute[1-3], none of compute7: for people."""
        names = f"{'one' if len(self.required) > 1 else ''} of {_listed(self.required)}" if self.required else ""
        none_of = f"none of {_listed(self.excluded)}" if self.excluded else ""
        return ", ".join(filter(None, (self.features and f"the features {self.features}", names.strip(), none_of)))


@lru_cache(maxsize=4096)
def _key_of(needs: Needs) -> str:
    parts = (needs.features, str(needs.nodes), ",".join(needs.required), ",".join(needs.excluded))
    return "?" + hashlib.blake2s("\n".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _listed(names: tuple[str, ...]) -> str:
    """The first of some names, for people."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMES_SHOWN])} and {more:,} more"


@dataclass(frozen=True, slots=True)
class Place:
    """Which names of nodes a job may have, by Slurm's reservations that these are in, and by what it needs of them."""

    outside: tuple[str, ...] = ()  # none that is in one of these
    inside: tuple[str, ...] = ()  # only such as are in one of these; empty: any
    needs: Needs | None = None

    def has(self, zone: Zone) -> bool:
        """May it be a name of this zone?"""
        if zone and any(name in self.outside for name in zone):
            return False
        if self.needs is not None and self.needs.key not in zone:
            return False
        return not self.inside or any(name in self.inside for name in zone)


ANYWHERE = Place()
