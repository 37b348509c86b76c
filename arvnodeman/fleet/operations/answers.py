"""What Slurm's answer about a node that is to go tells: asked now, just before the destroy request."""

from __future__ import annotations

from arvnodeman.fleet.messages import NodeSeen
from arvnodeman.fleet.nodes.node import KNOWN_STATES, Node, at_work_too_long
from arvnodeman.fleet.operations.operation import Desk

# Slurm shows these also for a node with jobs on it: suspended ones (idle, drain), running ones (fail, inval).
_MAY_HIDE_JOBS = frozenset({"idle", "drain", "fail", "inval"})


def hides_jobs(seen: NodeSeen) -> bool:
    """Has it to be asked how many jobs are on the node? The state does not tell, and nobody has asked yet."""
    node = seen.node
    return node is not None and seen.jobs is None and (node.state in _MAY_HIDE_JOBS or node.state not in KNOWN_STATES)


def nothing_runs(node: Node, seen: NodeSeen, desk: Desk, *, undrained: bool) -> bool:
    """Nothing runs there, for certain: unk, an error or a state that we do not know is no answer. But a node that is
    rebooted, or in such a state, for longer than boot_fail_after is as good as down when no job is on it. `undrained`:
    it need not be drained."""
    shown = seen.node
    if shown is None or shown.state == "down":
        return True
    if shown.state == "idle":
        return undrained and seen.jobs == 0
    lost = shown.state not in KNOWN_STATES and at_work_too_long(node, desk.policy, desk.clock.t)
    return (lost or shown.state in _MAY_HIDE_JOBS) and seen.jobs == 0
