"""Mistakes for which the daemon would not start."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings

CHECK = Check(
    name="mistakes-in-file",
    area=Area.FILE,
    says="The configuration file has mistakes: wrong syntax, wrong values, or options that exclude each other.",
    mends="Correct the lines in the finding: the daemon does not start with them.",
    find=lambda facts: findings(facts.file().problems),
)
