"""Slurm is too old to place jobs on names that are off."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import version_of_conf

SINCE, SINCE_FOR_ONE_SIZE = (24, 11), (22, 5)


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    said, version, sizes = setup.config.get("SLURM_VERSION", ""), version_of_conf(setup.config), len(setup.by_size)
    if version < SINCE_FOR_ONE_SIZE:
        shown = said or "not known"
        yield f"its version is {shown}: node_records = slurm-cloud needs 24.11, or 22.05 with only one size"
    elif version < SINCE and sizes > 1:
        yield (
            f"its version is {said}, which starts expensive nodes before cheap ones: node_records = slurm-cloud with "
            f"{sizes} sizes needs 24.11"
        )


CHECK = Check(
    name="slurm-too-old",
    area=Area.SETUP,
    says="This Slurm is too old to place jobs on names that are off.",
    mends="Upgrade Slurm to 24.11 or later, or set [Arvados] node_records = slurm.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
