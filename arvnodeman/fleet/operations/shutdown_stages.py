"""How far a shutdown has come: the vocabulary of shutdown.py."""

from __future__ import annotations

from enum import StrEnum

from arvnodeman.fleet.values.model import ErrorKind
from arvnodeman.fleet.values.moves import Move, Moves

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
    OPEN = "opening its name in Slurm again"
    UNDO = "resuming it in Slurm"


DRAIN, WAIT, ASK, DESTROY, LOOK, SET_DOWN, RELEASE, OPEN, UNDO = ShutdownStage

SHUTDOWN_MOVES = Moves(
    "A shutdown",
    [DRAIN],
    [
        Move([DRAIN], WAIT, "it is drained, or there is nothing to drain"),
        Move([WAIT], ASK, "nothing runs on it, by the scheduler's word of this moment: is it wanted after all?"),
        Move([WAIT, ASK], DESTROY, "nothing runs on it, and nobody wants it"),
        Move([ASK], WAIT, "the gate is shut meanwhile, or its record says that it works: asked again"),
        Move([DRAIN, WAIT, UNDO, SET_DOWN], DESTROY, "operator kill; no request has left yet"),
        Move([WAIT], SET_DOWN, "it is gone without us: its traces are cleared"),
        Move([DRAIN, WAIT, ASK], UNDO, "it is wanted again, an operator took his word back, or it works on"),
        Move([SET_DOWN], UNDO, "it was called gone, turns up again, and DOWN has not been said"),
        Move([UNDO], WAIT, "it has vanished while it was taken back"),
        Move([DESTROY], WAIT, "the cloud was asked too much: everything is asked again first"),
        Move([DESTROY], LOOK, "the request failed and may have worked: a list tells"),
        Move([DESTROY, LOOK], SET_DOWN, "the cloud has destroyed it"),
        Move([SET_DOWN], RELEASE, "the scheduler has been told, or need not be"),
        Move([RELEASE], OPEN, "the scheduler places jobs on names that are off: it may do so on this one"),
    ],
)
