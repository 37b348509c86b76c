"""Nodes that would end themselves without a manager are told that there is one.

That costs a request or two in a quarter of the shortest lease that there may be, for all nodes together: so it does not
matter which lease a node was made with. What is written is another value each time, and no more than that.
"""

from __future__ import annotations

import math

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.operations.chores import Chore
from arvnodeman.fleet.operations.lease_steps import RenewLeases
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.values.gate import Bar

EVERY = 900.0  # seconds: a quarter of the shortest lease
AFTER_FAILURE = 120.0
_SHUT = (Bar.STOPPING, Bar.SAFE_MODE, Bar.NOT_LEADER)


class RenewAll(Chore):
    """One round."""

    def __init__(self, context: OperationContext, step: RenewLeases) -> None:
        super().__init__(context, "ComputeNodeUpdateActor", "leases")
        self.begin(RenewLeases(self.id, step.ids, step.hostnames, step.value, logger=self.logger))

    @staticmethod
    def number(context: OperationContext) -> int:
        """Of its own kind, so that what an earlier build has written down of nodes can be played again."""
        return context.next_offer_id()


class Leasing:
    """When the next round is."""

    def __init__(self) -> None:
        self._due = -math.inf  # steady time
        self._is_busy = False
        self._told = ""  # the failure that was told of

    def observe(self, state: State) -> list[Operation]:
        """Something has happened. Begins a round, if it is time for one and there are nodes."""
        if self._is_busy or not state.policy.renews_leases or state.t < self._due:
            return []
        if any(map(state.context.gate.is_shut_by, _SHUT)):
            return []
        nodes = [node for node in state.roster.nodes.values() if node.listed and node.destroyed_at is None]
        if not nodes:
            return []
        hostnames = filter(None, map(state.roster.hostname, nodes))
        value = f"{state.clock.now:.0f}"
        step = RenewLeases(0, tuple(node.id for node in nodes), tuple(dict.fromkeys(hostnames)), value)
        chore = RenewAll(state.context, step)
        state.chores[chore.id] = chore
        self._is_busy = True
        return [chore]

    def ended(self, state: State, chore: RenewAll) -> None:
        """A round is over. Why it failed is told once."""
        self._is_busy = False
        self._due = state.t + (EVERY if chore.error is None else AFTER_FAILURE)
        text = chore.error.text if chore.error is not None else ""
        if text and text != self._told:
            state.context.error("Trying to renew the leases of nodes: %s", text, logger=chore.logger)
        self._told = text
