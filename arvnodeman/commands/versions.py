"""What `--version` says: of this program, and of what a report of a fault needs beside."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from arvnodeman.version import __version__

PATIENCE = 5.0  # seconds for Slurm's command, which asks no slurmctld
LIBRARIES = {"libcloud": "apache-libcloud", "Arvados SDK": "arvados-python-client", "pykka": "Pykka"}


def told(program: str) -> str:
    """A line for each: the program first, as ever."""
    lines = [f"{program} {__version__}", f"Python {platform.python_version()}"]
    lines += [f"{name} {_version(package)}" for name, package in LIBRARIES.items()]
    return "\n".join([*lines, f"Slurm {_slurm()}"])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _slurm() -> str:
    """The version of the commands that the daemon would run. They do not tell it where they find no slurm.conf."""
    try:
        said = subprocess.run(
            ["squeue", "--version"], capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace"
        )
    except FileNotFoundError:
        return "not found: no squeue on PATH"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not known: squeue --version: {error}"
    words, errors = said.stdout.split(), said.stderr.strip().splitlines() or ["it says nothing"]
    return words[-1] if said.returncode == 0 and words else f"not known: squeue --version: {errors[-1]}"
