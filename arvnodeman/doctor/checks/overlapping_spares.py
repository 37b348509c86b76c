"""Spares of a size that are kept at the same hours."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config import Settings
from arvnodeman.config.spares import overlaps
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line for each two that overlap."""
    for line in overlaps(settings.spares):
        yield f"{settings.path}: {line}"


CHECK = Check(
    name="overlapping-spares",
    area=Area.FILE,
    says="The hours of two [Spare] sections of one size overlap: the larger number counts, not the sum.",
    mends="Separate their hours, if that is not meant.",
    find=lambda facts: findings(judge(facts.settings())),
    grave=False,
)
