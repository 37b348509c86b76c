"""Plays histories of builds that destroyed a node without marking its drain first: the mark and the look after it are
answered at once, as Slurm would have, and neither counts as a step. All else is held against the history as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    Command,
    DrainNode,
    Event,
    LookAtNode,
    NodeSeen,
    SetNodeDown,
    StepDone,
    StepFailed,
)
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import Policy
from arvnodeman.fleet.values.work import OUR_DESTROY, OUR_REMOVAL, OUR_SHUTDOWN
from arvnodeman.journal.reader import Head
from arvnodeman.journal.replay import Replay


class MarksAnswered(Fleet):
    """Whose marks are written, and looked at, in the same moment."""

    def __init__(self, policy: Policy, now: float) -> None:
        super().__init__(policy, now)
        self._seen: dict[int, NodeSeen] = {}  # by operation: Slurm's last word on its node

    def handle(self, event: Event, now: float) -> list[Command]:
        """As ever, without marks."""
        match event:
            case StepDone(step=LookAtNode(op=op), result=NodeSeen() as seen):
                self._seen[op] = seen
            case StepDone(step=SetNodeDown(op=op)) | StepFailed(step=SetNodeDown(op=op)):
                shutdown = self._state.shutdowns.get(op)
                if shutdown is not None and isinstance(shutdown.step, SetNodeDown):
                    event = replace(event, step=shutdown.step)  # whose reason is another by now
        return list(self._unmarked(super().handle(event, now), now))

    def _unmarked(self, commands: list[Command], now: float) -> Iterator[Command]:
        for command in commands:
            match command:
                case DrainNode(op=op, reason=reason) if reason.startswith(OUR_DESTROY):
                    yield from self._unmarked_look(super().handle(StepDone(command, None), now), op, now)
                case SetNodeDown(op=op, reason=reason) if reason.startswith(OUR_DESTROY):
                    unwanted = self._state.shutdowns[op].kind is ShutdownKind.UNWANTED
                    kind = OUR_SHUTDOWN if unwanted else OUR_REMOVAL
                    yield replace(command, reason=reason.replace(OUR_DESTROY, kind))
                case _:
                    yield command

    def _unmarked_look(self, commands: list[Command], op: int, now: float) -> Iterator[Command]:
        for command in commands:
            if isinstance(command, LookAtNode) and command.op == op:
                yield from self._unmarked(super().handle(StepDone(command, self._seen[op]), now), now)
            else:
                yield command


class ReplayBeforeMarks(Replay):
    """Of such histories."""

    def _begin(self, head: Head, number: int) -> None:
        before = self._fleet
        super()._begin(head, number)
        if self._fleet is not before:
            self._fleet = MarksAnswered(head.policy, head.now)
