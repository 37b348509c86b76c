"""A Slurm that this program was not tried with."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.slurm.tried import remark_on

CHECK = Check(
    name="slurm-not-tried",
    area=Area.SLURM,
    says="Slurm is newer or older than the versions that this program was tried with.",
    mends="Look for a newer release of this program, and watch the first nodes.",
    find=lambda facts: findings(filter(None, [remark_on(facts.slurm_version())])),
    grave=False,
)
