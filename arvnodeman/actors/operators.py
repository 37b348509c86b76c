"""The operators: a fixed number of actors, each of which carries out one step at a time, and the queue before them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from arvnodeman.actors.base import BaseNodeManagerActor, Ref, Supervision, tell
from arvnodeman.actors.waiting import WaitingSteps
from arvnodeman.fleet.messages import Step, StepDone, StepFailed
from arvnodeman.fleet.values.model import ErrorKind, RemoteError
from arvnodeman.loop.world import World, carry_out
from arvnodeman.supervision.ending import is_fatal


@dataclass(frozen=True, slots=True)
class DoStep:
    """To an operator: carry out this step, and with it these, which are of its family."""

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
    """Carries out steps, one at a time, in a World of its own. It may wait long for a sick cloud: the watchdog does
    not ping it."""

    def __init__(self, supervision: Supervision, *, number: int, world: World, daemon: Ref) -> None:
        super().__init__(supervision)
        self._number = number
        self._world = world
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
            return carry_out(self._world, steps)
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

    With two operators or more the first is kept for the lane DESTROY, whose steps may also take the others. So boots
    never hold up what saves money. In which order, and what is handed out together: waiting.py.
    """

    start: Callable[[int, Ref], Ref]  # starts the operator with this number, which answers to this daemon actor
    size: int
    now: Callable[[], float] = time.monotonic
    creates: int = 1  # nodes that the cloud makes by one request
    _seats: list[_Seat] = field(default_factory=list)
    _waiting: WaitingSteps = field(init=False)

    def __post_init__(self) -> None:
        self._waiting = WaitingSteps(self.size, self.now, self.creates)

    def open(self, daemon: Ref) -> None:
        """Start the operators, which answer to this daemon actor."""
        self._seats = [_Seat(self.start(number, daemon), daemon) for number in range(self.size)]

    def submit(self, *steps: Step) -> None:
        """Queue steps, and hand them over at once where operators are free."""
        self._waiting.add(steps)
        self._hand_out()

    def freed(self, number: int, *steps: Step) -> None:
        """An operator has ended its steps, and these follow from that."""
        self._seats[number].running = ()
        self.submit(*steps)

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
        return len(self._waiting)

    def is_idle(self) -> bool:
        """No step is running or waiting."""
        return not self._waiting and not any(seat.running for seat in self._seats)

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The operators, by number."""
        return tuple(seat.ref for seat in self._seats)

    def _hand_out(self) -> None:
        for number, seat in enumerate(self._seats):
            if seat.running:
                continue
            running = [other.running[0] for other in self._seats if other.running]
            steps = self._waiting.take(running, only_destroys=self.size > 1 and number == 0)
            if steps:
                seat.running = steps
                tell(seat.ref, DoStep(steps[0], steps[1:]))
