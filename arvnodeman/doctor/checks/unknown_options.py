"""Names that are not known: what they were meant for has its default."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings

CHECK = Check(
    name="unknown-options",
    area=Area.FILE,
    says="The configuration file has a section or an option that is not known: what was meant has its default.",
    mends="Write the name as it is; the nearest that is known is named.",
    find=lambda facts: findings(facts.file().warnings),
)
