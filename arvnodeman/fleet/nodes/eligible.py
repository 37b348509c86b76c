"""May a node be shut down, and why, or why not: the table of eligibility."""

from __future__ import annotations

from arvnodeman.fleet.nodes.node import BOOTING, BUSY, FAIL, HOLD, IDLE, RESERVED, UNPAIRED, Node, Sight
from arvnodeman.fleet.values import causes
from arvnodeman.fleet.values.causes import Cause


def eligible(node: Node, sight: Sight) -> Cause:
    """May it be shut down? The cause's `goes` says so; whether it is needed is not asked here."""
    if node.word is HOLD:
        return causes.Held(reason=node.cloud.word.reason if node.cloud.word else "")
    if node.shield_until is not None:
        return causes.Plain(text="many nodes turned down at once: it keeps its state for now", until=node.shield_until)
    if node.state is BUSY or node.slurm_busy:
        return causes.working(node.slurm.state.said if node.slurm is not None else "")
    if node.state is BOOTING:
        return causes.BOOTS
    if node.namesake is not None and node.namesake.state.kind.busy:
        return causes.MayWork(hostname=node.namesake.name, slurm=node.namesake.state.said)
    if node.has_failed and _protected(node, sight) is None:
        return causes.CloudFailed(fault=node.cloud.fault)
    if node.state is RESERVED and (node.size is not None or node.slurm is None):
        return causes.Plain(
            text=f"reserved: Slurm says {node.slurm.state.said}" if node.slurm else "its state is not known"
        )
    if (stale := _protected(node, sight)) is not None:
        return stale
    if node.size is None:
        return causes.SizeUnknown(tag=node.cloud.size_tag or "")
    return causes.HasFailed() if node.state is FAIL else _by_state(node, sight)


def undecided(node: Node, sight: Sight, until: float | None = None) -> Cause:
    """What it shows while nothing may be begun about it; `until`: for so long, in steady time."""
    cause = eligible(node, sight)
    return causes.NotYet(until=until, cause=cause) if cause.goes else cause


def _protected(node: Node, sight: Sight) -> Cause | None:
    """A paired node with an old record may be working and only cut off, unless Slurm answers for it."""
    record = node.record
    if record is None or not sight.too_old(record.modified_at):
        return None
    if sight.heard and (node.slurm is None or node.slurm.state.kind.vouched):
        return None
    return causes.RecordStale(age=sight.ages.age_of(record.modified_at, sight.record_now))


def _by_state(node: Node, sight: Sight) -> Cause:
    """The table for idle, down and unpaired nodes."""
    if node.state is IDLE:
        needed = sight.policy.consecutive_idle_count
        if node.idle_polls < needed:
            return causes.IdleWait(polls=node.idle_polls, needed=needed)
        if _window_open(node, sight):
            return causes.IdleExceeded(polls=node.idle_polls)
        return causes.WindowShut(until=_opens_at(node, sight))
    exceeded = node.boot_exceeded(sight) and (node.record is not None or sight.never_paired_known)
    boot_ends = sight.t + sight.policy.boot_fail_after - node.age(sight)
    if node.state is UNPAIRED:
        if exceeded:
            return causes.NoAddress() if node.lacks_address else causes.NeverPaired(age=node.age(sight))
        return causes.BootWait(until=boot_ends, lacks_address=node.lacks_address)
    if exceeded or _window_open(node, sight):
        return node.down_cause if node.down_cause is not None else causes.IsDown(why="it is down")
    return causes.BootWait(until=min(boot_ends, _opens_at(node, sight)), lacks_address=node.lacks_address)


def _window_open(node: Node, sight: Sight) -> bool:
    return sight.windows.is_open(node.start(sight), sight.cloud_now, sight.clock_margin)


def _opens_at(node: Node, sight: Sight) -> float:
    return sight.t + sight.windows.next_opening(node.start(sight), sight.cloud_now) - sight.cloud_now
