"""What Slurm's answer about a node that is to go tells: asked now, just before the destroy request."""

from __future__ import annotations

from arvnodeman.fleet.messages import NodeSeen
from arvnodeman.fleet.nodes.node import Node, at_work_too_long
from arvnodeman.fleet.operations.operation import OperationContext
from arvnodeman.fleet.values.work import FREE, WorkKind


def hides_jobs(seen: NodeSeen) -> bool:
    """Has it to be asked how many jobs are on the node? The state does not tell, and nobody has asked yet."""
    node = seen.node
    return node is not None and seen.jobs is None and (node.state.hides_jobs or not node.state.known)


def nothing_runs(node: Node, seen: NodeSeen, context: OperationContext, *, undrained: bool) -> bool:
    """Nothing runs there, for certain: an error is no answer, nor is a node not heard from, or in a state that we do
    not know. But one that is rebooted, or in such a state, for longer than boot_fail_after is as good as down when no
    job is on it. `undrained`: it need not be drained."""
    shown = seen.node
    if shown is None or shown.state.kind is WorkKind.DOWN:
        return True
    if shown.state.kind is FREE:
        return undrained and seen.jobs == 0
    lost = not shown.state.known and at_work_too_long(node, context.policy, context.clock.t)
    return (lost or shown.state.hides_jobs) and seen.jobs == 0
