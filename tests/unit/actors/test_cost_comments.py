"""What jobs have cost is written some at a time, and what is refused is not tried for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from arvnodeman.actors.cost_comments import AFTER_FAILURE, EVERY, MOST, CostWriting
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, SchedulerFailure
from arvnodeman.money.runs import JobCost


class Writer:
    """A scheduler, as far as this asks one."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.fails: ErrorKind | None = None

    def note_costs(self, costs: Sequence[JobCost]) -> int:
        if self.fails is not None:
            raise SchedulerFailure(RemoteError(self.fails, "no"))
        self.written += [cost.number for cost in costs]
        return len(costs)


def writing(count: int) -> tuple[Writer, deque[JobCost], CostWriting]:
    writer = Writer()
    costs = deque(JobCost(str(number), 1.0, 1.0) for number in range(count))
    return writer, costs, CostWriting(writer.note_costs, costs)


def test_a_full_round_is_followed_by_the_next_at_once() -> None:
    writer, costs, rounds = writing(MOST + 2)
    assert [rounds.round() for _ in range(3)] == [0.0, EVERY, EVERY]
    assert writer.written == [str(number) for number in range(MOST + 2)]
    assert not costs


def test_what_did_not_answer_is_told_again_later() -> None:
    writer, costs, rounds = writing(3)
    writer.fails = ErrorKind.TRANSIENT
    assert rounds.round() == AFTER_FAILURE
    assert len(costs) == 3
    writer.fails = None
    assert rounds.round() == EVERY
    assert not costs


def test_what_is_refused_is_let_go() -> None:
    writer, costs, rounds = writing(3)
    writer.fails = ErrorKind.REFUSED
    assert rounds.round() == AFTER_FAILURE
    assert not costs
