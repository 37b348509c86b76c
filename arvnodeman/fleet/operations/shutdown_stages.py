"""How far a shutdown has come: the vocabulary of shutdown.py."""

from __future__ import annotations

from enum import StrEnum

from arvnodeman.fleet.values.model import ErrorKind

MAY_HAVE_WORKED = frozenset({ErrorKind.TRANSIENT, ErrorKind.UNEXPECTED, ErrorKind.GONE})  # a list tells (row E11)
MANY = 8  # shutdowns under way
RESUMED_AFTER = 2  # looks in a row that find a drained node undrained: somebody resumed it


class ShutdownStage(StrEnum):
    """Where a shutdown is, in words."""

    DRAIN = "draining it in Slurm"
    WAIT = "waiting for its work to end"
    ASK = "asking whether it is wanted still"
    DESTROY = "destroying it"
    LOOK = "looking whether a failed destroy request worked"
    SET_DOWN = "setting it DOWN in Slurm"
    RELEASE = "giving its node record back"
    UNDO = "resuming it in Slurm"
