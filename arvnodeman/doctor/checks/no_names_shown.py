"""Slurm shows none of the names that are ours."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.checks.names_lacking import NOT_SHOWN
from arvnodeman.doctor.facts import SlurmSetup
from arvnodeman.slurm.commands import DUMMY_NODE


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    if setup.shown.keys().isdisjoint(setup.names):
        yield (
            f"it shows none of the names that are ours ({first_of(setup.names) or 'all nodes but ' + DUMMY_NODE}): "
            f"{NOT_SHOWN}"
        )


CHECK = Check(
    name="no-names-shown",
    area=Area.SETUP,
    says="Slurm shows none of our names, so no node can join it.",
    mends="Declare them in slurm.conf with State=UNKNOWN, or write the right names into [Daemon] node_names.",
    find=lambda facts: findings(judge(facts.setup())),
    places=False,
)
