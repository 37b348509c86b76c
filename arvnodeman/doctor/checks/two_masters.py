"""Slurm's own power saving stops names that are ours, too."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import power_saved


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each thing in slurm.conf that says so, the partitions' too."""
    covered: dict[str, list[str]] = {}
    known = [name for name in setup.names if name in setup.shown]
    for name, why in power_saved(setup.config, setup.shown, known, setup.partitions):
        covered.setdefault(why, []).append(name)
    for why, stopped in covered.items():
        yield (
            f"slurm.conf has SuspendProgram={setup.config['SuspendProgram']} and {why}, and so Slurm's own power "
            f"saving stops {first_of(stopped)}, which are also ours: two masters destroy each other's nodes; exclude "
            "them with SuspendExcNodes or SuspendExcParts, or remove SuspendProgram"
        )


CHECK = Check(
    name="two-masters",
    area=Area.SETUP,
    says="Slurm's own power saving, of the cluster or of one partition, stops our names.",
    mends="Exclude them with SuspendExcNodes or SuspendExcParts, or remove SuspendProgram.",
    find=lambda facts: findings(judge(facts.setup())),
    places=False,
)
