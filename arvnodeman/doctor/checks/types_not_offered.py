"""Sizes whose types the cloud does not offer."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts
from arvnodeman.fleet.sizes.table import SizeTable


def judge(table: SizeTable) -> Iterator[str]:
    """A line for each, with the nearest that there are."""
    for each in table.missing:
        nearest = f"; the nearest are {', '.join(each.nearest)}" if each.nearest else ""
        yield f"[Size {each.id}] instance_type {each.instance_type}: {each.problem}{nearest}"


def table_of(facts: Facts) -> SizeTable:
    """The configured sizes against what the cloud offers. Raises CannotTell."""
    settings = facts.settings()
    return SizeTable(settings.sizes, facts.offers(), settings.daemon.node_mem_scaling)


CHECK = Check(
    name="types-not-offered",
    area=Area.CLOUD,
    says="The cloud does not offer the type of a size, or a size has no price.",
    mends="Write a type that it offers (the finding has the nearest names), or the missing `price`.",
    find=lambda facts: findings(judge(table_of(facts))),
    cheap=False,
)
