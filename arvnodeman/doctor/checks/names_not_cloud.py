"""Names on which Slurm is to place jobs are not declared CLOUD."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config.size_names import few
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import our_names


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    other = [name for name in our_names(setup) if "CLOUD" not in setup.shown[name].flags]
    if other:
        yield f"{few(other)}: not declared State=CLOUD in slurm.conf, as node_records = slurm-cloud needs"


CHECK = Check(
    name="names-not-cloud",
    area=Area.SETUP,
    says="Names on which Slurm should place jobs while they are off are not declared State=CLOUD.",
    mends="Declare them State=CLOUD.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
