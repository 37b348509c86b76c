"""How far a return has come: names, and the jobs that the scheduler placed on them, are given back."""

from __future__ import annotations

from enum import StrEnum

from arvnodeman.fleet.values.moves import Move, Moves


class ReturnStage(StrEnum):
    """Where a return is, in words."""

    GIVE = "giving its jobs back to Slurm"
    CLOSE = "closing it in Slurm with its size"
    OPEN = "opening it in Slurm again"


GIVE, CLOSE, OPEN = ReturnStage

RETURN_MOVES = Moves(
    "A return of names, with the jobs placed on them,",
    [GIVE],
    [
        Move([GIVE], CLOSE, "the jobs are back in the queue, and no job may be placed on names of this size for now"),
        Move([GIVE], OPEN, "the jobs are back in the queue, and others may be placed there at once"),
    ],
)
