"""The outside in two verbs. The real one, the dry run's, the simulated sites and the tests' worlds are of this kind.

Who calls it waits for the answer: an operator, a poller, a simulation. What stands before another World (a dry run, a
rule that refuses steps, faults) is a World that holds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from arvnodeman.fleet.messages import (
    CloudListed,
    Poll,
    PollFailed,
    QueueListed,
    RecordsListed,
    Step,
    StepDone,
    StepFailed,
    StepResult,
)
from arvnodeman.fleet.values.model import RemoteError, RemoteFailure, SchedulerFailure

Listed = CloudListed | RecordsListed | QueueListed
Answer = StepResult | RemoteError


class World(Protocol):
    """What lists and steps come from and go to. For one thread."""

    def list(self, poll: Poll) -> Listed:
        """Fetch one list. Raises RemoteFailure; SchedulerFailure when it was the scheduler."""
        ...

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """Carry out one step, or several alike together, without trying again: a result or an error for each.
        Raises RemoteFailure when all have failed."""
        ...


def ask(world: World, poll: Poll) -> Listed | PollFailed:
    """One poll, and what the brain is told of it."""
    try:
        return world.list(poll)
    except RemoteFailure as failure:
        return PollFailed(poll, failure.error, isinstance(failure, SchedulerFailure))


def carry_out(world: World, steps: Sequence[Step]) -> list[StepDone | StepFailed]:
    """Steps, and what the brain is told of them."""
    try:
        answers = world.do(steps)
    except RemoteFailure as failure:
        return [StepFailed(step, failure.error) for step in steps]
    return [
        StepFailed(step, answer) if isinstance(answer, RemoteError) else StepDone(step, answer)
        for step, answer in zip(steps, answers, strict=True)
    ]
