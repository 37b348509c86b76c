"""Slurm has a second host to go on with, and we have not."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config.option import LEADER
from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import SlurmSetup

_HOST = "SlurmctldHost["


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    hosts = [value for name, value in setup.config.items() if name.startswith(_HOST)]
    if len(hosts) > 1 and not setup.settings.leader.elects:
        yield (
            f"slurm.conf has backup controllers ({first_of(hosts[1:])}), and [{LEADER}] backend is host: Slurm "
            "continues when its first host is lost, but this manager does not"
        )


CHECK = Check(
    name="backup-controller",
    area=Area.SLURM,
    says="slurm.conf has a backup controller, but no second manager would take over.",
    mends="Run a manager on each of these hosts, with [Leader] backend = slurm or another one that elects a leader.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
)
