"""Names of different partitions, and a size that is bound to none."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import SlurmSetup


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    unbound = [size.id for size in setup.settings.sizes if not size.partitions]
    shown = setup.shown
    sets = {frozenset(shown[name].partitions): name for name in setup.names if name in shown}
    if unbound and len(sets) > 1:
        yield (
            f"{first_of(list(sets.values()))} are not in the same Slurm partitions, and [Size {unbound[0]}] is bound "
            "to none: a job may wait for a node that gets a name in another partition; give each size `partitions`"
        )


CHECK = Check(
    name="unbound-partitions",
    area=Area.SETUP,
    says="Names are in different partitions, and a size is bound to none of these.",
    mends="Give each [Size] its `partitions`.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
    places=False,
)
