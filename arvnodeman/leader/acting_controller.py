"""Which slurmctld acts, as `scontrol show config` tells it: no command of Slurm's says it outright.

It answers only when some slurmctld acts, for one that stands by refuses; and it ends with which of them are up, in the
order of slurm.conf, as `scontrol ping` has it. The first of these is the one that commands reach. What ping calls
primary and backup is their place in slurm.conf, whoever acts, in the form of JSON too. So it is from 22.05 to 26.05.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PING = re.compile(r"^Slurmctld\([^)]*\) at (\S+) is (UP|DOWN)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Controllers:
    """The hosts of slurmctld, by their names in slurm.conf and in its order, and whether each answers."""

    answering: tuple[tuple[str, bool], ...]

    @property
    def acting(self) -> str | None:
        """The one that acts; None: none answers."""
        return next((host for host, up in self.answering if up), None)


def controllers_in(text: str) -> Controllers | None:
    """What an answer of `scontrol show config` or `scontrol ping` says; None: nothing."""
    found = _PING.findall(text)
    return Controllers(tuple((host, up == "UP") for host, up in found)) if found else None


def is_this_host(name: str, called: str) -> bool:
    """Does slurm.conf mean this host, which is called so, by this name? As slurmctld has it: letter by letter, with the
    domain or without it; `localhost` is whichever host reads it."""
    return name in (called, called.partition(".")[0], "localhost")
