"""What all operations have in common: one step at a time, answers as events, retries at moments of their own.

An operation never waits and never sleeps. It sends a step, and goes on when the answer comes or when the time that it
set itself (`due`) has come. It ends by setting `outcome`; the Fleet looks at that after every event it has passed on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from arvnodeman.fleet.messages import DEBUG, ERROR, INFO, WARNING, Command, Decided, Note, Step, StepResult
from arvnodeman.fleet.nodes.polls import BrainClock
from arvnodeman.fleet.values.gate import AT_FIRST, Gate
from arvnodeman.fleet.values.model import UNSENT, ErrorKind, Policy, RemoteError
from arvnodeman.fleet.values.reasons import Reason

NOT_LEADER_WAIT = 2.0  # seconds between two attempts while it is not sure that this manager leads


@dataclass(frozen=True, slots=True)
class PartlyOpen:
    """Of a size so many free names may have jobs, and why no more."""

    names: int
    cause: Reason


@dataclass(slots=True)
class OperationContext:
    """What operations share with the Fleet: the clock, the options, and the way out."""

    policy: Policy
    clock: BrainClock
    gate: Gate = AT_FIRST  # what may go out now
    out: list[Command] = field(default_factory=list)
    least: int = DEBUG  # lines below this level are not made, for nobody reads them
    counters: Counter[str] = field(default_factory=Counter)
    unknown_errors: Counter[str] = field(default_factory=Counter)  # of the cloud, in no table of ours, by their names
    last_id: int = 0
    last_offer_id: int = 0
    shutdowns: int = 0  # under way
    closed: Mapping[str, Reason] = field(default_factory=dict)  # sizes on whose names no job is to be placed, and why
    leave_open: Mapping[str, PartlyOpen] = field(default_factory=dict)  # sizes of which only some names may have jobs
    rounds: dict[float, float] = field(default_factory=dict)  # by their length: when the next one is

    def in_round(self, wait: float) -> float:
        """The steady time after about `wait` seconds: with all others that wait so long, since one request can ask for
        many nodes. It is at least half of that away."""
        t = self.clock.t
        if not t + wait / 2 <= self.rounds.get(wait, t) <= t + wait:
            self.rounds[wait] = t + wait
        return self.rounds[wait]

    def opens(self, size: str) -> bool:
        """May any free name of a size have jobs?"""
        return size not in self.closed and size not in self.leave_open

    def next_id(self) -> int:
        """A number for a new operation."""
        self.last_id += 1
        return self.last_id

    def next_offer_id(self) -> int:
        """A number for an operation on names that nobody has: below 0, so that those of nodes go on as without it."""
        self.last_offer_id -= 1
        return self.last_offer_id

    def tells(self, level: int) -> bool:
        """Does anybody read lines of this level?"""
        return level >= self.least

    def note(self, level: int, text: str, *args: object, logger: str = "") -> None:
        """One line for the log."""
        if level >= self.least:
            self.out.append(Note(level, text, args, logger))

    def debug(self, text: str, *args: object, logger: str = "") -> None:
        """One line at DEBUG."""
        self.note(DEBUG, text, *args, logger=logger)

    def info(self, text: str, *args: object, logger: str = "") -> None:
        """One line at INFO."""
        self.note(INFO, text, *args, logger=logger)

    def warning(self, text: str, *args: object, logger: str = "") -> None:
        """One line at WARNING."""
        self.note(WARNING, text, *args, logger=logger)

    def error(self, text: str, *args: object, logger: str = "") -> None:
        """One line at ERROR."""
        self.note(ERROR, text, *args, logger=logger)

    def decide(
        self, kind: Decided, subject: str, text: str, *args: object, level: int = INFO, logger: str = ""
    ) -> None:
        """One line for the log and for the list of decisions."""
        self.out.append(Note(level, text, args, logger, kind, subject))

    def take(self) -> list[Command]:
        """All commands gathered since the last call."""
        out, self.out = self.out, []
        return out


class Operation:
    """The base: keeps the one step under way, counts attempts, sets the time of the next."""

    role = "ComputeNodeUpdateActor"

    def __init__(self, context: OperationContext) -> None:
        self.context = context
        self.id = self.number(context)
        self.began = context.clock.t
        self.step: Step | None = None  # sent, not answered yet
        self.due: float | None = None  # steady time at which wake() is called
        self.outcome: str | None = None
        self.attempts = 0  # failed ones of the present stage
        self.trouble: RemoteError | None = None  # what it waits for, while it waits for another attempt
        self._wait = 0.0
        self.scheduled: float | None = None  # the `due` that the Fleet has taken note of

    @staticmethod
    def number(context: OperationContext) -> int:
        """By which its steps are known."""
        return context.next_id()

    @property
    def subject(self) -> str:
        """What the operation works on, as the tail of its logger's name."""
        return str(self.id)

    @property
    def logger(self) -> str:
        """The logger of this operation."""
        return f"{self.role}.{self.subject}"

    def send(self, step: Step) -> None:
        """Give a step to the operators."""
        self.step, self.due, self.trouble = step, None, None
        self.context.out.append(step)

    def done(self, step: Step, result: StepResult) -> None:
        """The step under way has been carried out."""
        raise NotImplementedError

    def failed(self, step: Step, error: RemoteError) -> None:
        """The step under way has failed."""
        raise NotImplementedError

    def wake(self) -> None:
        """The time set in `due` has come."""
        raise NotImplementedError

    def again(self, error: RemoteError) -> None:
        """Set the time of the next attempt: doubling from 1 s to max_poll_time, or what the server asked for."""
        longest = max(1.0, self.context.policy.max_poll_time)
        self._wait = min(max(1.0, self._wait * 2), longest)
        wait = self._wait
        if error.retry_after:  # 0 or nothing keeps the doubling (row A12)
            wait = min(max(1.0, error.retry_after), longest)
        self.trouble = error
        level = WARNING
        if error.kind is ErrorKind.NOT_LEADER:  # that is told of once, by whoever finds it out
            wait, self._wait, level = NOT_LEADER_WAIT, 0.0, DEBUG
        elif error.kind is ErrorKind.THROTTLED:
            self.context.counters["throttled"] += 1
            self.context.counters["throttled_seconds"] += round(wait)
        else:
            self.attempts += 1
        self.due = self.context.clock.t + wait
        text = "Client error: %s - scheduling retry in %.3g seconds"
        self.context.note(level, text, error.text, wait, logger=self.logger)

    def fresh_attempts(self) -> None:
        """A new stage: its attempts are counted anew."""
        self.attempts, self._wait = 0, 0.0

    def give_up_on(self, error: RemoteError) -> bool:
        """Is there no point in trying this step again? What was not sent uses up no attempts, nor does it end any."""
        if error.kind is ErrorKind.TRANSIENT:
            return self.attempts + 1 >= self.context.policy.boot_attempts
        return error.kind not in UNSENT
