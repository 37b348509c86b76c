"""The steps that wait for an operator: who is next, and what is handed out together.

Destroys come first: each saves money, and Slurm's word on the node ages while it waits. Then the last look at nodes
that may go: so many at once as were lately destroyed within a second, and one such look at a time, so that what Slurm
has said is new when the destroy leaves. All others follow in the order in which they came.

A family are steps that one command, or a few, can carry out for many nodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    DescribeRecord,
    DestroyNode,
    DrainNode,
    FindNode,
    Lane,
    LookAtNode,
    LookForNode,
    PrepareRecord,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    Step,
)

MOST_ALIKE = 500  # steps that are handed out together
MOST_CHANGES = 250  # of those that are a line each for scontrol
MOST_LOOKS = 10_000  # one listing tells of all nodes
LOOKS_EACH = 4  # last looks for each operator to begin with: as many destroys follow
FRESH = 1.0  # seconds that a destroy waits, at most, for an operator: then fewer are looked at
URGENT, LAST_LOOK, OTHER = range(3)


def family_of(step: Step) -> Hashable:
    """What steps that can be carried out together have in common; None: this one is carried out alone."""
    match step:
        case CreateNode() | FindNode():
            return type(step), step.size
        case DescribeNode():
            return DescribeNode, step.size, step.weight, step.gives, step.without
        case LookAtNode():
            return LookAtNode, step.jobs
        case DrainNode() | ResumeNode() | SetNodeDown() | DescribeRecord():
            return (type(step),)
        case PrepareRecord() if step.is_name:
            return (PrepareRecord,)
        case ReleaseRecord() if step.is_name:
            return ReleaseRecord, step.action
    return None


def _rank(step: Step) -> int:
    match step:
        case DestroyNode() | LookForNode():
            return URGENT
        case LookAtNode(jobs=True):
            return LAST_LOOK
    return OTHER


class WaitingSteps:
    """The queue of an operators' pool. Not thread-safe."""

    def __init__(self, operators: int, now: Callable[[], float], creates: int = 1) -> None:
        """creates: nodes that the cloud makes by one request."""
        self._operators = operators
        self._creates = creates
        self._now = now  # seconds
        self._queues: dict[tuple[int, Lane], deque[tuple[int, Step]]] = {
            (rank, lane): deque() for rank in (URGENT, LAST_LOOK, OTHER) for lane in Lane
        }
        self._count = 0
        self._looks = LOOKS_EACH * operators  # at once
        self._came: deque[float] = deque()  # when each of the destroys that wait came
        self._longest = 0.0  # that one of them waited since the last look

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def add(self, steps: Iterable[Step]) -> None:
        """Steps that have come."""
        for step in steps:
            self._count += 1
            self._queues[_rank(step), step.lane].append((self._count, step))
            if _rank(step) == URGENT:
                self._came.append(self._now())

    def take(self, running: Sequence[Step], *, only_destroys: bool) -> tuple[Step, ...]:
        """The steps that an operator is to carry out together, none if there is nothing for it. `running`: one step of
        each other operator; `only_destroys`: it is kept for the lane DESTROY."""
        lanes = [Lane.DESTROY] if only_destroys else list(Lane)
        for rank in (URGENT, LAST_LOOK, OTHER):
            if rank == LAST_LOOK and not self._may_look(running):
                continue
            filled = [lane for lane in lanes if self._queues[rank, lane]]
            if filled:
                lane = min(filled, key=lambda lane: self._queues[rank, lane][0][0])
                if rank == URGENT:
                    self._longest = max(self._longest, self._now() - self._came.popleft())
                return self._take_with_alike(self._queues[rank, lane])
        return ()

    def _may_look(self, running: Sequence[Step]) -> bool:
        """One look at a time, and none while there is more to destroy than operators."""
        urgent = sum(len(self._queues[URGENT, lane]) for lane in Lane)
        return urgent <= self._operators and not any(_rank(step) == LAST_LOOK for step in running)

    def _most(self, step: Step) -> int:
        match step:
            case LookAtNode(jobs=True):
                return self._next_looks()
            case LookAtNode():
                return MOST_LOOKS
            case CreateNode() | FindNode():
                return self._creates
            case DescribeNode():
                return MOST_ALIKE
        return MOST_CHANGES

    def _next_looks(self) -> int:
        """Twice as many as the last time where what followed was quick, half as many where it was slow."""
        if self._longest > FRESH:
            self._looks = max(self._operators, self._looks // 2)
        elif 0 < self._longest < FRESH / 2:
            self._looks = min(MOST_ALIKE, self._looks * 2)
        self._longest = 0.0
        return self._looks

    def _take_with_alike(self, queue: deque[tuple[int, Step]]) -> tuple[Step, ...]:
        _, step = queue.popleft()
        family = family_of(step)
        if family is None:
            return (step,)
        most, taken, others = self._most(step), [step], []
        while queue and len(taken) < most:
            turn, other = queue.popleft()
            if family_of(other) == family:
                taken.append(other)
            else:
                others.append((turn, other))
        queue.extendleft(reversed(others))
        return tuple(taken)
