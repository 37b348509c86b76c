"""Names that seem to be declared DOWN."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.slurm.show import ShownNode


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    down = [name for name in setup.names if name in setup.shown and _seems_declared_down(setup.shown[name])]
    if down:
        yield (
            f"{first_of(down)}: down without a reason, as nodes declared State=DOWN in slurm.conf are: a plain restart "
            "of slurmctld would kill the jobs on them; declare them State=UNKNOWN"
        )


def _seems_declared_down(node: ShownNode) -> bool:
    return node.base == "DOWN" and not node.reason and node.slurmd_started is None


CHECK = Check(
    name="names-declared-down",
    area=Area.SETUP,
    says="Our names seem to be declared State=DOWN: a plain restart of slurmctld would kill the jobs on them.",
    mends="Declare them State=UNKNOWN.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
    places=False,
)
