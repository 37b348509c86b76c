"""From which state a node may come into which, and why."""

from __future__ import annotations

from arvnodeman.fleet.values.model import NodeState
from arvnodeman.fleet.values.moves import Move, Moves

BOOTING, UNPAIRED, BUSY, IDLE, FAIL, RESERVED, DOWN, SHUTDOWN = NodeState

NODE_MOVES = Moves(
    "A node",
    [BOOTING, UNPAIRED],
    [
        Move([BOOTING, BUSY, IDLE, FAIL, RESERVED, DOWN], UNPAIRED, "a list shows it, and it has no record"),
        Move([UNPAIRED, BUSY, DOWN], BOOTING, "no list has shown it yet, and the scheduler has no work on it any more"),
        Move([BOOTING, UNPAIRED, IDLE, FAIL, RESERVED, DOWN], BUSY, "the scheduler says that it works"),
        Move([BOOTING, UNPAIRED, BUSY, FAIL, RESERVED, DOWN], IDLE, "the scheduler calls it free, and it reports"),
        Move([BOOTING, UNPAIRED, BUSY, IDLE, RESERVED, DOWN], FAIL, "the scheduler says that it has failed"),
        Move(
            [BOOTING, UNPAIRED, BUSY, IDLE, FAIL, DOWN], RESERVED, "somebody else works on it, or its state is unknown"
        ),
        Move([BOOTING, UNPAIRED, BUSY, IDLE, FAIL, RESERVED], DOWN, "found down often enough, or never paired in time"),
        Move([BOOTING, UNPAIRED, BUSY, IDLE, FAIL, RESERVED, DOWN], SHUTDOWN, "its shutdown has begun"),
        Move([SHUTDOWN], IDLE, "its shutdown was taken back, and it is paired"),
        Move([SHUTDOWN], UNPAIRED, "its shutdown was taken back, and it is not paired"),
        Move([SHUTDOWN], DOWN, "its shutdown failed, or the cloud lists it long after it was destroyed"),
    ],
)
