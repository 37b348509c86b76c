"""Slurm's words for what a node does, and what each of them means: the one table.

They are what `sinfo --format=%t` prints, in small letters and without the flags behind them. Source: NODE STATE CODES
in sinfo(1) of Slurm 22.05, 24.11 and 26.05, and what these and 20.11 were seen to print (tests/unit/slurm/recorded).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from arvnodeman.fleet.values.work import NodeWork, WorkKind, WorkState

_FREE, _WORKING = WorkState(WorkKind.FREE, "idle"), WorkState(WorkKind.WORKING, "alloc")
_REBOOT = WorkState(WorkKind.TAKEN, "boot")  # also our word for one that is about to be rebooted
WORDS = {
    state.said: state
    for state in (
        _WORKING,
        WorkState(WorkKind.WORKING, "mix"),  # some of its CPUs
        WorkState(WorkKind.FINISHING, "comp"),
        WorkState(WorkKind.DRAINING, "drng", resumed=_WORKING),
        WorkState(WorkKind.FAILING, "failg"),
        WorkState(WorkKind.PLANNED, "plnd"),
        _FREE,
        WorkState(WorkKind.RESERVED, "resv"),
        WorkState(WorkKind.RESERVED, "maint"),
        WorkState(WorkKind.DRAINED, "drain", resumed=_FREE),
        WorkState(WorkKind.FAILED, "fail"),
        WorkState(WorkKind.UNFIT, "inval"),  # it registered with less than slurm.conf says
        WorkState(WorkKind.DOWN, "down"),
        WorkState(WorkKind.UNHEARD, "unk"),
        _REBOOT,
        WorkState(WorkKind.TAKEN, "futr"),
        WorkState(WorkKind.TAKEN, "npc"),
        WorkState(WorkKind.TAKEN, "block"),
        WorkState(WorkKind.TAKEN, "pow_up"),
        WorkState(WorkKind.TAKEN, "pow_dn"),
    )
}
"""Any other word is one of somebody's work on the node, as far as we can tell."""

FLAGS = {
    "*": "it does not answer",
    "~": "powered off",
    "#": "being powered up",
    "!": "to be powered down",
    "%": "being powered down",
    "$": "in a reservation for maintenance",
    "@": "a reboot is asked for",
    "^": "a reboot was issued",
    "-": "planned for a job",
}
_REBOOTS = ("@", "^")
_SHOWN = re.compile(r"([a-z_]+)([^a-z_\s]*)")


def state_of(word: str) -> WorkState:
    """What one of Slurm's words means: the same object for the same word, for those of the table."""
    return WORDS.get(word) or WorkState(WorkKind.TAKEN, word)


@lru_cache(maxsize=256)
def shown_state(text: str) -> tuple[WorkState, bool]:
    """What sinfo shows, `idle*`: the state, and is the node responding (no `*`)? One that does not work and for which a
    reboot is asked for or under way (`drain@`, `boot^`) is being rebooted. Raises ValueError."""
    match = _SHOWN.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"not a node state: {text!r}")
    word, flags = match.groups()
    found = state_of(word)
    if not found.busy and any(flag in flags for flag in _REBOOTS):
        found = _REBOOT
    return found, "*" not in flags


def node_work(
    name: str,
    word: str,
    responding: bool = True,
    weight: int = 0,
    features: Collection[str] = frozenset(),
    reason: str = "",
) -> NodeWork:
    """A node of which Slurm says this word."""
    return NodeWork(name, state_of(word), responding, weight, frozenset(features), reason)
