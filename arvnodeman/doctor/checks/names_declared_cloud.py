"""Names that are ours are declared CLOUD, where Slurm does not place jobs on them."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import SlurmSetup


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    cloud = [name for name in setup.names if name in setup.shown and "CLOUD" in setup.shown[name].flags]
    if cloud:
        yield (
            f"{first_of(cloud)}: declared State=CLOUD in slurm.conf: Slurm places jobs on such nodes while they are "
            "off, so the jobs never wait for us; declare them State=UNKNOWN"
        )


CHECK = Check(
    name="names-declared-cloud",
    area=Area.SETUP,
    says="Our names are declared State=CLOUD: Slurm places jobs on them while they are off.",
    mends="Declare them State=UNKNOWN, or let Slurm decide: [Arvados] node_records = slurm-cloud.",
    find=lambda facts: findings(judge(facts.setup())),
    places=False,
)
