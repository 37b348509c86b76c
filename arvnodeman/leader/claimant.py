"""Who wants to lead, as the stores tell one process from another."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NETWORK = Path("/proc/self/ns/net")


@dataclass(frozen=True, slots=True)
class Claimant:
    """One process. `name` is for people; `token` is no other process's, ever.

    `domain` is where its lock of one writer holds (supervision/one_writer.py): a boot of a kernel, in it a network
    namespace, in that the lock's name. Of two processes of one domain the earlier is dead once the later has that
    lock, so the later need not wait for the end of the other's lease. '' where it cannot be told: then it waits.
    """

    name: str
    domain: str = ""
    token: str = ""

    @classmethod
    def this_process(cls, name: str, lock: str) -> Claimant:
        """This one, which must hold the lock of one writer of this name before it takes the lead."""
        domain = _domain()
        return cls(name, f"{domain}:{lock}" if domain else "", secrets.token_hex(16))

    def follows(self, domain: str) -> bool:
        """Is a holder of that domain dead, now that this process runs?"""
        return bool(self.domain) and self.domain == domain


def _domain() -> str:
    try:
        return f"{_BOOT.read_text(encoding='ascii').strip()}:{_NETWORK.stat().st_ino}"
    except (OSError, ValueError):
        return ""
