"""Slurm powers a few names up or down at a time, or is late with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup

SHORT_LOOK = 2  # power_save_interval, in seconds, above which Slurm is late
_INTERVAL = re.compile(r"\bpower_save_interval=([0-9]+)")
_ITS_INTERVAL = 10  # Slurm's own
# What the rate holds up. On 24.11, with a pass each second, 300 powers up one name of 16 jobs in two seconds.
_RATES: Mapping[str, str] = MappingProxyType(
    {
        "ResumeRate": "it counts jobs as well as nodes, and jobs wait while Slurm powers up a few names at a time",
        "SuspendRate": "nodes go, and sizes in back-off are closed, only a few names at a time",
    }
)


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each option."""
    for option, held_up in _RATES.items():
        rate = setup.config.get(option, "0").partition(" ")[0]
        if rate != "0":
            yield f"slurm.conf has {option}={rate}: {held_up}; set {option}=0"
    found = _INTERVAL.search(setup.config.get("SlurmctldParameters", ""))
    interval = int(found[1]) if found else _ITS_INTERVAL
    if interval > SHORT_LOOK:
        yield (
            f"slurm.conf has power_save_interval={interval}: Slurm powers names up and down that many seconds late; "
            "set SlurmctldParameters=power_save_interval=1"
        )


CHECK = Check(
    name="power-rates",
    area=Area.SETUP,
    says="Slurm powers up or down only a few names at a time, or does so late, and jobs wait meanwhile.",
    mends="Set ResumeRate=0, SuspendRate=0 and SlurmctldParameters=power_save_interval=1.",
    find=lambda facts: findings(judge(facts.setup())),
    grave=False,
    places=True,
)
