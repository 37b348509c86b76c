"""Slurm does not let this account change nodes."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line at most."""
    complaint = facts.rights()
    if complaint:
        yield complaint


CHECK = Check(
    name="rights-in-slurm",
    area=Area.SLURM,
    says="Slurm does not let this account change nodes, so none can be drained, resumed or given a name.",
    mends="Run the daemon as SlurmUser or root, or make its account a Slurm operator (`sacctmgr modify user`).",
    find=lambda facts: findings(judge(facts)),
)
