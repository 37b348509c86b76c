"""Jobs that wait for a reservation to begin or to end."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import Facts
from arvnodeman.doctor.waiting import held_by


def judge(facts: Facts) -> Iterator[str]:
    """A line for each reason that Slurm gives."""
    for reason, jobs in held_by(facts.waiting(), ("reservation", "reserved", "maintenance")).items():
        yield (
            f"{len(jobs)} job{'' if len(jobs) == 1 else 's'} ({first_of(jobs)}) wait for a reservation, and more nodes "
            f"would not help: Slurm's reason is {reason}"
        )


CHECK = Check(
    name="jobs-held-by-reservations",
    area=Area.SLURM,
    says="Jobs wait for a reservation or maintenance: no node is booted for them.",
    mends="`scontrol show reservations` says until when; delete one that is not needed any more.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
