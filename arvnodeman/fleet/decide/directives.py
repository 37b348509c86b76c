"""Operators' words: obeyed at once, and kept in a tag of the cloud node, so that they survive a restart."""

from __future__ import annotations

from dataclasses import replace

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stops import after_shutdown, begin_shutdown
from arvnodeman.fleet.messages import Decided, OperatorSaid, SetWord
from arvnodeman.fleet.nodes.eligible import resumable, undecided
from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.operations.chores import Chore, WriteDirective
from arvnodeman.fleet.operations.operation import Operation
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import Directive, NodeState, OperatorDirective


def operator_said(state: State, event: OperatorSaid) -> list[Operation]:
    """An operator spoke on a node. Whoever stands by obeys nobody: the one that leads may have heard another word."""
    if not state.lead.leads:
        text = "Operator %s on %s was refused: %s"
        state.context.warning(text, event.directive.value, event.node, state.lead.words)
        return []
    node = state.find(event.node)
    if node is None:
        state.context.warning("Operator %s on %s, which is not a node", event.directive.value, event.node)
        return []
    text, name = "Operator %s on %s: %s", node.cloud.name
    state.context.decide(Decided.WORD, name, text, event.directive.value, name, event.reason)
    directive = None if event.directive is Directive.RUN else OperatorDirective(event.directive, event.reason)
    node.cloud = replace(node.cloud, directive=directive)
    state.touch(node)
    node.reason = undecided(node, state.basis())
    if state.safe_until is None:  # else the tag is obeyed when safe mode is over
        _obey(state, node, event.directive)
    if node.destroyed_at is not None:
        return []
    node.directive_unwritten = True
    running = state.chores.get(node.directive_chore) if node.directive_chore is not None else None
    if isinstance(running, WriteDirective):
        running.rewrite(SetWord(running.id, node.cloud, directive, logger=running.logger))
        return []
    return [write_again(state, node)]


def write_again(state: State, node: Node) -> Operation:
    """Write the word that is not in the tag yet."""
    chore = WriteDirective(state.context, "ComputeNodeUpdateActor", node.cloud.name)
    state.chores[chore.id] = chore
    node.directive_chore, chore.node = chore.id, node
    chore.begin(SetWord(chore.id, node.cloud, node.cloud.directive, logger=chore.logger))
    return chore


def after_directive(state: State, chore: Chore) -> None:
    """The tag has been written, or not: then it is written again at a later node poll."""
    node = chore.node
    assert node is not None
    node.directive_chore = None
    if chore.outcome == "done":
        node.directive_unwritten = False
        node.directive_unseen_until = state.t + state.policy.boot_fail_after
    elif chore.error is not None:
        state.context.error("%s", chore.error.text, logger=chore.logger)


def _obey(state: State, node: Node, directive: Directive) -> None:
    if node.destroyed_at is not None:
        return
    shutdown = node.shutdown
    if shutdown is None and directive in (Directive.HOLD, Directive.RUN) and resumable(node):
        shutdown = begin_shutdown(state, node, ShutdownKind.OPERATOR, drained=True)  # so that it can be taken back
    if shutdown is not None:
        shutdown.obey()
        after_shutdown(state, shutdown)
    elif directive is Directive.KILL:
        begin_shutdown(state, node, ShutdownKind.KILL)
    elif (
        directive is Directive.DRAIN
        and state.table is not None
        and (state.policy.slurm or node.state is not NodeState.BUSY)
    ):
        begin_shutdown(state, node, ShutdownKind.OPERATOR)
