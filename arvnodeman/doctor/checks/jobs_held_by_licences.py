"""Jobs that wait for licences."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import Facts
from arvnodeman.doctor.waiting import held_by


def judge(facts: Facts) -> Iterator[str]:
    """A line for each reason that Slurm gives."""
    for reason, jobs in held_by(facts.waiting(), ("license", "licence")).items():
        yield (
            f"{len(jobs)} job{'' if len(jobs) == 1 else 's'} ({first_of(jobs)}) wait for licences, and more nodes "
            f"would not help: Slurm's reason is {reason}"
        )


CHECK = Check(
    name="jobs-held-by-licences",
    area=Area.SLURM,
    says="Jobs wait for licences that are all in use: no node is booted for them.",
    mends="`scontrol show licenses` shows who has them; raise Licenses= in slurm.conf if you have more.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
