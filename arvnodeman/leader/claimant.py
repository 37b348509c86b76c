"""Who wants to lead, as the stores tell one process from another."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arvnodeman.supervision.one_writer import cluster_of

if TYPE_CHECKING:
    from arvnodeman.config import Settings

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


@dataclass(frozen=True, slots=True)
class Claimant:
    """One process. `name` is for people; `token` is no other process's, ever.

    `domain` is where its lock of one writer holds (supervision/one_writer.py): a boot of a kernel, in it a network
    namespace, in that the cluster and the state directory. Of two processes of one domain the earlier is dead once the
    later has that lock, so the later need not wait for the end of the other's lease. '' where it cannot be told, or
    where the state directory cannot be used: then it waits.
    """

    name: str
    domain: str = ""
    token: str = ""

    @classmethod
    def this_process(cls, name: str, settings: Settings) -> Claimant:
        """This one, which must hold its lock of one writer before it takes the lead."""
        return cls(name, _domain(settings), secrets.token_hex(16))

    def follows(self, domain: str) -> bool:
        """Is a holder of that domain dead, now that this process runs?"""
        return bool(self.domain) and self.domain == domain


def _domain(settings: Settings) -> str:
    folder = settings.daemon.state_dir
    if folder and not os.access(folder, os.W_OK | os.X_OK):
        return ""
    try:
        kernel = f"{_BOOT.read_text(encoding='ascii').strip()}:{_NETWORK.stat().st_ino}"
    except (OSError, ValueError):
        return ""
    return f"{kernel}:{cluster_of(settings)}:{folder}"
