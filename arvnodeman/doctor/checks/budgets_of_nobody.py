"""Budgets for accounts that Slurm does not know."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings

CHECK = Check(
    name="budgets-of-nobody",
    area=Area.SLURM,
    says="A budget names an account that Slurm does not know: it pays for nobody.",
    mends="Write the account as `sacctmgr list account` shows it; the finding has the nearest name.",
    find=lambda facts: findings(facts.unknown_accounts()),
    grave=False,
)
