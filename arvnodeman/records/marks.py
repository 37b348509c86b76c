"""What is written into the Comment of a name in Slurm: for whom the name is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from arvnodeman.fleet.values.model import BootIntent
from arvnodeman.fleet.values.quick import quick

_BOOTING = "Node Manager booting"
_NODE = "Node Manager node"
_MARK = re.compile(rf"{_BOOTING} (\S+) (\S+) ([0-9.e+-]+) ([0-9.]+)(?: (\S.*))?|{_NODE} (\S+)")


@quick
@dataclass(frozen=True, slots=True)
class NameMark:
    """A name's Comment, where it is ours: a boot under way, or the instance that has the name."""

    intent: BootIntent | None = None
    instance_id: str = ""


def mark_of_boot(intent: BootIntent) -> str:
    """`Node Manager booting TOKEN SIZE PRICE TIME`, and RUNG where it has one."""
    mark = f"{_BOOTING} {intent.token} {intent.size} {intent.price!r} {intent.at:.3f}"
    return f"{mark} {intent.rung}" if intent.rung else mark


def mark_of_node(instance_id: str) -> str:
    """`Node Manager node INSTANCE_ID`."""
    return f"{_NODE} {instance_id}"


def read_mark(comment: str) -> NameMark | None:
    """The mark in a Comment; None for one that is empty or somebody else's. One that was written with many others has
    quotation marks around it."""
    match = _MARK.fullmatch(comment.strip().removeprefix('"').removesuffix('"'))
    if match is None:
        return None
    token, size, price, at, rung, instance_id = match.groups()
    if instance_id is not None:
        return NameMark(instance_id=instance_id)
    try:
        intent = BootIntent(size, float(price), token, float(at), rung or "")
    except ValueError:
        return None
    return NameMark(intent=intent) if math.isfinite(intent.price) and intent.price >= 0 else None
