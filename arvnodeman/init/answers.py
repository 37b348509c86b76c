"""What somebody has to say before a site's first files can be made. Plain values; bad ones are told in one line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MOST_NAMES = 10_000


class BadAnswer(ValueError):
    """An answer that cannot be taken; the text is one line that says why, and what can."""


class RecordsSetup(StrEnum):
    """Who keeps the node records, and who chooses nodes: doc/choosing.md."""

    ARVADOS = "arvados"
    ARVADOS_3 = "arvados-3"
    SLURM = "slurm"
    SLURM_CLOUD = "slurm-cloud"


SETUPS: Mapping[RecordsSetup, str] = {
    RecordsSetup.ARVADOS: "Arvados up to 2.7, which keeps the node records",
    RecordsSetup.ARVADOS_3: "Arvados 3.x, with Slurm's names as node records",
    RecordsSetup.SLURM: "Slurm without Arvados, queue-driven",
    RecordsSetup.SLURM_CLOUD: "Slurm 24.11 or newer without Arvados: Slurm decides",
}


@dataclass(frozen=True, slots=True)
class SizeAnswer:
    """A type of node. 0: not said."""

    type: str
    cores: int = 0
    ram: float = 0  # MB, as advertised
    price: float = 0  # $/hour


@dataclass(frozen=True, slots=True)
class Answers:
    """All of it. `given`: options by (section, name), over what is made up here."""

    cloud: str
    setup: RecordsSetup
    cluster: str
    sizes: tuple[SizeAnswer, ...]
    max_nodes: int = 20
    max_price: float = 0  # $/hour; 0: no limit
    controller: str = "controller"
    given: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def keeps_names(self) -> bool:
        """Are Slurm's names the node records?"""
        return self.setup is not RecordsSetup.ARVADOS

    @property
    def has_arvados(self) -> bool:
        """Is there an API server?"""
        return self.setup in (RecordsSetup.ARVADOS, RecordsSetup.ARVADOS_3)


def size_of(text: str, known: Callable[[str], SizeAnswer | None], *, tells_prices: bool = True) -> SizeAnswer:
    """TYPE[:CORES[:MB[:$]]]. What is left out comes from what is `known` of the type. tells_prices: the cloud tells
    prices itself, so none is needed here. Raises BadAnswer."""
    name, *figures = text.strip().split(":")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name) or len(figures) > 3:
        raise BadAnswer(
            f"{text!r} is not valid; allowed: TYPE[:CORES[:MB[:DOLLARS]]], as m5.large or m1.large:4:8192:0.2"
        )
    found = known(name) or SizeAnswer(name)
    cores, ram, price = [*figures, "", "", ""][:3]
    size = SizeAnswer(
        name,
        int(_number(text, "cores", cores) if cores else found.cores),
        _number(text, "memory in MB", ram) if ram else found.ram,
        _number(text, "dollars an hour", price) if price else found.price,
    )
    if size.cores < 1:
        raise BadAnswer(f"{text!r}: the cores of {name} are not known here; say {name}:CORES:MB:DOLLARS")
    if not (size.price or tells_prices):
        known_part = f"{size.cores}:{size.ram:.0f}" if size.ram else f"{size.cores}:MB"
        raise BadAnswer(
            f"{text!r}: the price of {name} is not known here; say {name}:{known_part}:DOLLARS, for an hour"
        )
    return size


def _number(text: str, what: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise BadAnswer(f"{text!r}: {value!r} is not a number of {what}")
    return number


def cluster_of(text: str) -> str:
    """A cluster's name: it is part of names in Slurm and of tags at the cloud. Raises BadAnswer."""
    name = text.strip()
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise BadAnswer(
            f"{text!r} is not valid; allowed: up to 31 lower-case letters, digits and hyphens, a letter first"
        )
    return name


def nodes_of(text: str) -> int:
    """How many nodes there may be. Raises BadAnswer."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= MOST_NAMES:
        raise BadAnswer(f"{text!r} is not valid; allowed: 1 to {MOST_NAMES}")
    return int(text)


def dollars_of(text: str) -> float:
    """$/hour, 0 for no limit. Raises BadAnswer."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise BadAnswer(f"{text!r} is not valid; allowed: dollars an hour, as 12.50, or 0 for no limit")
    return value


def setup_of(text: str) -> RecordsSetup:
    """Raises BadAnswer."""
    try:
        return RecordsSetup(text.strip())
    except ValueError:
        raise BadAnswer(f"{text!r} is not valid; allowed: {', '.join(SETUPS)}") from None
