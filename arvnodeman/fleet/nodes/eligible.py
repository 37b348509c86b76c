"""May a node be shut down, and why, or why not: the table of eligibility."""

from __future__ import annotations

from arvnodeman.fleet.nodes.node import (
    BOOTING,
    BUSY,
    FAIL,
    HOLD,
    IDLE,
    RESERVED,
    UNPAIRED,
    Basis,
    Node,
    drained_by_us,
    may_go_soon,
)
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_rungs import NotDelivered
from arvnodeman.fleet.values.reasons_of_use import MayGoSoon
from arvnodeman.fleet.values.work import OUR_DESTROY, OUR_LEASE, OUR_NOTICE


def resumable(node: Node) -> bool:
    """Is it drained by us, so that an operator's word may take that back? Not where the cloud takes it back, it has
    ended itself, or a destroy of it may be on the way."""
    return drained_by_us(node) not in (None, OUR_DESTROY, OUR_NOTICE, OUR_LEASE)


def eligible(node: Node, basis: Basis) -> Reason:
    """May it be shut down? The reason's `goes` says so; whether it is needed is not asked here."""
    if node.directive is HOLD:
        return reasons.Held(reason=node.cloud.directive.reason if node.cloud.directive else "")
    if node.grace_until is not None:
        return reasons.Plain(text="many nodes went down at once: it keeps its state for now", until=node.grace_until)
    if node.state is BUSY or node.slurm_busy:
        return reasons.working(node.slurm.state.said if node.slurm is not None else "")
    if node.state is BOOTING:
        return reasons.BOOTS
    if node.namesake is not None and node.namesake.state.busy:
        return reasons.MayWork(hostname=node.namesake.name, slurm=node.namesake.state.said)
    if node.has_failed and _protected(node, basis) is None:
        return reasons.CloudFailed(fault=node.cloud.fault)
    if node.undelivered and not node.been_up:
        return NotDelivered()
    if node.state is RESERVED and may_go_soon(node):
        return MayGoSoon()
    if node.state is RESERVED and (node.size is not None or node.slurm is None):
        return reasons.Plain(
            text=f"reserved: Slurm says {node.slurm.state.said}" if node.slurm else "its state is not known"
        )
    if (stale := _protected(node, basis)) is not None:
        return stale
    if node.size is None:
        return reasons.SizeUnknown(tag=node.cloud.size_tag or "")
    return reasons.HasFailed() if node.state is FAIL else _by_state(node, basis)


def undecided(node: Node, basis: Basis, until: float | None = None) -> Reason:
    """What it shows while nothing may be begun about it; `until`: for so long, in steady time."""
    cause = eligible(node, basis)
    return reasons.NotYet(until=until, cause=cause) if cause.goes else cause


def _protected(node: Node, basis: Basis) -> Reason | None:
    """A paired node with an old record may be working and only cut off, unless Slurm answers for it."""
    record = node.record
    if record is None or not basis.too_old(record.modified_at):
        return None
    if basis.heard and (node.slurm is None or node.slurm.state.vouched):
        return None
    return reasons.RecordStale(age=basis.ages.age_of(record.modified_at, basis.record_now))


def _by_state(node: Node, basis: Basis) -> Reason:
    """The table for idle, down and unpaired nodes."""
    if node.state is IDLE:
        needed = basis.policy.consecutive_idle_count
        if node.idle_polls < needed:
            return reasons.IdleWait(polls=node.idle_polls, needed=needed)
        if _window_open(node, basis):
            return reasons.IdleExceeded(polls=node.idle_polls)
        return reasons.WindowShut(until=_opens_at(node, basis))
    exceeded = node.boot_exceeded(basis) and (node.record is not None or basis.never_paired_known)
    boot_ends = basis.t + basis.policy.boot_fail_after - node.age(basis)
    if node.state is UNPAIRED:
        if exceeded:
            return node.lacks or reasons.NeverPaired(age=node.age(basis))
        return reasons.BootWait(until=boot_ends, lacks=node.lacks)
    if exceeded or _window_open(node, basis):
        return node.down_cause if node.down_cause is not None else reasons.IsDown(why="it is down")
    return reasons.BootWait(until=min(boot_ends, _opens_at(node, basis)), lacks=node.lacks)


def _window_open(node: Node, basis: Basis) -> bool:
    return basis.windows.is_open(node.start(basis), basis.cloud_now, basis.clock_margin)


def _opens_at(node: Node, basis: Basis) -> float:
    return basis.t + basis.windows.next_opening(node.start(basis), basis.cloud_now) - basis.cloud_now
