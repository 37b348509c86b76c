"""What `State=` of a node declared CLOUD means: one table for the words of Slurm's power saving, beside words.py.

`scontrol show node` has a base and flags, with plus signs between; sinfo shows one flag only, and none of power for a
node under maintenance. POWERED_DOWN, POWERING_UP, POWERING_DOWN and POWER_DOWN are held against each other first; a
node without any of them is as any other.
"""

from __future__ import annotations

from collections.abc import Callable

from arvnodeman.fleet.values.work import OURS, NodeWork, Power, WorkKind, WorkState
from arvnodeman.slurm.reasons import counted
from arvnodeman.slurm.show import WORKING, ShownNode
from arvnodeman.slurm.words import state_of

GAVE_UP = "ResumeTimeout reached"
"""Slurm's own reason for a name that is down, where nobody came in time."""
UNHEARD = "Not responding"
"""... and where a node has ended before Slurm powered it down. Behind a reason that there is it comes after a colon."""
_ORDINARY = frozenset({"CLOUD", "DYNAMIC_NORM", "NOT_RESPONDING", "RESERVED", "PLANNED", "COMPLETING", "DRAIN"})
_POWER = frozenset({"POWERED_DOWN", "POWERING_UP", "POWERING_DOWN", "POWER_DOWN", "POWER_UP", "POWER_DRAIN"})
_REBOOTS = frozenset({"REBOOT_REQUESTED", "REBOOT_ISSUED", "REBOOT_CANCELED"})
_KNOWN = _ORDINARY | _POWER | _REBOOTS | {"MAINTENANCE", "FAIL", "INVALID_REG"}
_BASES = frozenset({"IDLE", "DOWN", "ALLOCATED", "MIXED", "UNKNOWN"})

_OFF = WorkState(WorkKind.OFF, "idle~")
_CLOSED = WorkState(WorkKind.DRAINED, "drain~", resumed=_OFF)
_DOWN, _GIVEN_UP = WorkState(WorkKind.DOWN, "down~"), WorkState(WorkKind.UNHEARD, "down~")
_RESERVED, _FAILED, _TAKEN = (
    WorkState(WorkKind.RESERVED, "maint~"),
    WorkState(WorkKind.FAILED, "fail~"),
    WorkState(WorkKind.TAKEN, "boot~"),
)
_WANTED, _WANTED_FOR_JOB = WorkState(WorkKind.UNHEARD, "idle~"), WorkState(WorkKind.UNHEARD, "mix~")
_STARTING, _STARTING_FOR_JOB = WorkState(WorkKind.UNHEARD, "idle#"), WorkState(WorkKind.UNHEARD, "mix#")
_STARTING_CLOSED, _STARTING_DOWN = WorkState(WorkKind.DRAINED, "drain#"), WorkState(WorkKind.DOWN, "down#")
_LEAVING, _LEAVING_WITH_JOB = WorkState(WorkKind.DRAINING, "idle!"), WorkState(WorkKind.DRAINING, "mix!")
_LEAVING_AT_LAST = WorkState(WorkKind.FINISHING, "comp!")
_GOING = WorkState(WorkKind.DRAINED, "idle%")
Meaning = tuple[WorkState, Power]


def work_of(node: ShownNode) -> NodeWork:
    """What a node does, and how far its power is."""
    state, power = _meaning(node)
    # a node that is on its way down is no worse for it to Slurm, and we want to know who asked
    reason = counted(node.said, closed=True) if power in (Power.LEAVING, Power.GOING) else node.reason
    return NodeWork(node.name, state, node.responds, node.weight, node.features, reason, power, node.works)


def _meaning(node: ShownNode) -> Meaning:
    for flag, meaning in _BY_FLAG:
        if flag in node.flags:
            return meaning(node)
    return state_of(_word(node)), Power.ON


def _going(node: ShownNode) -> Meaning:
    # it has not been seen with a job; as a machine is destroyed for this word, that is checked
    return (_LEAVING_WITH_JOB, Power.LEAVING) if node.works else (_GOING, Power.GOING)


def _starting(node: ShownNode) -> Meaning:
    if node.base == "DOWN":
        return _STARTING_DOWN, Power.STARTING
    if node.works:  # also where it is to go again after that: the job that is placed there has a right to it
        return _STARTING_FOR_JOB, Power.STARTING
    closed = not node.flags.isdisjoint({"DRAIN", "POWER_DOWN"})
    return _STARTING_CLOSED if closed else _STARTING, Power.STARTING


def _off(node: ShownNode) -> Meaning:
    if node.works:
        return _WANTED_FOR_JOB, Power.WANTED
    if "POWER_DOWN" in node.flags:
        return _LEAVING, Power.LEAVING
    if "DRAIN" in node.flags:
        return _CLOSED, Power.OFF
    if node.base == "DOWN":
        return _GIVEN_UP if is_given_up(node) else _DOWN, Power.OFF
    if "MAINTENANCE" in node.flags:
        return _RESERVED, Power.OFF
    if "FAIL" in node.flags:
        return _FAILED, Power.OFF
    if node.base not in _BASES or not node.flags <= _KNOWN or not node.flags.isdisjoint(_REBOOTS):
        return _TAKEN, Power.OFF
    return (_WANTED, Power.WANTED) if "POWER_UP" in node.flags else (_OFF, Power.OFF)


def is_given_up(node: ShownNode) -> bool:
    """Of one that is off, and down without a drain: is it so by Slurm's own doing, and nobody else's? The drain of one
    that we had powered down ends when it does power down; what Slurm has added to our reason is of its node."""
    added = node.said.startswith(OURS) and node.reason != node.said
    return added or node.reason.endswith(GAVE_UP) or node.reason == UNHEARD


def _leaving(node: ShownNode) -> Meaning:
    if "COMPLETING" in node.flags and node.base not in WORKING:  # it stays so where the machine is gone
        return _LEAVING_AT_LAST, Power.LEAVING
    return _LEAVING_WITH_JOB if node.works else _LEAVING, Power.LEAVING


_BY_FLAG: tuple[tuple[str, Callable[[ShownNode], Meaning]], ...] = (
    ("POWERING_DOWN", _going),
    ("POWERING_UP", _starting),
    ("POWERED_DOWN", _off),
    ("POWER_DOWN", _leaving),
)
"""The first that a node has counts."""


def _word(node: ShownNode) -> str:
    """What sinfo would say of a node that is up or was; a word of ours for a flag that we do not know."""
    flags = node.flags
    strange = sorted(flags - _KNOWN)
    if strange:
        return strange[0].lower()
    if "INVALID_REG" in flags:
        return "inval"
    if "FAIL" in flags:
        return "failg" if node.works else "fail"
    if not flags.isdisjoint(_REBOOTS) and not node.works:
        return "boot"
    if "DRAIN" in flags:
        return "drng" if node.works else "drain"
    if node.base == "DOWN":
        return "down"
    if node.base in _WORKING_WORDS:
        return _WORKING_WORDS[node.base]
    if "COMPLETING" in flags:
        return "comp"
    for flag, word in (("MAINTENANCE", "maint"), ("PLANNED", "plnd"), ("RESERVED", "resv")):
        if flag in flags:
            return word
    return _OTHER_WORDS.get(node.base, node.base.lower())


_WORKING_WORDS = {"ALLOCATED": "alloc", "MIXED": "mix"}
_OTHER_WORDS = {"IDLE": "idle", "UNKNOWN": "unk", "FUTURE": "futr", "ERROR": "error"}
