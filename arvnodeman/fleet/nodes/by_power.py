"""What a node poll makes of a node whose name the scheduler powers up and down: its word on the name comes first."""

from __future__ import annotations

from arvnodeman.fleet.nodes.node import (
    BOOTING,
    BUSY,
    DOWN,
    IDLE,
    RESERVED,
    UNPAIRED,
    Basis,
    Node,
    at_work_too_long,
    judge_unpaired,
    may_go_soon,
)
from arvnodeman.fleet.nodes.stamps import heard_after
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeState
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import FromBefore, PoweredOff
from arvnodeman.fleet.values.work import FREE, NodeWork, Power, WorkKind

TO_COME = (Power.WANTED, Power.STARTING)
CLOCKS_SURE = 5.0  # seconds: the difference of two clocks is known to 2, and each stamp has whole seconds


def is_from_before(node: Node, basis: Basis) -> bool:
    """Does the scheduler wait for a node of its name, while this one was up under it, or has the name no more?"""
    slurm = node.slurm or node.namesake
    if slurm is None or slurm.power not in TO_COME:
        return False
    return node.namesake is not None or node.been_up or _was_heard(node, basis)


def _was_heard(node: Node, basis: Basis) -> bool:
    """Has it been heard from since its start? What is known of its name may be of the node before it, and one clock
    tells of the start, another of the name: a node that this run has made is judged by what was seen, not by stamps."""
    if node.booted or node.record is None:
        return False
    seconds = heard_after(node.record, node.cloud, basis.record_now - basis.cloud_now)
    return seconds is not None and seconds >= CLOCKS_SURE


def judge_by_power(node: Node, basis: Basis) -> tuple[NodeState, Reason | None]:
    """What this node poll makes of a node, before any counting."""
    slurm = node.slurm
    if slurm is None:
        return _judge_without_name(node)
    if is_from_before(node, basis):
        return DOWN, FromBefore(hostname=slurm.name)
    if slurm.is_off:
        return DOWN, PoweredOff(said=slurm.state.said)
    if slurm.power in TO_COME:
        if slurm.state.kind is not WorkKind.UNHEARD:
            return DOWN, _is_down(slurm)
        return judge_unpaired(node, basis)
    if slurm.state.busy:
        return BUSY, None
    if node.record is None and not node.been_up:
        return judge_unpaired(node, basis)
    return _judge_up(node, slurm, basis)


def _judge_without_name(node: Node) -> tuple[NodeState, Reason | None]:
    """The scheduler shows no name that is this node's: of one that is another's it tells nothing."""
    if not node.listed:
        return BOOTING, None
    if node.namesake is not None:
        return DOWN, FromBefore(hostname=node.namesake.name)
    return (UNPAIRED if node.record is None else RESERVED), None


def _judge_up(node: Node, slurm: NodeWork, basis: Basis) -> tuple[NodeState, Reason | None]:
    """It has registered, and does no work."""
    kind = slurm.state.kind
    if kind is FREE:
        return IDLE, None
    ours = slurm.drain is not None and (not may_go_soon(node) or at_work_too_long(node, basis.policy, basis.t))
    if kind is WorkKind.UNFIT or (kind in (WorkKind.DOWN, WorkKind.DRAINED) and ours):
        return DOWN, _is_down(slurm)
    if kind is WorkKind.DOWN and not slurm.responding:
        return DOWN, _is_down(slurm)
    return RESERVED, None


def _is_down(slurm: NodeWork) -> Reason:
    return reasons.IsDown(why=f"Slurm says {slurm.state.said}" + (f" ({slurm.reason})" if slurm.reason else ""))
