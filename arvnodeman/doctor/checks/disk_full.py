"""A disk that the daemon writes to is nearly full."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts

LEAST = 256 << 20  # bytes: the history and the journal of some weeks


def judge(facts: Facts) -> Iterator[str]:
    """A line for each folder."""
    for folder, free in facts.disks().items():
        if free < LEAST:
            yield f"{folder}: {free >> 20} MB are free on its disk: history, journal and log will have gaps"


CHECK = Check(
    name="disk-full",
    area=Area.MACHINE,
    says="The disk of the state directory or of the log has less than 256 MB left.",
    mends="Make room, or move [Daemon] state_dir and [Logging] file; the daemon keeps working without them.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
