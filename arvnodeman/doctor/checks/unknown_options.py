"""Names that are not known: what they were meant for has its default."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings

CHECK = Check(
    name="unknown-options",
    area=Area.FILE,
    says="The configuration file has an unknown section or option: the option that was meant has its default.",
    mends="Correct the name; the finding has the nearest known one.",
    find=lambda facts: findings(facts.file().warnings),
)
