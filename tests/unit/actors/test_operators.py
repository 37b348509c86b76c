"""The operators and the queue before them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from actor_doubles import BOUND, CollectingActor, End, collecting, running, wait_for

from arvnodeman.actors import waiting
from arvnodeman.actors.base import Ref
from arvnodeman.actors.operators import DoStep, OperatorActor, OperatorDied, OperatorPool, StepEnded
from arvnodeman.fleet.messages import (
    DescribeNode,
    DestroyNode,
    ListSizes,
    LookAtNode,
    Step,
    StepDone,
    StepFailed,
)
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, RemoteError, RemoteFailure

NODE = CloudNode(id="i-1", name="n", report_id="i-1")


class FakeWorld:
    """Answers with what it was given: a result for each step, or an exception."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def do(self, steps: Sequence[Step]) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return [answer] if len(steps) == 1 else answer


def outcome_of(answer: Any, end: End | None = None) -> Any:
    with collecting() as (daemon, box):
        supervision = (end or End()).supervision
        with running(OperatorActor, supervision, number=3, world=FakeWorld(answer), daemon=daemon) as ref:
            ref.tell(DoStep(ListSizes(7)))
            wait_for(lambda: box)
        (message,) = box
        return message


def test_a_step_done() -> None:
    assert outcome_of(("sizes",)) == StepEnded(3, StepDone(ListSizes(7), ("sizes",)))  # type: ignore[arg-type]


def together(answer: Any) -> Any:
    """What comes of three steps that are handed out together."""
    steps = [DescribeNode(number, f"compute{number}", "small", 7) for number in (1, 2, 3)]
    with collecting() as (daemon, box):
        with running(OperatorActor, End().supervision, number=3, world=FakeWorld(answer), daemon=daemon) as ref:
            ref.tell(DoStep(steps[0], tuple(steps[1:])))
            wait_for(lambda: box)
        (message,) = box
        assert [outcome.step for outcome in (message.outcome, *message.alike)] == steps
        return [getattr(outcome, "error", None) for outcome in (message.outcome, *message.alike)]


def test_of_steps_handed_out_together_each_has_its_own_outcome() -> None:
    error = RemoteError(ErrorKind.GONE, "unknown")
    assert together([None, error, None]) == [None, error, None]
    away = RemoteError(ErrorKind.TRANSIENT, "away")
    assert together(RemoteFailure(away)) == [away] * 3
    assert [error.kind for error in together(ZeroDivisionError("x"))] == [ErrorKind.UNEXPECTED] * 3


def test_a_failure_that_the_world_recognises_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    error = RemoteError(ErrorKind.QUOTA, "no more", 5.0)
    assert outcome_of(RemoteFailure(error)) == StepEnded(3, StepFailed(ListSizes(7), error))
    assert "Traceback" not in caplog.text


def test_any_other_exception_is_unexpected_and_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """Row L11: such a thing is counted."""
    end = End()
    with caplog.at_level(logging.ERROR):
        ended = outcome_of(KeyError("size"), end)
    assert end.vitals.counted("actor_exceptions") == 1
    assert ended.outcome.error.kind is ErrorKind.UNEXPECTED
    assert ended.outcome.error.text == "KeyError: 'size'"
    assert "Traceback" in caplog.text


def test_a_fatal_error_ends_the_process() -> None:
    end = End()
    outcome_of(MemoryError(), end)
    assert end.kills == 1


def test_an_operator_that_dies_says_so() -> None:
    died = outcome_of(SystemExit(1))
    assert isinstance(died, OperatorDied)
    assert died.operator == 3
    assert died.text.startswith("ActorExit: SystemExit in OperatorActor.")


def test_an_operator_that_dies_at_its_start_says_so() -> None:
    class Stillborn(OperatorActor):
        def begin(self) -> None:
            raise ZeroDivisionError

    with collecting() as (daemon, box):
        Stillborn.start(End().supervision, number=2, world=FakeWorld(), daemon=daemon)
        wait_for(lambda: box)
    assert box == [OperatorDied(2, "ZeroDivisionError: ")]


def test_what_an_operator_does_is_told_without_secrets() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Waiting:
        def do(self, steps: Sequence[Step]) -> list[None]:
            entered.set()
            leave.wait(BOUND)
            return [None for _ in steps]

    end = End()
    with (
        collecting() as (daemon, _),
        running(OperatorActor, end.supervision, number=0, world=Waiting(), daemon=daemon) as ref,
    ):
        ref.tell(DoStep(DestroyNode(12, NODE, logger="ComputeNodeShutdownActor.x.n")))
        assert entered.wait(BOUND)
        (activity,) = end.vitals.activities()
        assert activity.doing.message == "DestroyNode of operation 12 ComputeNodeShutdownActor.x.n"
        leave.set()


class Crew:
    """A pool whose operators only note what they are given."""

    def __init__(self, size: int) -> None:
        self.given: list[list[Any]] = []
        self.pool = OperatorPool(self._start, size)
        self.pool.open(CollectingActor([]).actor_ref)

    def _start(self, number: int, _daemon: Ref) -> Ref:
        box: list[Any] = []
        if number < len(self.given):
            self.given[number] = box
        else:
            self.given.append(box)
        return CollectingActor(box).actor_ref  # never started: what it is told stays in its inbox

    def steps(self, number: int) -> list[int]:
        inbox = self.pool.refs[number].actor_inbox
        ops = []
        while not inbox.empty():
            ops.append(inbox.get().message.step.op)
        return ops

    def messages(self, number: int) -> list[list[int]]:
        inbox = self.pool.refs[number].actor_inbox
        told = []
        while not inbox.empty():
            message = inbox.get().message
            told.append([step.op for step in (message.step, *message.alike)])
        return told


def boot(op: int) -> Step:
    return ListSizes(op)


def look(op: int) -> Step:
    return LookAtNode(op, f"compute{op}", jobs=True)


def destroy(op: int) -> Step:
    return DestroyNode(op, NODE)


def test_one_operator_is_kept_for_destroys() -> None:
    crew = Crew(3)
    for op in range(5):
        crew.pool.submit(boot(op))
    crew.pool.submit(destroy(10))
    assert [crew.steps(number) for number in range(3)] == [[10], [0], [1]]


def test_destroys_also_use_the_others_and_go_before_what_came_earlier() -> None:
    crew = Crew(2)
    for step in (destroy(0), destroy(1), boot(2), destroy(3), boot(4)):
        crew.pool.submit(step)
    assert (crew.steps(0), crew.steps(1)) == ([0], [1])
    crew.pool.freed(1)
    assert crew.steps(1) == [3]
    crew.pool.freed(0)
    assert crew.steps(0) == []
    crew.pool.freed(1)
    crew.pool.freed(1)
    assert (crew.steps(0), crew.steps(1)) == ([], [2, 4])


def test_what_follows_from_an_answer_goes_before_what_waited() -> None:
    crew = Crew(2)
    crew.pool.submit(look(0), look(1))
    crew.pool.submit(boot(2), boot(3))
    assert (crew.messages(0), crew.messages(1)) == ([[0, 1]], [[2]])
    crew.pool.submit(look(4))
    crew.pool.freed(0, destroy(0), destroy(1))
    assert crew.messages(0) == [[0]]
    crew.pool.freed(1)
    assert crew.messages(1) == [[1]]


def test_a_single_operator_does_everything() -> None:
    crew = Crew(1)
    for step in (boot(0), destroy(1), boot(2)):
        crew.pool.submit(step)
    done = crew.steps(0)
    for _ in range(3):
        crew.pool.freed(0)
        done += crew.steps(0)
    assert done == [0, 1, 2]


def test_idle_means_nothing_running_and_nothing_waiting() -> None:
    crew = Crew(2)
    assert crew.pool.is_idle()
    crew.pool.submit(boot(0))
    crew.pool.submit(boot(1))
    assert not crew.pool.is_idle()
    crew.pool.freed(1)
    assert not crew.pool.is_idle()
    crew.pool.freed(1)
    assert crew.pool.is_idle()


def test_steps_that_one_command_can_carry_out_are_handed_out_together() -> None:
    crew = Crew(2)
    shapes = [("small", 5), ("large", 9), ("small", 5), ("small", 6), ("small", 5)]
    described = [DescribeNode(op, f"compute{op}", *shape) for op, shape in enumerate(shapes)]
    crew.pool.submit(*described, boot(5))
    order = crew.messages(1)
    for _ in range(3):
        crew.pool.freed(1)
        order += crew.messages(1)
    assert order == [[0, 2, 4], [1], [3], [5]]
    assert crew.pool.waiting == 0


def test_no_more_are_handed_out_together_than_a_command_can_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_ALIKE", 3)
    crew = Crew(2)
    crew.pool.submit(boot(0))
    for op in range(1, 6):
        crew.pool.submit(DescribeNode(op, f"compute{op}", "small", 5))
    for _ in range(2):
        crew.pool.freed(1)
    assert crew.messages(1) == [[0], [1, 2, 3], [4, 5]]


def test_a_dead_operator_answers_for_all_its_steps() -> None:
    crew = Crew(2)
    crew.pool.submit(boot(0))
    for op in (1, 2):
        crew.pool.submit(DescribeNode(op, f"compute{op}", "small", 5))
    crew.pool.freed(1)
    assert [answer.step.op for answer in crew.pool.replace(OperatorDied(1, "x"))] == [1, 2]
    assert crew.pool.is_idle()


def test_a_dead_operator_is_replaced_and_its_step_answered() -> None:
    crew = Crew(2)
    crew.pool.submit(boot(0))
    crew.pool.submit(boot(1))
    dead = crew.pool.refs[1]
    answer = crew.pool.replace(OperatorDied(1, "ActorExit: x"))
    assert answer == [StepFailed(boot(0), RemoteError(ErrorKind.UNEXPECTED, "its operator died: ActorExit: x"))]
    assert crew.pool.refs[1] is not dead
    assert crew.steps(1) == [1]


def test_an_operator_that_died_idle_has_no_step_to_answer() -> None:
    assert Crew(2).pool.replace(OperatorDied(0, "x")) == []
