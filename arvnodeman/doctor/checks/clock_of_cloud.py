"""The cloud's clock and ours differ."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.clocks import differs

CHECK = Check(
    name="clock-of-cloud",
    area=Area.CLOUD,
    says="The cloud's clock and this machine's differ by more than a minute: ages of nodes, and signatures, are wrong.",
    mends="Synchronise this machine with NTP (`timedatectl`).",
    find=lambda facts: findings(differs("the cloud", facts.cloud().clock_offset)),
    grave=False,
)
