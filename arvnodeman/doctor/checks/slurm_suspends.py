"""Slurm stops idle names by itself, where that is left to us."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config.size_names import few
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import YEAR, our_names, power_saved


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each thing in slurm.conf that says so, the partitions' too."""
    if "CLOUD" in setup.config.get("SuspendExcStates", "").upper().split(","):
        return
    covered: dict[str, list[str]] = {}
    for name, why in power_saved(setup.config, setup.shown, our_names(setup), setup.partitions, YEAR):
        covered.setdefault(why, []).append(name)
    for why, stopped in covered.items():
        yield (
            f"slurm.conf has {why}: Slurm itself would stop {few(stopped)}, which are ours; set SuspendTime=315360000 "
            "for their partition, and remove PowerDownOnIdle"
        )


CHECK = Check(
    name="slurm-suspends",
    area=Area.SETUP,
    says="Slurm would stop idle names by itself: by the cluster's SuspendTime, a partition's, or PowerDownOnIdle.",
    mends="Set SuspendTime=315360000 for their partition, and remove PowerDownOnIdle.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
