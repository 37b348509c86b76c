"""An older Slurm keeps the address that a name is given while it has no node."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.checks.slurm_too_old import SINCE_FOR_ONE_SIZE
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import version_of_conf

SINCE = (23, 11)  # a node's address is always what it registers with
_REG_ADDRS = "cloud_reg_addrs"


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    version, parameters = version_of_conf(setup.config), setup.config.get("SlurmctldParameters", "")
    if SINCE_FOR_ONE_SIZE <= version < SINCE and _REG_ADDRS not in parameters:
        yield (
            f"its version is {setup.config['SLURM_VERSION']}, which does not take the address of a node when it "
            f"registers: SlurmctldParameters needs {_REG_ADDRS}"
        )


CHECK = Check(
    name="addresses-of-nodes",
    area=Area.SETUP,
    says="Slurm does not take the address of a node when it registers.",
    mends="Set SlurmctldParameters=cloud_reg_addrs in slurm.conf.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
