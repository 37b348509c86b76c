"""The daemon is not well."""

from __future__ import annotations

from arvnodeman.doctor.base import Area, Check, findings

CHECK = Check(
    name="daemon-not-well",
    area=Area.DAEMON,
    says="A list cannot be polled or is too old, or the watchdog has found a problem: nothing is decided on old data.",
    mends="The line names the list and the last error; see the log.",
    find=lambda facts: findings(facts.daemon().wrong),
)
