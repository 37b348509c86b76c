"""Which rows are quiet: nothing can happen to them before one of their entries changes or a known time comes.

Those are nodes that work, idle nodes that waiting jobs want, and nodes whose shutdown waits for an answer or a moment.
No pass looks at a quiet row: it counts by what it was when it came to rest. It is awake again when its entry in the
cloud's list, its record or the scheduler's word is another one or gone (`Roster.take_cloud`, `take_records`); when an
operation, an operator or the plan touches it (`State.touch`); when what concerns all rows changes: options, sizes,
whether the scheduler answers, for idle ones the gate; and when its alarm rings, since its pings or its record are about
to be old. A row that is woken without need is judged, and rests again: whoever is in doubt wakes it.
"""

from __future__ import annotations

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.upkeep import has_all
from arvnodeman.fleet.nodes.node import BUSY, IDLE, SHUTDOWN, Node
from arvnodeman.fleet.nodes.use import LEAST_POLLS
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeRecord
from arvnodeman.fleet.values.work import FREE, NodeWork, WorkKind

WORKS_ON = frozenset({WorkKind.WORKING, WorkKind.FINISHING})  # work that nothing is about to end
EARLY = 1.0  # seconds before a stamp is old


def ring(state: State) -> None:
    """A node poll has come: rows whose stamps have become old are awake."""
    for node in state.alarms.due(state.record_now):
        if node.quiet is None:
            continue
        until = _fresh_until(state, node)
        if until > state.record_now:
            state.alarms.set(node, until)  # newer ones have come since
        else:
            state.roster.wake(node)


def let_rest(state: State) -> None:
    """A node poll has been decided on. A row that has changed since the last one may change again: where all rows do,
    each coming to rest would only be work."""
    roster = state.roster
    roster.round += 1
    if roster.slurm is None or state.table is None or not roster.index.one_for_each_host:
        return
    for node in roster.awake():
        if node.woken < roster.round - 1 and _is_steady(state, node):
            until = _fresh_until(state, node)
            if until > state.record_now:
                roster.rest(node)
                state.touched.add(node.id)  # it is shown as it is now
                state.alarms.set(node, until)


def _fresh_until(state: State, node: Node) -> float:
    """When its last ping, or its record, is old, in the record keeper's time."""
    record = node.record
    if record is None:
        return 0.0
    oldest = min(record.last_ping_at or 0.0, record.modified_at or 0.0)
    return oldest + state.policy.node_stale_after - EARLY


def _is_steady(state: State, node: Node) -> bool:
    """It works, a job wants it, or it is going; it answers, and nobody is about to do something to it."""
    slurm, record = node.slurm, node.record
    return (
        slurm is not None
        and record is not None
        and slurm.responding
        and _is_settled(state, node, record, slurm)
        and _is_at_rest(node)
        and _is_as_listed(node)
        and not _is_in_hand(node)
        and node.id not in state.resumed
        and state.roster.records.get(record.uuid) is record
        and state.roster.paired.get(record.uuid) is node
        and record.instance_id == node.cloud.report_id
    )


def _is_settled(state: State, node: Node, record: NodeRecord, slurm: NodeWork) -> bool:
    """One that is going is told nothing any more; the others are what they should be everywhere."""
    if node.shutdown is not None:
        return node.state is SHUTDOWN
    if node.state is BUSY:
        return _works_on(node, slurm) and has_all(state, node, record)
    return node.state is IDLE and _is_wanted(state, node, slurm) and has_all(state, node, record)


def _works_on(node: Node, slurm: NodeWork) -> bool:
    """It works, and nothing is about to end that."""
    at_work = slurm.state.kind in WORKS_ON and node.reason is reasons.working(slurm.state.said)
    return at_work and node.use.ready_since is None


def _is_wanted(state: State, node: Node, slurm: NodeWork) -> bool:
    """It is idle, a job wants it, and it has been so for as many polls as count."""
    size, policy = node.size, state.policy
    return (
        size is not None
        and node.reason is reasons.wanted(size.id)
        and slurm.state.kind is FREE
        and node.idle_polls >= policy.consecutive_idle_count
        and node.use.ready_polls >= LEAST_POLLS
        and node.down_cause is None
    )


def _is_at_rest(node: Node) -> bool:
    """Nothing is being counted."""
    return (
        node.been_up
        and node.slurm_down is False
        and not node.down_polls
        and not node.supply_until
        and not node.doubtful
        and node.grace_until is None
        and node.use.kept_since is None
        and node.at_work_since is None
        and node.unresponsive_since is None
    )


def _is_as_listed(node: Node) -> bool:
    """The newest cloud list shows it as it is, and as one that works."""
    return (
        node.listed
        and not node.missing
        and not node.stop_polls
        and not node.failed_polls
        and not node.directive_unwritten
        and not node.directive_unseen_until
        and node.cloud.directive is None
    )


def _is_in_hand(node: Node) -> bool:
    """Something small is being done to it, it is still being booted, or a destroy will be tried again."""
    return (
        node.boot is not None
        or node.chore is not None
        or node.directive_chore is not None
        or node.destroyed_at is not None
        or bool(node.destroy_again_at)
    )
