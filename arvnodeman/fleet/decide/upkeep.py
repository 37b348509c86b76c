"""What keeps nodes in order while they live: old drains taken back, feature and weight in Slurm, FQDN at the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from arvnodeman.fleet.decide.directives import write_again
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import DescribeNode, DescribeRecord, ResumeNode, Step, SyncFqdn
from arvnodeman.fleet.nodes.by_power import is_from_before
from arvnodeman.fleet.nodes.eligible import resumable
from arvnodeman.fleet.nodes.node import RESUMES, Node, drained_for_another, host_part
from arvnodeman.fleet.operations.chores import Chore
from arvnodeman.fleet.operations.operation import Operation
from arvnodeman.fleet.values.model import Directive, NodeRecord

FIRST_CHORE_WAIT = 30.0  # seconds before a small thing that failed is tried again; doubles up to max_poll_time
RESUMES_WITHOUT_ANSWER = 2  # of a node whose slurmd does not answer


def keep_up(state: State) -> list[Operation]:
    """A node poll has come: one small thing for each node that needs one."""
    begun: list[Operation] = []
    first = _first_claims(state)
    for node in state.roster.awake():
        record = node.record
        in_order = record is not None and _is_in_order(state, node, record)
        if record is not None and in_order and not (record.is_name or node.directive_unwritten):
            continue
        if node.destroyed_at is not None:
            continue
        if node.directive_unwritten and node.directive_chore is None:
            begun.append(write_again(state, node))
        record = record or (node.prepared if node.listed else None)
        if record is None and node.warned_at is None and node.namesake is None:
            _warn_shared(state, node)
        if record is None or node.chore is not None or node.shutdown is not None:
            continue
        untold = record.is_name and first.get(record.uuid, node) is node and _untold(state, node, record)
        if not untold and (node.record is None or in_order):
            continue
        for step in _needed(state, node, record, untold=untold):
            if node.chore_waits is None or node.chore_waits.get(type(step), (0.0, 0.0))[1] <= state.t:
                begun.append(_begin(state, node, step))
                break
    return begun


def _untold(state: State, node: Node, record: NodeRecord) -> bool:
    """Has the keeper to be told that this node has the name, or where it is? Where records are no names, nodes report
    themselves. What it was told may be lost: by a restart of slurmctld, or by hand."""
    current = state.roster.records.get(record.uuid)
    if current is None or not current.is_name:
        return False
    if state.policy.places:  # where it is, it tells itself
        goes = is_from_before(node, state.basis()) or (node.slurm is not None and node.slurm.is_off)
        return not goes and (current.instance_id is None or state.roster.is_left(current))
    address = node.cloud.address
    if current.instance_id == node.cloud.report_id:
        return address not in (None, current.address) and not _works_elsewhere(state, node, current)
    return current.instance_id is None or state.roster.is_left(current)


def _works_elsewhere(state: State, node: Node, name: NodeRecord) -> bool:
    """Is the name busy, and looked for at another node? Its jobs are there, and would be lost: slurmctld drops what the
    slurmd at the new address does not know of."""
    slurm = node.slurm
    if slurm is None or not slurm.state.busy:
        return False
    return any(other.cloud.address == name.address and other is not node for other in state.roster.nodes.values())


def _first_claims(state: State) -> dict[str, Node]:
    """Of the nodes that may have a name, none of which has it yet: the one that Slurm finds there, else the oldest."""
    first: dict[str, Node] = {}
    for node in state.roster.awake():
        name = node.prepared
        if name is None or not name.is_name:
            continue
        other = first.get(name.uuid)
        if other is None or (node.cloud.address == name.address and other.cloud.address != name.address):
            first[name.uuid] = node
    return first


def _is_in_order(state: State, node: Node, record: NodeRecord) -> bool:
    """Has it nothing that Slurm or the cloud should be told?"""
    slurm, size, table = node.slurm, node.size, state.table
    if slurm is None or node.cloud.fqdn != record.fqdn:
        return False
    if state.policy.places:  # features and weights are as they were declared
        return True
    if size is None or table is None or slurm.reason or slurm.weight != node.weight:
        return False
    return table.is_described(size, slurm.features)


def has_all(state: State, node: Node, record: NodeRecord) -> bool:
    """Does it need no small thing, and nobody be told where it is?"""
    told = not record.is_name or node.cloud.address in (None, record.address)
    return told and _is_in_order(state, node, record)


def _warn_shared(state: State, node: Node) -> None:
    """A name that another node has is no use to this one: Slurm will never look for it here."""
    host = host_part(node.cloud)
    record = state.roster.hosts.get(host) if host is not None else None
    if record is None or not record.is_name or record.uuid not in state.roster.paired:
        return
    node.warned_at = state.t
    text = "Cloud node %s (%s) has the name of another, which Slurm knows as %s: it will get no work"
    state.context.warning(text, node.cloud.name, node.id, record.instance_id)


def _begin(state: State, node: Node, step: Step) -> Operation:
    chore = Chore(state.context, "ComputeNodeUpdateActor", node.cloud.name)
    state.chores[chore.id] = chore
    node.chore, chore.node = chore.id, node
    state.touch(node)
    if isinstance(step, ResumeNode):
        node.resumes += 1
    chore.begin(replace(step, op=chore.id, logger=chore.logger))
    return chore


def _needed(state: State, node: Node, record: NodeRecord, *, untold: bool) -> Iterator[Step]:
    """What it needs, most urgent first, the operation to be filled in. Slurm's things come first: without them it gets
    no work."""
    if untold:
        yield DescribeRecord(0, record.uuid, node.cloud)
    if node.record is None:
        return
    slurm = node.slurm
    if state.policy.slurm and not state.policy.places and slurm is not None and record.hostname is not None:
        tries = RESUMES if slurm.responding else RESUMES_WITHOUT_ANSWER
        old_drain = drained_for_another(node) and node.resumes < tries
        if old_drain or (node.directive is Directive.HOLD and resumable(node)):
            yield ResumeNode(0, record.hostname)
        size, table = node.size, state.table
        if size is None or table is None:
            pass
        elif slurm.weight != node.weight or not table.is_described(size, slurm.features):
            yield DescribeNode(0, record.hostname, size.id, node.weight, *table.gives(size))
    if node.cloud.building:  # nothing can be written to it yet
        return
    if record.hostname is not None and node.cloud.fqdn != (fqdn := record.fqdn) and fqdn is not None:
        yield SyncFqdn(0, node.cloud, fqdn)


def after_chore(state: State, chore: Chore) -> None:
    """A small thing has been done to a node, or failed: then it is tried again at a later node poll (row A14)."""
    node = chore.node
    assert node is not None
    node.chore = None
    kind = type(chore.last_step)
    if chore.outcome == "done":
        if isinstance(chore.last_step, ResumeNode):
            state.drain_taken_back(node)
        if node.chore_waits is not None:
            node.chore_waits.pop(kind, None)
        return
    if node.chore_waits is None:
        node.chore_waits = {}
    before = node.chore_waits.get(kind, (0.0, 0.0))[0]
    wait = min(max(FIRST_CHORE_WAIT, before * 2), state.policy.max_poll_time)
    node.chore_waits[kind] = (wait, state.t + wait)
    if chore.error is not None:
        state.context.error("%s", chore.error.text, logger=chore.logger)
