"""The operators: a fixed number of actors, each of which carries out one step at a time, and the queue before them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, Supervision, tell
from arvnodeman.fleet.messages import DescribeNode, Lane, Step, StepDone, StepFailed, StepResult
from arvnodeman.fleet.model import ErrorKind, RemoteError, RemoteFailure
from arvnodeman.supervision.ending import is_fatal

MOST_ALIKE = 499  # steps that are carried out together with another one


class StepHands(Protocol):
    """What an operator works with."""

    def do(self, step: Step) -> StepResult:
        """Carry out one step; raises RemoteFailure."""
        ...

    def describe(self, steps: Sequence[DescribeNode]) -> Sequence[RemoteError | None]:
        """Carry out several that differ in the node alone, with as few commands as may be: an error or None for each.
        Raises RemoteFailure when all have failed."""
        ...


@dataclass(frozen=True, slots=True)
class DoStep:
    """To an operator: carry out this step, and with it these, which are like it but for the node."""

    step: Step
    alike: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class StepEnded:
    """From an operator: this is what came of its step, and of those alike, and it is free."""

    operator: int
    outcome: StepDone | StepFailed
    alike: tuple[StepDone | StepFailed, ...] = ()


@dataclass(frozen=True, slots=True)
class OperatorDied:
    """From an operator's last moment: it needs to be replaced, and its step answered."""

    operator: int
    text: str


class OperatorActor(BaseNodeManagerActor):
    """Carries out steps, one at a time, with clients of its own. It may wait long for a sick cloud: the watchdog does
    not ping it."""

    def __init__(self, supervision: Supervision, *, number: int, hands: StepHands, daemon: Ref) -> None:
        super().__init__(supervision)
        self._number = number
        self._hands = hands
        self._daemon = daemon

    def describe(self, message: object) -> str:
        """The step's type, operation and role."""
        match message:
            case DoStep(step, alike):
                more = f" and {len(alike)} more" if alike else ""
                return f"{type(step).__name__} of operation {step.op} {step.logger}".rstrip() + more
            case _:
                return super().describe(message)

    def receive(self, message: object) -> None:
        """Carry out a step and tell the daemon what came of it."""
        match message:
            case DoStep(step, alike):
                outcomes = self._carry_out([step, *alike])
                tell(self._daemon, StepEnded(self._number, outcomes[0], tuple(outcomes[1:])))
            case _:
                super().receive(message)

    def _carry_out(self, steps: list[Step]) -> list[StepDone | StepFailed]:
        step = steps[0]
        try:
            if len(steps) == 1:
                return [StepDone(step, self._hands.do(step))]
            described = [step for step in steps if isinstance(step, DescribeNode)]
            errors = self._hands.describe(described)
            ended = zip(described, errors, strict=True)
            return [StepDone(step, None) if error is None else StepFailed(step, error) for step, error in ended]
        except RemoteFailure as failure:
            return [StepFailed(step, failure.error) for step in steps]
        except Exception as error:
            if is_fatal(error):
                raise
            self._vitals.count("actor_exceptions")
            self._logger.exception("Unexpected exception in %s for %s", type(step).__name__, step.logger or "the fleet")
            unexpected = RemoteError(ErrorKind.UNEXPECTED, f"{type(error).__name__}: {error}")
            return [StepFailed(step, unexpected) for step in steps]

    def _failed(self, error: BaseException) -> None:
        """Tell the daemon, which replaces this operator."""
        super()._failed(error)
        tell(self._daemon, OperatorDied(self._number, f"{type(error).__name__}: {error}"))


@dataclass(slots=True)
class _Seat:
    ref: Ref
    daemon: Ref
    running: tuple[Step, ...] = ()


@dataclass(slots=True)
class OperatorPool:
    """The queue of steps and who carries them out. A plain object inside the daemon actor: not thread-safe.

    With two operators or more the first is kept for the lane DESTROY; steps of that lane may also take the others, in
    the order of the queue. So boots never hold up what saves money. After a restart of slurmctld a thousand nodes want
    their feature again: steps of that kind that wait for the same size are handed out together.
    """

    start: Callable[[int, Ref], Ref]  # starts the operator with this number, which answers to this daemon actor
    size: int
    _seats: list[_Seat] = field(default_factory=list)
    _waiting: dict[Lane, deque[tuple[int, Step]]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    _count: int = 0

    def open(self, daemon: Ref) -> None:
        """Start the operators, which answer to this daemon actor."""
        self._seats = [_Seat(self.start(number, daemon), daemon) for number in range(self.size)]

    def submit(self, *steps: Step) -> None:
        """Queue steps, and hand them over at once where operators are free."""
        for step in steps:
            self._count += 1
            self._waiting[step.lane].append((self._count, step))
        self._hand_out()

    def freed(self, number: int) -> None:
        """An operator has ended its step."""
        self._seats[number].running = ()
        self._hand_out()

    def replace(self, died: OperatorDied) -> list[StepFailed]:
        """Put a new operator in the place of a dead one. Returns the answers to the steps that it carried out."""
        seat = self._seats[died.operator]
        steps = seat.running
        self._seats[died.operator] = _Seat(self.start(died.operator, seat.daemon), seat.daemon)
        self._hand_out()
        error = RemoteError(ErrorKind.UNEXPECTED, f"its operator died: {died.text}")
        return [StepFailed(step, error) for step in steps]

    @property
    def waiting(self) -> int:
        """Steps that no operator has taken yet."""
        return sum(map(len, self._waiting.values()))

    def is_idle(self) -> bool:
        """No step is running or waiting."""
        return not any(self._waiting.values()) and not any(seat.running for seat in self._seats)

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The operators, by number."""
        return tuple(seat.ref for seat in self._seats)

    def _hand_out(self) -> None:
        for number, seat in enumerate(self._seats):
            if not seat.running and (step := self._take(only_destroys=self.size > 1 and number == 0)) is not None:
                alike = self._take_alike(step)
                seat.running = (step, *alike)
                tell(seat.ref, DoStep(step, alike))

    def _take(self, only_destroys: bool) -> Step | None:
        lanes = [self._waiting[Lane.DESTROY]] if only_destroys else list(self._waiting.values())
        filled = [lane for lane in lanes if lane]
        if not filled:
            return None
        _, step = min(filled, key=lambda lane: lane[0][0]).popleft()
        return step

    def _take_alike(self, step: Step) -> tuple[Step, ...]:
        """The waiting steps that one command can carry out with this one."""
        if not isinstance(step, DescribeNode):
            return ()
        waiting = self._waiting[step.lane]
        alike: list[Step] = []
        others: deque[tuple[int, Step]] = deque()
        for turn, other in waiting:
            same = isinstance(other, DescribeNode) and (other.size, other.weight) == (step.size, step.weight)
            if same and len(alike) < MOST_ALIKE:
                alike.append(other)
            else:
                others.append((turn, other))
        self._waiting[step.lane] = others
        return tuple(alike)
