"""GRES on the Slurm double: `gpu:tesla:2,license:4` is what a node has, `gpu:1` what a job asks for."""

from __future__ import annotations


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


def tres(text: str) -> str:
    """As squeue prints it: `gres:gpu:1,gres:license:2`, or N/A."""
    return ",".join(f"gres:{item}" for item in text.split(",")) if text else "N/A"
