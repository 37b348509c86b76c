"""What keeps nodes in order while they live: FQDN at the cloud, feature and weight in Slurm, old drains, operators'
words."""

from __future__ import annotations

from dataclasses import replace

from arvnodeman.fleet.chores import Chore, WriteWord
from arvnodeman.fleet.messages import Decided, DescribeNode, OperatorSaid, ResumeNode, SetWord, Step, SyncFqdn
from arvnodeman.fleet.model import NodeRecord, NodeState, OperatorWord, Word
from arvnodeman.fleet.node import Node, drained_for_another
from arvnodeman.fleet.operation import Operation
from arvnodeman.fleet.shutdown import Kind
from arvnodeman.fleet.sizes import slurm_weight
from arvnodeman.fleet.state import State
from arvnodeman.fleet.stops import after_shutdown, begin_shutdown

FIRST_CHORE_WAIT = 30.0  # seconds before a small thing that failed is tried again; doubles up to max_poll_time
RESUMES_WITHOUT_ANSWER = 2  # of a node whose slurmd does not answer


def keep_up(state: State) -> list[Operation]:
    """A node poll has come: one small thing for each node that needs one."""
    begun: list[Operation] = []
    for node in state.roster.nodes.values():
        if node.record is None or node.chore is not None or node.destroyed_at is not None:
            continue
        if node.shutdown is not None or node.chore_again_at > state.t:
            continue
        step = _needed(state, node, node.record)
        if step is not None:
            chore = Chore(state.desk, "ComputeNodeUpdateActor", node.cloud.name)
            state.chores[chore.id] = chore
            node.chore = chore.id
            chore.begin(replace(step, op=chore.id, logger=chore.logger))
            begun.append(chore)
    return begun


def _needed(state: State, node: Node, record: NodeRecord) -> Step | None:
    """The step that it needs most, its operation to be filled in."""
    slurm = node.slurm
    if record.hostname is not None and node.cloud.fqdn != (fqdn := record.fqdn) and fqdn is not None:
        return SyncFqdn(0, node.cloud, fqdn)
    if not state.policy.slurm or slurm is None or record.hostname is None:
        return None
    if drained_for_another(node) and (slurm.responding or node.resumes < RESUMES_WITHOUT_ANSWER):
        node.resumes += 1
        return ResumeNode(0, record.hostname)
    if node.size is not None:
        weight = slurm_weight(node.price)
        if f"instancetype={node.size.id}" not in slurm.features or slurm.weight != weight:
            return DescribeNode(0, record.hostname, node.size.id, weight)
    return None


def after_chore(state: State, node: Node, chore: Chore) -> None:
    """A small thing has been done to a node, or failed: then it is tried again at a later node poll (row A14)."""
    if node.chore == chore.id:
        node.chore = None
        if chore.outcome == "done":
            node.chore_wait = node.chore_again_at = 0.0
        else:
            node.chore_wait = min(max(FIRST_CHORE_WAIT, node.chore_wait * 2), state.policy.max_poll_time)
            node.chore_again_at = state.t + node.chore_wait
    if node.word_chore == chore.id:
        node.word_chore = None
    if chore.error is not None:
        state.desk.error("%s", chore.error.text, logger=chore.logger)


def operator_said(state: State, event: OperatorSaid) -> list[Operation]:
    """An operator's word is obeyed at once, and kept in the node's tag."""
    node = state.find(event.node)
    if node is None:
        state.desk.warning("An operator said %s of %s, which is no node", event.word.value, event.node)
        return []
    text, name = "An operator said %s of %s: %s", node.cloud.name
    state.desk.decide(Decided.WORD, name, text, event.word.value, name, event.reason)
    word = None if event.word is Word.RUN else OperatorWord(event.word, event.reason)
    node.cloud = replace(node.cloud, word=word)
    state.touched.add(node.id)
    if state.safe_until is None:  # else the tag is obeyed when safe mode is over
        _obey(state, node, event.word)
    if node.destroyed_at is not None:
        return []
    step = SetWord(0, node.cloud, word)
    running = state.chores.get(node.word_chore or 0)
    if isinstance(running, WriteWord):
        running.rewrite(replace(step, op=running.id, logger=running.logger))
        return []
    chore = WriteWord(state.desk, "ComputeNodeUpdateActor", node.cloud.name)
    state.chores[chore.id] = chore
    node.word_chore = chore.id
    chore.begin(replace(step, op=chore.id, logger=chore.logger))
    return [chore]


def _obey(state: State, node: Node, word: Word) -> None:
    shutdown = node.shutdown
    if node.destroyed_at is not None:
        return
    match word:
        case Word.HOLD if shutdown is not None:
            shutdown.cancel("an operator said hold")
        case Word.RUN if shutdown is not None and shutdown.kind is Kind.OPERATOR:
            shutdown.cancel("an operator said run")
        case Word.DRAIN if shutdown is not None:
            if shutdown.kind is Kind.UNWANTED:
                shutdown.kind = Kind.OPERATOR
        case Word.DRAIN if state.table is not None and (state.policy.slurm or node.state is not NodeState.BUSY):
            begin_shutdown(state, node, Kind.OPERATOR)
        case Word.KILL if shutdown is not None:
            shutdown.kill()
        case Word.KILL:
            begin_shutdown(state, node, Kind.KILL)
        case _:
            pass
    if shutdown is not None:
        after_shutdown(state, shutdown)
