"""The API server's clock and ours differ."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.clocks import differs

CHECK = Check(
    name="clock-of-arvados",
    area=Area.ARVADOS,
    says="The API server's clock and this machine's differ by more than a minute: ages of pings are wrong.",
    mends="Synchronise both machines with NTP (`timedatectl`).",
    find=lambda facts: findings(differs("the API server", facts.arvados().clock_offset)),
    grave=False,
)
