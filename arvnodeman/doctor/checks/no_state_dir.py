"""There is no state directory, or it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import Facts


def judge(facts: Facts) -> Iterator[str]:
    """A line at most."""
    folder = facts.state_dir()
    if not folder:
        yield (
            "[Daemon] state_dir: not set: there is no history and no crash report, and commands cannot reach the "
            "daemon through its socket"
        )
    elif not Path(folder).is_dir():
        yield f"[Daemon] state_dir: {folder} is not a directory"
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield f"[Daemon] state_dir: {folder} cannot be read by this account"


CHECK = Check(
    name="no-state-dir",
    area=Area.MACHINE,
    says="There is no state directory, so no history, no crash report and no socket for commands.",
    mends="Set [Daemon] state_dir, or StateDirectory= in the unit; run doctor as root or the daemon's account.",
    find=lambda facts: findings(judge(facts)),
    grave=False,
)
