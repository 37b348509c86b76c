"""Whether this manager leads, where there may be others: as a value that the brain is told."""

from __future__ import annotations

from enum import StrEnum


class LeaderBackend(StrEnum):
    """Who says which manager acts."""

    HOST = "host"  # this host's kernel: there is no other host
    SLURM = "slurm"
    POSTGRESQL = "postgresql"
    ZOOKEEPER = "zookeeper"
