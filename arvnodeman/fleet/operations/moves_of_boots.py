"""How far a boot has come, and from where to where it may go."""

from __future__ import annotations

from enum import StrEnum

from arvnodeman.fleet.values.moves import Move, Moves


class BootStage(StrEnum):
    """Where a boot is, in words."""

    PREPARE = "taking a node record"
    DESCRIBE = "telling Slurm its feature"
    READY = "waiting for fresh lists and room"
    CREATE = "waiting for the cloud"
    FIND = "checking whether a failed create request worked"
    UNREAD = "the cloud's answer cannot be read: waiting for a list to show what it has made"
    FINISH = "last touches"
    RELEASE = "giving the node record back"


PREPARE, DESCRIBE, READY, CREATE, FIND, UNREAD, FINISH, RELEASE = BootStage

BOOT_MOVES = Moves(
    "A boot",
    [PREPARE],
    [
        Move([PREPARE], DESCRIBE, "it has a record with a name"),
        Move([PREPARE, DESCRIBE], READY, "the scheduler has been told, or need not be, or cannot be: it is told later"),
        Move([READY], PREPARE, "another rung than its record says is next: that is written first"),
        Move([READY], CREATE, "the gate is open, and there is room under the limits"),
        Move([CREATE], FIND, "the request failed and may have worked, or its answer cannot be read"),
        Move([READY], FIND, "an earlier run may have asked the cloud already"),
        Move([CREATE, FIND], READY, "there is no node, and the cloud is asked again"),
        Move([FIND], UNREAD, "an answer that cannot be read may have said yes: no second request"),
        Move([CREATE, FIND], FINISH, "the cloud has made the node, or has it"),
        Move([PREPARE, READY, UNREAD], FINISH, "a list shows the node after all"),
        Move([PREPARE, DESCRIBE, READY], RELEASE, "nobody needs the node any more, or a limit stops it"),
        Move([CREATE, FIND], RELEASE, "the cloud refuses, or the attempts are used up"),
        Move([UNREAD], RELEASE, "no list has shown a node for boot_fail_after"),
    ],
)
