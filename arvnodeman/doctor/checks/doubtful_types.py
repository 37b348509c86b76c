"""Sizes whose types are newer than the provider's table, or slips."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.cloud.registry import size_slips
from arvnodeman.config import Settings
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line for each, with the nearest that there are."""
    for line in size_slips(settings)[1]:
        yield f"{settings.path}: {line}"


CHECK = Check(
    name="doubtful-types",
    area=Area.FILE,
    says="A size has a type that is not in the provider's table; it may be newer than the table.",
    mends="Check its spelling: `cloud-test --config FILE --size NAME` creates one.",
    find=lambda facts: findings(judge(facts.settings())),
    grave=False,
)
