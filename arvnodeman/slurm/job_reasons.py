"""Slurm's reasons for a job that waits, and what each of them means.

They are what `squeue --format=%r` prints: the names of JOB REASON CODES in squeue(1), or a sentence in their place.
"""

from __future__ import annotations

import re

from arvnodeman.fleet.values.work import WaitKind

CONSTRAINTS = "BadConstraints"
"""No node that is up is as the job asks. Slurm may mend it by itself when one comes up."""
WAITS_FOR_NODES = ("Resources", "ReqNodeNotAvail", "Priority", CONSTRAINTS, "Nodes required for job are")
"""A job waits for nodes when its reason contains one of these (rows F13, F14), as words of their own: a burst buffer
that waits for `BurstBufferResources` is no want of nodes."""
MAINTENANCE = "Reserved for maintenance"
"""... unless it contains this: more nodes would not help."""
ARRAY_LIMIT = "JobArrayTaskLimit"
ALWAYS_SAID = ("Dependency", "BeginTime", "JobHeld", ARRAY_LIMIT, "Cleaning", "DependencyNeverSatisfied")
"""How the reasons begin that Slurm gives also while every node is off. Any other of those for which nodes do not help
comes only when a node is up: it tells that a node was booted in vain."""
_NOT_THOUGHT_OF = ("None", "")
_OF_ONE_PARTITION = "Partition"
"""How the reasons begin that tell of a partition's limits or its state."""
_OF_RESERVATIONS = ("reserv", "maint")
_WAITS = re.compile(rf"\b(?:{'|'.join(WAITS_FOR_NODES)})\b")


def waits_for_nodes(reason: str) -> bool:
    """Would more nodes help a job that waits for this reason?"""
    return MAINTENANCE not in reason and _WAITS.search(reason) is not None


def wait_kind(reason: str) -> WaitKind:
    """What a reason means."""
    if reason in _NOT_THOUGHT_OF:
        return WaitKind.NOT_SAID
    if waits_for_nodes(reason):
        return WaitKind.CONSTRAINTS if reason.startswith(CONSTRAINTS) else WaitKind.NODES
    lowered = reason.lower()
    return WaitKind.RESERVATION if any(word in lowered for word in _OF_RESERVATIONS) else WaitKind.RULES


def kind_of_several(reason: str, kind: WaitKind) -> WaitKind:
    """... and what it means where the job may run in several partitions. Slurm shows what it found in the one that it
    looked at last, for good or by turns: `PartitionNodeLimit` of a job that the other partition has nodes for as soon
    as they are up, or `None`. So none of these is a rule that binds the job; if all partitions refuse it, its nodes
    come in vain, and that is remembered."""
    told_of_one = kind is WaitKind.NOT_SAID or reason.startswith(_OF_ONE_PARTITION)
    return WaitKind.NODES if told_of_one else kind
