"""Some names that are ours are not in Slurm."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.config.size_names import few
from arvnodeman.doctor.base import Area, Check, findings, first_of
from arvnodeman.doctor.facts import SlurmSetup

NOT_IN_CONF = "they are not in slurm.conf"
NOT_SHOWN = f"{NOT_IN_CONF}, or declared CLOUD or FUTURE there (declare them State=UNKNOWN)"


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    lacking = [name for name in setup.names if name not in setup.shown]
    if not lacking:
        return
    names, why = (few(lacking), NOT_IN_CONF) if setup.settings.places else (first_of(lacking), NOT_SHOWN)
    yield f"Slurm does not show {names}, which should be ours: {why}; no node gets such a name"


CHECK = Check(
    name="names-lacking",
    area=Area.SETUP,
    says="Some of our names are not in Slurm: no node gets them.",
    mends="Declare them in slurm.conf, or remove them from node_names.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
)
