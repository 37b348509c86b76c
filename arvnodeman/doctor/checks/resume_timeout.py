"""Slurm gives a node up before we do."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import our_partitions, seconds_of


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each partition."""
    everywhere, patience = setup.config.get("ResumeTimeout", ""), setup.settings.daemon.boot_fail_after
    for part in our_partitions(setup):
        given = setup.partitions.get(part, {}).get("ResumeTimeout", "GLOBAL")
        wait = everywhere if given == "GLOBAL" else given
        if seconds_of(wait) < patience:
            yield (
                f"slurm.conf has ResumeTimeout={wait.partition(' ')[0]} for the partition {part}: Slurm would place "
                f"up a node before we do; set it above [Daemon] boot_fail_after, {patience:g}"
            )


CHECK = Check(
    name="resume-timeout",
    area=Area.SETUP,
    says="ResumeTimeout is below boot_fail_after: Slurm would place up a node before we do.",
    mends="Set ResumeTimeout above [Daemon] boot_fail_after.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
