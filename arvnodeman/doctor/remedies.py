"""What `doctor --fix` can do: no more than these."""

from __future__ import annotations

import stat
from pathlib import Path

from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure
from arvnodeman.slurm.keeping import NamesInSlurm


class Remedies:
    """Each method does one thing, and raises RemoteFailure where that is refused."""

    def __init__(self, slurm: NamesInSlurm) -> None:
        self._slurm = slurm

    def resume(self, name: str) -> None:
        """State=RESUME."""
        self._slurm.resume(name)

    def close_to_others(self, path: str) -> None:
        """Take away what all but the owner and the group may do with a file."""
        try:
            mode = Path(path).stat().st_mode
            Path(path).chmod(stat.S_IMODE(mode) & ~stat.S_IRWXO)
        except OSError as error:
            raise RemoteFailure(RemoteError(ErrorKind.REFUSED, f"{path}: {error.strerror}")) from None
