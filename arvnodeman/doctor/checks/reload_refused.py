"""A changed configuration was refused."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings

CHECK = Check(
    name="reload-refused",
    area=Area.DAEMON,
    says="The last reload was refused: the configuration before it is in force.",
    mends="Correct the file (`check-config FILE`), and reload again.",
    find=lambda facts: findings(facts.daemon().reload_problems),
)
