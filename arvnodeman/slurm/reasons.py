"""A node's reason, as Slurm keeps it, and what of it counts now.

Slurm 24.11 keeps the reason of a drain after the resume, for good; 22.05 and 26.05 take it away. And what befalls a
node later is added behind the reason that is there, whether that still counts or not: `Node Manager shutdown (i-1) :
Not responding` (24.11, 26.05), `new kernel : reboot issued` (all). State=DOWN and State=DRAIN with a reason replace it.
"""

from __future__ import annotations

from arvnodeman.fleet.nodes.node import OURS

_ADDED = " : "
CLOSED = frozenset({"drain", "drng", "fail", "failg"})
"""How sinfo calls nodes whose reason is that of a drain, or of a fail, whatever befell them later."""
WELL = frozenset({"idle", "alloc", "mix", "comp", "plnd", "resv", "maint"})
"""... and those that have none: what is shown is of the past."""


def of_word(reason: str, word: str) -> str:
    """What counts of a node's reason, given sinfo's word for its state, without flags; '' for none."""
    if word in WELL:
        return ""
    return counted(reason, closed=word in CLOSED) if word in CLOSED or word == "down" else reason


def counted(reason: str, *, closed: bool) -> str:
    """What counts of the reason of a node that is drained or failed (closed), or is down without that.

    Of one of ours what Slurm has added is no part. If the node is down without a drain, ours is of the past as soon as
    something is added: what we set DOWN is down already, and nothing is added there."""
    own, added, later = reason.partition(_ADDED)
    if not (added and reason.startswith(OURS)):
        return reason
    return own if closed else later
