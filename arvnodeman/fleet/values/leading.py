"""Whether this manager leads, where there may be others: as values that the brain is told, and what it makes of them.

Each lead has a generation, which grows from one to the next, whoever has it. It stands in the token of each boot, and
so in the tags of the node.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_GENERATION = re.compile(r"g([0-9]{1,18})-")


class LeaderBackend(StrEnum):
    """Who says which manager acts."""

    HOST = "host"  # this host's kernel: there is no other host
    SLURM = "slurm"
    POSTGRESQL = "postgresql"
    ZOOKEEPER = "zookeeper"


@dataclass(frozen=True, slots=True)
class LeadHeld:
    """An event: this manager leads, and knows it for so many seconds from now on. Until the first of the two moments it
    may begin what is new, until the second go on with what it has begun."""

    generation: int
    begins_for: float
    acts_for: float


@dataclass(frozen=True, slots=True)
class LeadLost:
    """An event: another manager leads, or nobody does. `words`: who, or why not."""

    words: str


@dataclass(frozen=True, slots=True)
class Lead:
    """What the brain knows of it. Moments are of its steady time."""

    leads: bool = True
    generation: int = 0
    begins_until: float = math.inf
    acts_until: float = math.inf
    words: str = ""  # who leads, or why nobody does

    def is_sure(self, t: float) -> bool:
        """May everything be done?"""
        return self.leads and t < self.begins_until

    def next_change(self, t: float) -> float | None:
        """When it ends by itself; None: not soon, or it has."""
        return min((at for at in (self.begins_until, self.acts_until) if t < at < math.inf), default=None)


ALONE = Lead()
"""Nobody else can lead."""


def token_of(generation: int, name: str) -> str:
    """The token of a boot: with the generation of its lead, where these are counted."""
    return f"g{generation}-{name}" if generation else name


def generation_of(token: str | None) -> int:
    """The generation in the token of a boot; 0 where it has none, as before there were any."""
    found = _GENERATION.match(token or "")
    return int(found[1]) if found else 0


def newest_generation(tokens: Iterable[str | None]) -> int:
    """The greatest of them; 0 for none."""
    return max(map(generation_of, tokens), default=0)
