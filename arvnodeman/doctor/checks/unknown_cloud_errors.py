"""Errors of the cloud that are in no table of ours."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line at most, with the codes by how often they came."""
    counts = facts.daemon().unknown_cloud_errors
    if counts:
        often = [f"{code!r} ({counts[code]})" for code in sorted(counts, key=lambda code: -counts[code])]
        yield (f"errors of the cloud are in no table of ours: {first_of(often)}; they are judged by their HTTP status")


CHECK = Check(
    name="unknown-cloud-errors",
    area=Area.DAEMON,
    says="The cloud returns errors that this version does not know.",
    mends="Report the codes, so that they can be added to the table; nothing is lost meanwhile.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
