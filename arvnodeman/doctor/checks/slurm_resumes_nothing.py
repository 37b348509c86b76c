"""Slurm powers nothing up, and gives jobs to names that are off all the same."""

from __future__ import annotations

import math
from collections.abc import Iterator

from arvnodeman.config.size_names import few
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import our_partitions, seconds_of


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most: where no SuspendTime is a number Slurm powers nothing up, and says so nowhere."""
    own = our_partitions(setup)
    of_partitions = (setup.partitions.get(part, {}).get("SuspendTime", "") for part in own)
    waits = [setup.config.get("SuspendTime", ""), *of_partitions]
    if all(seconds_of(wait) == math.inf for wait in waits):
        yield (
            f"slurm.conf has SuspendTime={waits[0] or 'INFINITE'}, and no SuspendTime for the partition "
            f"{few(own) or 'of our names'}: Slurm would place jobs on names that are off but start none; set "
            "SuspendTime=315360000 for that partition"
        )


CHECK = Check(
    name="slurm-resumes-nothing",
    area=Area.SETUP,
    says="No SuspendTime is a number: Slurm would place jobs on names that are off, but start none.",
    mends="Set SuspendTime=315360000 for the partition of the names.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
