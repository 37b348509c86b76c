"""What a node is at a node poll, where the scheduler powers its name up and down: it goes, it stays, it may go."""

from __future__ import annotations

from arvnodeman.fleet.decide.stock import bin_of
from arvnodeman.fleet.nodes.eligible import eligible, undecided
from arvnodeman.fleet.nodes.node import BUSY, DOWN, HOLD, IDLE, NOT_UP, RESERVED, Basis, Node
from arvnodeman.fleet.plan.picture import Case, Going, IdleBin, Keep, Stop
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import Directive
from arvnodeman.fleet.values.reasons_of_placing import InHands, NotListed, PoweredOff
from arvnodeman.fleet.values.reasons_of_rungs import NotDelivered
from arvnodeman.fleet.values.work import Power


def case_by_power(node: Node, basis: Basis) -> Case | IdleBin:
    """Of the row alone. What is powered down goes; what is up goes for being idle; else somebody has a hand on it."""
    if node.destroyed_at is not None or node.shutdown is not None:
        return Going(node.id, node.shutdown is None or not node.slurm_busy)
    up = node.state not in NOT_UP
    if node.boot is not None or node.destroy_again_at > basis.t:
        until = node.destroy_again_at if node.destroy_again_at > basis.t else None
        return Keep(node.id, undecided(node, basis, until), up, told=False)
    if node.directive is HOLD and node.state is not IDLE:
        return Keep(node.id, eligible(node, basis), up)
    if node.directive in (Directive.KILL, Directive.DRAIN):
        kind = ShutdownKind.KILL if node.directive is Directive.KILL else ShutdownKind.OPERATOR
        return Stop(node.id, kind, works=node.slurm_busy)
    return _by_word(node, basis, up)


def _by_word(node: Node, basis: Basis, up: bool) -> Case | IdleBin:
    slurm = node.slurm
    if slurm is None and node.namesake is None:
        return Keep(node.id, NotListed(hostname=node.hostname or ""), up)
    if slurm is not None and slurm.power is Power.GOING:
        return Stop(node.id, ShutdownKind.REMOVAL, PoweredOff(said=slurm.state.said))
    if node.state is DOWN and node.grace_until is None:
        return Stop(node.id, ShutdownKind.REMOVAL, node.down_cause or reasons.IsDown(why="it is down"))
    if node.state is BUSY:
        return Keep(node.id, reasons.working(slurm.state.said if slurm is not None else ""), up, told=False)
    if node.has_failed:
        return Stop(node.id, ShutdownKind.REMOVAL, reasons.CloudFailed(fault=node.cloud.fault))
    if node.undelivered and not node.been_up:
        return Stop(node.id, ShutdownKind.REMOVAL, NotDelivered())
    if node.state is IDLE and node.size is not None and node.grace_until is None:
        return bin_of(node)
    if node.state is RESERVED and slurm is not None:
        return Keep(node.id, InHands(said=slurm.state.said, reason=slurm.reason), up)
    reason = eligible(node, basis)
    return Stop(node.id, ShutdownKind.REMOVAL, reason) if reason.goes else Keep(node.id, reason, up)
