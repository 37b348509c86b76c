"""Nodes that Slurm does not use for the jobs that they were booted for."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, Finding
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[Finding]:
    """One for each group of jobs."""
    for name, words in facts.daemon().in_vain.items():
        yield Finding(f"group {name}: {words}", about=name)


CHECK = Check(
    name="boots-in-vain",
    area=Area.DAEMON,
    says="A node was up for jobs, but Slurm did not use it for them: nothing is booted for them for a while.",
    mends="`explain JOB` has Slurm's reason: a limit, a reservation, a constraint. `retry GROUP` tries again at once.",
    find=judge,
    grave=False,
)
