"""The history cannot be read, or an earlier one was set aside."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line at most for each."""
    history = facts.history()
    if history.complaint:
        yield f"history: {history.complaint}"
    if history.set_aside:
        yield (
            f"history: an earlier file could not be used and was set aside as {history.set_aside}: its costs are not "
            "counted"
        )


CHECK = Check(
    name="history-unreadable",
    area=Area.MACHINE,
    says="The history file cannot be read, or an earlier one was damaged and was set aside.",
    mends="Restore the file from a backup, or delete the one that was set aside; the daemon continues with a new one.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
