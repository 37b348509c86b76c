"""Several steps of one family, carried out by one command or a few: each has a result or an error of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from arvnodeman.cloud.base import NodeWish
from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    DescribeRecord,
    DrainNode,
    FindNode,
    LookAtNode,
    NodeSeen,
    PrepareRecord,
    RecordPrepared,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    Step,
    StepResult,
)
from arvnodeman.fleet.values.model import BootIntent, CloudNode, RemoteError, RemoteFailure, Secret

if TYPE_CHECKING:
    from arvnodeman.cloud.base import CloudDriver
    from arvnodeman.scheduler.base import Scheduler

CLOUD_STEPS = (CreateNode, FindNode)
RECORD_STEPS = (PrepareRecord, DescribeRecord, ReleaseRecord)
Answer = StepResult | RemoteError
Kind = TypeVar("Kind", bound=Step)


class ManyRecords(Protocol):
    """A keeper that takes many requests at once."""

    def prepare_all(self, wishes: Sequence[tuple[BootIntent, str | None]]) -> Sequence[RecordPrepared | RemoteFailure]:
        """prepare() for each."""

    def describe_all(self, nodes: Sequence[tuple[str, CloudNode]]) -> Sequence[RemoteFailure | None]:
        """describe() for each."""

    def release_all(self, uuids: Sequence[str], action: str) -> Sequence[RemoteFailure | None]:
        """release() for each."""


def do_scheduler_steps(steps: Sequence[Step], scheduler: Scheduler) -> list[Answer]:
    """Steps about nodes in the scheduler. Raises RemoteFailure when all have failed."""
    first = steps[0]
    match first:
        case LookAtNode():
            seen = scheduler.observe_all({step.hostname: step.jobs for step in _of(LookAtNode, steps)})
            answers = {
                name: found.error if isinstance(found, RemoteFailure) else NodeSeen(*found)
                for name, found in seen.items()
            }
            return [answers[step.hostname] for step in _of(LookAtNode, steps)]
        case DescribeNode():
            failures = scheduler.describe_all(
                [step.hostname for step in _of(DescribeNode, steps)],
                first.size,
                first.weight,
                gives=first.gives,
                without=first.without,
            )
            return [_error(failures.get(step.hostname)) for step in _of(DescribeNode, steps)]
        case DrainNode():
            failures = scheduler.drain_all({step.hostname: step.reason for step in _of(DrainNode, steps)})
            return [_error(failures.get(step.hostname)) for step in _of(DrainNode, steps)]
        case ResumeNode():
            failures = scheduler.resume_all([step.hostname for step in _of(ResumeNode, steps)])
            return [_error(failures.get(step.hostname)) for step in _of(ResumeNode, steps)]
        case SetNodeDown():
            failures = scheduler.set_down_all({step.hostname: step.reason for step in _of(SetNodeDown, steps)})
            return [_error(failures.get(step.hostname)) for step in _of(SetNodeDown, steps)]
    raise TypeError(f"no operator carries out several of the step {type(first).__name__}")


def do_cloud_steps(
    steps: Sequence[Step], driver: CloudDriver, ping_url: Callable[[str, Secret], Secret]
) -> list[Answer]:
    """Nodes that are asked for, or looked for, together."""
    if isinstance(steps[0], CreateNode):
        for step in _of(CreateNode, steps):
            if step.meant_for:
                driver.bill_to(step.token, step.meant_for)
        wishes = [
            NodeWish(step.size, step.record, step.token, ping_url(step.record.uuid, step.ping_secret))
            for step in _of(CreateNode, steps)
        ]
        return [_answer(made) for made in driver.create_nodes(wishes)]
    sought = [NodeWish(step.size, step.record, step.token, Secret("")) for step in _of(FindNode, steps)]
    return [_answer(found) for found in driver.find_nodes(sought)]


def do_record_steps(steps: Sequence[Step], keeper: ManyRecords) -> list[Answer]:
    """Steps about node records. Raises RemoteFailure when all have failed."""
    first = steps[0]
    match first:
        case PrepareRecord():
            prepared = keeper.prepare_all([(step.intent, step.reuse) for step in _of(PrepareRecord, steps)])
            return [found.error if isinstance(found, RemoteFailure) else found for found in prepared]
        case DescribeRecord():
            told = keeper.describe_all([(step.uuid, step.node) for step in _of(DescribeRecord, steps)])
            return [_error(failure) for failure in told]
        case ReleaseRecord():
            freed = keeper.release_all([step.uuid for step in _of(ReleaseRecord, steps)], first.action)
            return [_error(failure) for failure in freed]
    raise TypeError(f"no keeper carries out several of the step {type(first).__name__}")


def _of(kind: type[Kind], steps: Iterable[Step]) -> list[Kind]:
    return [step for step in steps if isinstance(step, kind)]


def _answer(outcome: CloudNode | RemoteFailure | None) -> Answer:
    return outcome.error if isinstance(outcome, RemoteFailure) else outcome


def _error(failure: RemoteFailure | None) -> RemoteError | None:
    return failure.error if failure is not None else None
