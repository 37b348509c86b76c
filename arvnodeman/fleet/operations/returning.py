"""What is done with names that no node has, where the scheduler places jobs on them.

A return gives names back whose nodes will not come: GIVE ─▶ OPEN, or CLOSE where its size is closed. The jobs wait in
the queue meanwhile, and are released by a chore of their own. All of this may be lost with the daemon: what lists show
of names and jobs is enough to begin it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from arvnodeman.fleet.messages import Step, StepResult
from arvnodeman.fleet.operations.moves_of_returns import RETURN_MOVES, ReturnStage
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OpenNames, ReleaseJobs
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.values.model import ErrorKind, RemoteError
from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened, PlacedJob
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.work import OUR_CLOSING, OUR_RETURN

SOON = 0.3  # seconds until it is looked again whether names are open, and jobs are back in the queue
MOST_TRIES = 100  # of these looks: what is not done by then, later lists tell of
OPENS_AFTER = 3600.0  # seconds after its time that a closed name opens by itself: nobody else may be there to do it


class NameOperation(Operation):
    """Steps on names that no node has, one after the other. `outcome` is done or failed."""

    def __init__(self, context: OperationContext, hostnames: Sequence[str]) -> None:
        super().__init__(context)
        self.names = tuple(hostnames)
        self.hostnames = frozenset(hostnames)
        self.steps: list[Step] = []
        self.error: RemoteError | None = None
        self._tries = 0

    @property
    def subject(self) -> str:
        """The first of its names."""
        more = f"+{len(self.names) - 1}" if len(self.names) > 1 else ""
        return f"{self.names[0]}{more}" if self.names else str(self.id)

    def begin(self, *steps: Step) -> None:
        """Carry out these steps; number and logger are filled in."""
        self.steps = [replace(step, op=self.id, logger=self.logger) for step in steps]
        self.wake()

    def wake(self) -> None:
        """The next step, or the same again."""
        self.due = None
        if self.steps:
            self.send(self.steps[0])
        else:
            self.outcome = "done"

    def done(self, step: Step, result: StepResult) -> None:
        """On to the next, or what is left of this one once more."""
        self.step = None
        left = _left_of(step, result)
        if left is not None and self._tries < MOST_TRIES:
            self._tries += 1
            self.steps[0] = left
            self.due = self.context.in_round(SOON)
        else:
            self._go_on()

    def _go_on(self) -> None:
        self.fresh_attempts()
        self._tries = 0
        self.steps.pop(0)
        self.wake()

    def failed(self, step: Step, error: RemoteError) -> None:
        """Try again, or end: the lists tell what is to be done."""
        self.step = None
        if error.kind is ErrorKind.GONE:
            self._go_on()
        elif self.give_up_on(error):
            self.error, self.outcome = error, "failed"
            self.context.error("Actor error %s", error.text, logger=self.logger)
        else:
            self.again(error)


def _left_of(step: Step, result: StepResult) -> Step | None:
    """What of a step is not done yet; None: it is."""
    match step:
        case OpenNames() if isinstance(result, NamesOpened):
            opened = frozenset(result.opened)
            names = tuple(name for name in step.hostnames if name not in opened)
            return replace(step, hostnames=names) if names else None
        case ReleaseJobs() if isinstance(result, JobsReleased):
            return replace(step, jobs=result.waiting) if result.waiting else None
    return None


class NameChore(NameOperation):
    """Names are opened, closed or powered up, and jobs are released."""


class Return(NameOperation):
    """Names of one size whose nodes will not come are given back, with the jobs placed on them."""

    def __init__(self, context: OperationContext, hostnames: Sequence[str], size: str, cause: Reason) -> None:
        super().__init__(context, hostnames)
        self.size = size
        self.cause = cause  # why no node comes
        self.given: GivenBack | None = None  # the jobs, once they are back in the queue
        self.noted = False  # the Fleet has taken note of that
        self._stage = ReturnStage.GIVE

    @property
    def stage(self) -> ReturnStage:
        """Where it is."""
        return self._stage

    @stage.setter
    def stage(self, stage: ReturnStage) -> None:
        assert RETURN_MOVES.may(self._stage, stage), f"a return goes from {self._stage.name} to {stage.name}"
        self._stage = stage

    def give(self) -> None:
        """Its jobs go back to the queue, its names down."""
        self.begin(GiveBack(self.id, self.names, said(OUR_RETURN, self.cause, self.context.clock.t)))

    def done(self, step: Step, result: StepResult) -> None:
        """The jobs are back: now the names."""
        if isinstance(step, GiveBack) and isinstance(result, GivenBack):
            self.given = result
            names = tuple(name for name in self.names if name not in result.left)
            shut = tuple(
                name for name in self.names if name not in result.kept
            )  # else the next job has one that is off
            if shut and self.size in self.context.closed:
                self.stage = ReturnStage.CLOSE
                self.steps.append(closing(self.context, shut, self.context.closed[self.size]))
            elif names and self.context.opens(self.size):
                self.stage = ReturnStage.OPEN
                self.steps.append(OpenNames(0, names))
            self.steps[1:] = [replace(each, op=self.id, logger=self.logger) for each in self.steps[1:]]
        super().done(step, result)


def closing(context: OperationContext, names: tuple[str, ...], cause: Reason) -> CloseNames:
    """Close names, until a while after the time at which the cause of it may end."""
    t = context.clock.t
    longest = max(0.0, cause.until - t) if cause.until is not None else 0.0
    return CloseNames(0, names, said(OUR_CLOSING, cause, t), longest + OPENS_AFTER)


def said(kind: str, cause: Reason, t: float) -> str:
    """A reason of ours for people who ask the scheduler."""
    return f"{kind}: {cause.words(t)}"


def releasing(context: OperationContext, jobs: Sequence[PlacedJob], not_before: float | None = None) -> NameChore:
    """Let jobs that were given back be placed at once, or from this moment on (seconds since the epoch)."""
    chore = NameChore(context, ())
    chore.begin(ReleaseJobs(0, tuple(jobs), not_before))
    return chore
