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
    ASK = "asking whether it is still wanted"
    MARK = "marking its drain in Slurm as final"
    DESTROY = "destroying it"
    LOOK = "checking whether a failed destroy request worked"
    SET_DOWN = "setting it DOWN in Slurm"
    RELEASE = "giving its node record back"
    OPEN = "opening its name in Slurm again"
    UNDO = "resuming it in Slurm"


DRAIN, WAIT, ASK, MARK, DESTROY, LOOK, SET_DOWN, RELEASE, OPEN, UNDO = ShutdownStage

SHUTDOWN_MOVES = Moves(
    "A shutdown",
    [DRAIN],
    [
        Move([DRAIN], WAIT, "it is drained, or there is nothing to drain"),
        Move([WAIT], ASK, "the scheduler has just said that nothing runs on it: is it wanted after all?"),
        Move([WAIT, ASK], MARK, "nothing runs on it, and nobody wants it: from now on no manager resumes it"),
        Move([DRAIN], MARK, "an earlier manager has marked it"),
        Move([MARK], DESTROY, "it is marked, and nothing runs on it after that"),
        Move([WAIT, ASK], DESTROY, "the same, where there is no drain of ours to mark"),
        Move([ASK], WAIT, "the gate has closed, or its record says that it works: checked again"),
        Move([DRAIN, WAIT, MARK, UNDO, SET_DOWN], DESTROY, "operator kill; no request has been sent yet"),
        Move([WAIT, MARK], SET_DOWN, "it has disappeared without us: Slurm and its record are cleared"),
        Move([DRAIN, WAIT, ASK], UNDO, "it is wanted again, an operator took a directive back, or it still works"),
        Move([SET_DOWN], UNDO, "it seemed gone, is listed again, and has not been set DOWN yet"),
        Move([UNDO], WAIT, "it has disappeared while its shutdown was taken back"),
        Move([DESTROY], MARK, "the cloud throttles: what runs on it is checked again first"),
        Move([DESTROY], WAIT, "the same, where there is no drain of ours to mark"),
        Move([DESTROY], LOOK, "the request failed and may have worked: a list will show"),
        Move([DESTROY, LOOK], SET_DOWN, "the cloud has destroyed it"),
        Move([SET_DOWN], RELEASE, "the scheduler has been told, or need not be"),
        Move([RELEASE], OPEN, "the scheduler places jobs on names that are off: it may use this one again"),
    ],
)
