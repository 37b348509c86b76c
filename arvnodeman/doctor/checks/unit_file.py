"""The unit that is installed is not as this version needs it."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.unit import SERVICE, mistakes_of

CHECK = Check(
    name="unit-file",
    area=Area.MACHINE,
    says="The installed service unit lacks what this version needs: notify, restarts, a long enough watchdog.",
    mends="Install doc/ops/arvados-node-manager.service of this version; put your own changes into a drop-in.",
    find=lambda facts: findings(f"{SERVICE}: {line}" for line in mistakes_of(facts.unit(), facts.patience())),
    grave=False,
)
