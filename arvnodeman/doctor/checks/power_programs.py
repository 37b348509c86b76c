"""ResumeProgram or SuspendProgram is missing, or cannot be run."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from arvnodeman.doctor.base import Area, Check, findings
from arvnodeman.doctor.facts import SlurmSetup

PROGRAMS = ("ResumeProgram", "SuspendProgram")


def judge(setup: SlurmSetup) -> Iterator[str]:
    """A line for each. The files are seen on slurmctld's own machine alone."""
    here = _is_here(setup.config.get("SlurmctldHost[0]", ""))
    for option in PROGRAMS:
        program = setup.config.get(option, "")
        if not program:
            yield f"slurm.conf has no {option}: without ResumeProgram and SuspendProgram Slurm starts no node"
        elif here and (wrong := _wrong_with(program)):
            yield f"slurm.conf has {option}={program}, which {wrong}"


def _is_here(host: str) -> bool:
    name = host.partition("(")[0].partition(".")[0]
    return name in (socket.gethostname().partition(".")[0], "localhost")


def _wrong_with(program: str) -> str:
    try:
        mode = Path(program.split()[0]).stat().st_mode
    except FileNotFoundError:
        return "is not there"
    except OSError:
        return ""  # not for us to see
    return "" if stat.S_ISREG(mode) and mode & 0o111 else "is not executable"


CHECK = Check(
    name="power-programs",
    area=Area.SETUP,
    says="ResumeProgram or SuspendProgram is not set, does not exist, or is not executable.",
    mends="Set both to the poke program of this package, on the machine of slurmctld (doc/slurm-decides.md).",
    find=lambda facts: findings(judge(facts.setup())),
    places=True,
)
