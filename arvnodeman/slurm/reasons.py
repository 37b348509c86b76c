"""A node's reason, as Slurm keeps it, and what of it counts now.

Slurm 24.11 keeps the reason of a drain after the resume, for good; 22.05 and 26.05 take it away. And what befalls a
node later is added behind the reason that is there, whether that still counts or not: `Node Manager shutdown (i-1) :
Not responding` (24.11, 26.05), `new kernel : reboot issued` (all). State=DOWN and State=DRAIN with a reason replace it.
"""

from __future__ import annotations

from arvnodeman.fleet.values.work import OURS, WorkKind

_ADDED = " : "
_CLOSED = frozenset({WorkKind.DRAINED, WorkKind.DRAINING, WorkKind.FAILED, WorkKind.FAILING})
"""Nodes whose reason is that of a drain, or of a fail, whatever befell them later."""
_WELL = frozenset({WorkKind.FREE, WorkKind.WORKING, WorkKind.FINISHING, WorkKind.PLANNED, WorkKind.RESERVED})
"""... and those that have none: what is shown is of the past."""


def reason_now(reason: str, kind: WorkKind) -> str:
    """The part of the reason that counts for a node of this kind now; '' for none."""
    if not reason or kind in _WELL:
        return ""
    closed = kind in _CLOSED
    return counted(reason, closed=closed) if closed or kind is WorkKind.DOWN else reason


def counted(reason: str, *, closed: bool) -> str:
    """What counts of the reason of a node that is drained or failed (closed), or is down without that.

    What Slurm has added to one of ours is not part of it. If the node is down without a drain, ours is of the past
    as soon as something is added: what we set DOWN is down already, and nothing is added there."""
    own, added, later = reason.partition(_ADDED)
    if not (added and reason.startswith(OURS)):
        return reason
    return own if closed else later
