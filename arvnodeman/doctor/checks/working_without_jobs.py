"""Nodes that Slurm calls working, and on which it shows no job."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, Finding
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[Finding]:
    """One for each name that a node of ours has. The manager keeps such a node: it goes by Slurm's word."""
    ours = {record.hostname: record.instance_id for record in facts.records() if record.instance_id}
    for name, state in facts.working_without_jobs().items():
        if name in ours:
            yield Finding(
                f"{name} ({ours[name]}) is {state} for Slurm, but squeue shows no job on it: it is paid "
                "for, and never becomes idle",
                name,
            )


CHECK = Check(
    name="working-without-jobs",
    area=Area.SLURM,
    says="Slurm calls one of our nodes working, but shows no job on it: slurmctld has lost count, or hides the job.",
    mends=(
        "See that nothing runs there (`squeue --all -w NAME`, `ps` on the node). Then "
        "`scontrol update NodeName=NAME State=DOWN Reason=lost-count`, and `State=RESUME`: slurmctld counts again."
    ),
    find=judge,
    grave=False,
)
