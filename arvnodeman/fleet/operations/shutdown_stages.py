"""Why a node goes, and how far its shutdown has come: the vocabulary of shutdown.py."""

from __future__ import annotations

from enum import StrEnum

from arvnodeman.fleet.values.model import ErrorKind

MAY_HAVE_WORKED = frozenset({ErrorKind.TRANSIENT, ErrorKind.UNEXPECTED, ErrorKind.GONE})  # a list tells (row E11)
MANY = 8  # shutdowns under way
RESUMED_AFTER = 2  # looks in a row that find a drained node undrained: somebody resumed it


class Kind(StrEnum):
    """Why a node goes, which decides what can stop it."""

    UNWANTED = "unwanted"  # cancelled as soon as it is wanted
    REMOVAL = "removal"  # unpaired, down, fail, of no known size: never cancelled for want
    OPERATOR = "operator"  # an operator's drain: ended by run
    KILL = "kill"  # an operator's kill: now
    GONE = "gone"  # not at the cloud any more, or stopped there: only the traces are cleared


class Stage(StrEnum):
    """Where a shutdown is, in words."""

    DRAIN = "draining it in Slurm"
    WAIT = "waiting for its work to end"
    DESTROY = "destroying it"
    LOOK = "looking whether a failed destroy request worked"
    SET_DOWN = "setting it DOWN in Slurm"
    RELEASE = "giving its node record back"
    UNDO = "resuming it in Slurm"
