"""Sizes of which no node has ever come up."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line at most."""
    proven = facts.proven()
    never = [size.id for size in facts.settings().sizes if size.id not in proven]
    if never:
        yield (
            f"[Size {'], [Size '.join(never[:5])}]{' and more' if len(never) > 5 else ''}: no node has come up yet as "
            "it is configured now: only a few are booted at once until the first one has"
        )


CHECK = Check(
    name="sizes-never-tried",
    area=Area.MACHINE,
    says="No node of a size has ever come up as it is configured now.",
    mends="`cloud-test --config FILE --size NAME` tries it with one node.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
