"""A partition with names declared CLOUD and others."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config.size_names import few
from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.doctor.power_saving import our_names


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each such partition."""
    mixed: dict[str, list[str]] = {}
    for name, node in setup.shown.items():
        for part in node.partitions if "CLOUD" not in node.flags else ():
            mixed.setdefault(part, []).append(name)
    ours = (setup.shown[name] for name in our_names(setup) if "CLOUD" in setup.shown[name].flags)
    for part in dict.fromkeys(part for node in ours for part in node.partitions):
        if part in mixed:
            yield (
                f"the partition {part} in slurm.conf has names declared CLOUD and others, such as {few(mixed[part])}: "
                "jobs of the others would never wait for a node; give each kind a partition of its own"
            )


CHECK = Check(
    name="mixed-partitions",
    area=Area.SETUP,
    says="A partition has names declared CLOUD and others.",
    mends="Give each kind a partition of its own.",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
