"""Which versions of Slurm this program was tried with, and what is said of another."""

from __future__ import annotations

import re

OLDEST, NEWEST = (22, 5), (26, 5)
_VERSION = re.compile(r"slurm\S*\s+(\d+)\.(\d+)")


def version_of(said: str) -> tuple[int, int] | None:
    """(22, 5) of what `--version` prints, such as `slurm-wlm 22.05.8`; None for anything else."""
    match = _VERSION.match(said)
    return (int(match[1]), int(match[2])) if match else None


def remark_on(said: str) -> str:
    """A line on a Slurm that gives this `--version`, where it is none of those that were tried; else ''."""
    version = version_of(said)
    if version is None:
        return f"Slurm does not say which version it is, but {' '.join(said.split())[:60]!r}: {_tried()}"
    if OLDEST <= version <= NEWEST:
        return ""
    age = "older" if version < OLDEST else "newer"
    return f"Slurm {_shown(version)} is {age} than those that this program was tried with: {_tried()}"


def _tried() -> str:
    return f"{_shown(OLDEST)} to {_shown(NEWEST)}; watch its first nodes"


def _shown(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]:02d}"
