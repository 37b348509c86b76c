"""Slurm powers up a few names at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup

SHORT_LOOK = 2  # power_save_interval, in seconds, above which starts of nodes may wait for each other
_INTERVAL = re.compile(r"\bpower_save_interval=([0-9]+)")
_ITS_INTERVAL = 10  # Slurm's own


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line at most."""
    rate = setup.config.get("ResumeRate", "0").partition(" ")[0]
    found = _INTERVAL.search(setup.config.get("SlurmctldParameters", ""))
    interval = int(found[1]) if found else _ITS_INTERVAL
    if rate != "0" and interval > SHORT_LOOK:
        yield (
            f"slurm.conf has ResumeRate={rate} and power_save_interval={interval}: jobs wait while Slurm powers up a "
            "few names at a time; set ResumeRate=0 and SlurmctldParameters=power_save_interval=1"
        )


CHECK = Check(
    name="resume-rate",
    area=Area.SETUP,
    says="Slurm powers up a few names at a time, and jobs wait meanwhile.",
    mends="Set ResumeRate=0 and SlurmctldParameters=power_save_interval=1.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
    places=True,
)
