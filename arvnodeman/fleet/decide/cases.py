"""What a node that is neither plainly at work nor plainly idle is, at a node poll: it goes, it stays, it may go."""

from __future__ import annotations

from collections.abc import Callable

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stock import bin_of
from arvnodeman.fleet.messages import ResumeNode
from arvnodeman.fleet.nodes.eligible import eligible, undecided
from arvnodeman.fleet.nodes.node import (
    BUSY,
    HOLD,
    IDLE,
    NOT_UP,
    Basis,
    Node,
    drained_by_us,
)
from arvnodeman.fleet.plan.picture import Case, Going, IdleBin, Keep, Kept, Stop
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import Directive
from arvnodeman.fleet.values.reasons_of_use import KeptInVain, TakenBack
from arvnodeman.fleet.values.work import OUR_NOTICE, OUR_REBALANCE, OUR_SHUTDOWN


def resumed_now(state: State, node: Node) -> bool:
    """A resume of ours that comes late must not undo the drain of a shutdown."""
    chore = state.chores.get(node.chore) if node.chore is not None else None
    return chore is not None and isinstance(chore.last_step, ResumeNode)


def case_of(node: Node, basis: Basis, resumed: bool, pool: Callable[[Node], str]) -> Case | IdleBin:
    """Of the row alone, and of whether a drain of it is being taken back."""
    if node.destroyed_at is not None or node.shutdown is not None:
        return Going(node.id, _makes_room(node))
    told = node.cloud.directive is not None or (node.slurm is not None and node.slurm.state.drained)
    if node.state is BUSY and node.size is not None and not told:
        return _at_work(node, basis, pool)
    up = node.state not in NOT_UP
    if node.boot is not None or node.destroy_again_at > basis.t or resumed:
        until = node.destroy_again_at if node.destroy_again_at > basis.t else None
        return Keep(node.id, undecided(node, basis, until), up, told=False)
    if told:
        stop = _by_directive(node, basis) or adopted(node)
        if stop is not None:
            return stop
    if node.state is BUSY and node.size is not None:
        return Keep(node.id, eligible(node, basis), up, told=False)
    if node.state is IDLE and node.size is not None and node.grace_until is None and not node.has_failed:
        return bin_of(node)
    return _of_itself(node, basis, up)


def _makes_room(node: Node) -> bool:
    """It is going, and soon: not one whose work has to end first, nor one that is being taken back."""
    return node.shutdown is None or not (node.slurm_busy or node.shutdown.cancelling)


def _at_work(node: Node, basis: Basis, pool: Callable[[Node], str]) -> Case:
    """It works, or Slurm keeps it for a job: in vain for one which more nodes would not help, such as one that has to
    wait for the end of a maintenance. It is drained first, and the last look must find no job there."""
    in_grace = node.grace_until is not None
    slurm = node.slurm.state.said if node.slurm is not None else ""
    reason = eligible(node, basis) if in_grace else reasons.working(slurm)
    if node.use.kept_since is None or not node.use.kept(basis.t, basis.policy.use_within):
        return Keep(node.id, reason, told=False)
    if node.boot is not None or node.destroy_again_at > basis.t:
        return Keep(node.id, reason, told=False)
    if not basis.windows.is_open(node.start(basis), basis.cloud_now, basis.clock_margin):
        return Keep(node.id, reason, told=False)
    in_vain = KeptInVain(seconds=basis.t - node.use.kept_since)
    return Kept(node.id, in_vain, reason, node.price, pool(node))


def _by_directive(node: Node, basis: Basis) -> Stop | None:
    """Operators' words that a restart found in the tags."""
    if node.directive is Directive.KILL:
        return Stop(node.id, ShutdownKind.KILL)
    if node.directive is Directive.DRAIN and (basis.policy.slurm or node.state is not BUSY):
        drained = drained_by_us(node) is not None
        return Stop(node.id, ShutdownKind.OPERATOR, drained=drained, works=node.slurm_busy)
    return None


def adopted(node: Node) -> Stop | None:
    """Drained by us before a restart: its shutdown goes on. Or by itself, since the cloud takes it back."""
    kind = drained_by_us(node) if node.directive is not HOLD else None
    if kind in (None, OUR_REBALANCE):
        return None
    going = ShutdownKind.UNWANTED if kind == OUR_SHUTDOWN else ShutdownKind.REMOVAL
    return Stop(node.id, going, TakenBack() if kind == OUR_NOTICE else None, drained=True, works=node.slurm_busy)


def _of_itself(node: Node, basis: Basis, up: bool) -> Case:
    """What does not work, or is of no known size, goes."""
    reason = eligible(node, basis)
    if node.size is None and node.state is BUSY and basis.policy.slurm and node.directive is not HOLD:
        reason = reasons.SizeUnknown(tag=node.cloud.size_tag or "")  # drained at once
    if reason.goes:
        return Stop(node.id, ShutdownKind.REMOVAL, reason, works=node.slurm_busy)
    return Keep(node.id, reason, up)
