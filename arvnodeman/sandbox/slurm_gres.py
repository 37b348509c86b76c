"""GRES on the Slurm double: `gpu:tesla:2,license:4` is what a node has, `gpu:1` what a job asks for."""

from __future__ import annotations

from collections.abc import Iterable


def counts(text: str) -> dict[str, int]:
    """How many of each name: `gpu:tesla:2` counts as `gpu:tesla`. Without a number it is one."""
    found: dict[str, int] = {}
    for item in filter(None, text.split(",")):
        name, _, number = item.rpartition(":")
        if not number.isdigit():
            name, number = item, "1"
        found[name] = found.get(name, 0) + int(number)
    return found


def has(offer: str, wanted: str) -> bool:
    """Does a node with this have what is wanted? A name without a type means any type of it."""
    there = counts(offer)
    return all(
        sum(count for each, count in there.items() if each == name or each.startswith(f"{name}:")) >= number
        for name, number in counts(wanted).items()
    )


def left(offer: str, used: Iterable[str]) -> str:
    """What of an offer is left when others have what they wanted: of any type that type of which least is left."""
    there = counts(offer)
    for wanted in used:
        for name, number in counts(wanted).items():
            rest = number
            for each in sorted(there, key=lambda each: there[each]):
                if each == name or each.startswith(f"{name}:"):
                    taken = min(rest, there[each])
                    there[each] -= taken
                    rest -= taken
    return ",".join(f"{name}:{number}" for name, number in there.items())


def used(offer: str, jobs: Iterable[str]) -> str:
    """As `scontrol --details show node` prints what jobs have of an offer, without the numbers of the devices."""
    rest = counts(left(offer, jobs))
    return ",".join(f"{name}:{number - rest[name]}" for name, number in counts(offer).items())


def tres(text: str) -> str:
    """As squeue prints it: `gres:gpu:1,gres:license:2`, or N/A."""
    return ",".join(f"gres:{item}" for item in text.split(",")) if text else "N/A"
