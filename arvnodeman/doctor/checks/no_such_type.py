"""Sizes whose types the provider cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.cloud.registry import size_slips
from arvnodeman.config import Settings
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line for each, with the nearest that there are."""
    for line in size_slips(settings)[0]:
        yield f"{settings.path}: {line}"


CHECK = Check(
    name="no-such-type",
    area=Area.FILE,
    says="A size has a type that is not in the provider's table and does not look like one (`m5.lrage`).",
    mends="Write the type as the provider does; the finding has the nearest names.",
    find=lambda facts: findings(judge(facts.settings())),
)
