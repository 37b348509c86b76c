"""A Loop on a World in one thread: what is asked when, in which order, and what the brain hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.messages import (
    CloudListed,
    Command,
    Event,
    ListSizes,
    LookAtNode,
    Note,
    Poll,
    PollFailed,
    PollNow,
    QueueListed,
    RecordsListed,
    Step,
    StepDone,
    StepFailed,
    Tick,
)
from arvnodeman.fleet.values.model import ErrorKind, Policy, RemoteError, RemoteFailure, SchedulerFailure
from arvnodeman.fleet.view.view import View
from arvnodeman.loop.in_turn import InTurn
from arvnodeman.loop.polling import PollTimes
from arvnodeman.loop.world import Answer, Listed, ask, carry_out

AWAY = RemoteError(ErrorKind.TRANSIENT, "it is away")


@dataclass
class ScriptedBrain:
    """Says what it was given to say."""

    view: View
    boots_at_the_cloud: int = 0
    says: dict[type[Event], list[Command]] = field(default_factory=dict)
    heard: list[tuple[float, Event]] = field(default_factory=list)
    wakeup: float | None = None

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        """What is said to events of a kind is said once."""
        self.heard.append((now, event))
        return self.says.pop(type(event), [])

    def next_wakeup(self) -> float | None:
        """As it was set."""
        return self.wakeup


@dataclass
class ScriptedWorld:
    """Empty lists; some polls and steps fail."""

    failing: set[Poll] = field(default_factory=set)
    refused: set[type[Step]] = field(default_factory=set)
    asked: list[Poll | Step] = field(default_factory=list)

    def list(self, poll: Poll) -> Listed:
        """An empty list."""
        self.asked.append(poll)
        if poll in self.failing:
            raise SchedulerFailure(AWAY)
        match poll:
            case Poll.CLOUD:
                return CloudListed((), 0.0)
            case Poll.RECORDS:
                return RecordsListed((), None, 0.0)
            case Poll.QUEUE:
                return QueueListed((), 0.0)

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """Nothing is done."""
        self.asked.extend(steps)
        if type(steps[0]) in self.refused:
            raise RemoteFailure(AWAY)
        return [None for _ in steps]


@dataclass
class Stage:
    """An InTurn and a clock that is moved by hand."""

    brain: ScriptedBrain
    world: ScriptedWorld = field(default_factory=ScriptedWorld)
    now: float = 1000.0
    skew: float = 0.0
    notes: list[Note] = field(default_factory=list)
    turns: InTurn = field(init=False)

    def begin(self, takes: float = 0.0) -> None:
        """Polls of a minute, five after failures."""
        self.turns = InTurn(
            self.brain,
            self.world,
            dict.fromkeys(Poll, PollTimes(60.0, 300.0)),
            wall=lambda: self.now + self.skew,
            steady=lambda: self.now,
            write=self.notes.append,
            takes=takes,
        )

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.turns.next() <= end:
            self.now = max(self.now, self.turns.next())
            self.turns.turn()
        self.now = end

    def times(self, kind: type[Event]) -> list[float]:
        """When events of a kind were told."""
        return [at for at, event in self.brain.heard if isinstance(event, kind)]


def stage(takes: float = 0.0) -> Stage:
    policy = Policy(sections=(), shutdown_windows=(0.0, 60.0))
    made = Stage(ScriptedBrain(View(0.0, policy)))
    made.begin(takes)
    return made


def test_each_list_comes_at_once_and_then_every_minute() -> None:
    at = stage()
    at.run(125)
    for kind in (CloudListed, RecordsListed, QueueListed):
        assert at.times(kind) == [1000, 1060, 1120]


def test_a_poll_that_fails_is_asked_less_and_less_and_then_as_before() -> None:
    at = stage()
    at.world.failing = {Poll.CLOUD}
    at.run(900)
    assert at.times(PollFailed) == [1000, 1120, 1360, 1660]
    (_, failed) = next(heard for heard in at.brain.heard if isinstance(heard[1], PollFailed))
    assert failed == PollFailed(Poll.CLOUD, AWAY, slurm=True)
    at.world.failing.clear()
    at.run(200)
    assert at.times(CloudListed) == [1960, 2020, 2080]


def test_polls_are_brought_forward_but_for_those_that_fail() -> None:
    at = stage()
    at.world.failing = {Poll.CLOUD}
    at.run(10)
    at.brain.says[Tick] = [PollNow(frozenset(Poll))]
    at.turns.tell(Tick())
    at.run(20)
    assert at.times(QueueListed) == [1000, 1010]
    assert at.times(PollFailed) == [1000]


def test_a_step_goes_there_and_its_answer_comes_back() -> None:
    at = stage(takes=0.5)
    step = ListSizes(1)
    at.brain.says[Tick] = [step, Note(20, "so it is")]
    at.turns.tell(Tick())
    assert at.turns.sent() == [(1000.5, step)]
    at.run(5)
    assert at.world.asked[-1] == step
    assert at.brain.heard[-1] == (1001.0, StepDone(step))
    assert [note.text for note in at.notes] == ["so it is"]
    assert not at.turns.sent()


def test_what_was_asked_first_is_answered_first() -> None:
    at = stage(takes=0.5)
    steps = [LookAtNode(number, "compute1") for number in range(20)]
    at.brain.says[Tick] = list(steps)
    at.turns.tell(Tick())
    at.run(5)
    assert [event.step for _, event in at.brain.heard if isinstance(event, StepDone)] == steps


def test_a_step_that_fails_is_told_of_and_not_tried_again() -> None:
    at = stage()
    step = ListSizes(1)
    at.world.refused = {ListSizes}
    at.brain.says[Tick] = [step]
    at.turns.tell(Tick())
    at.run(5)
    assert [event for _, event in at.brain.heard if isinstance(event, StepFailed)] == [StepFailed(step, AWAY)]
    assert at.world.asked.count(step) == 1


def test_the_brain_is_woken_when_it_said_so_last() -> None:
    at = stage()
    at.brain.wakeup = 1050.0
    at.run(10)
    at.brain.wakeup = 1030.0
    at.brain.says[CloudListed] = [PollNow(frozenset({Poll.QUEUE}))]
    at.run(80)
    assert at.times(Tick)[0] == 1050.0
    at.brain.wakeup = None
    at.turns.tell(Tick())
    heard = len(at.times(Tick))
    at.run(1000)
    assert len(at.times(Tick)) == heard


def test_the_wall_clock_may_be_wrong_and_a_moment_in_the_past_comes_soon_and_not_at_once() -> None:
    at = stage()
    at.skew = -3600.0
    at.brain.wakeup = 1000.0 - 3600.0 + 20.0
    at.turns.tell(Tick())
    at.brain.heard.clear()
    at.run(21)
    assert at.times(Tick)[0] == 1020.0 - 3600.0
    assert len(at.times(Tick)) == 1 + int(1.0 / 0.05)


def test_what_a_world_answers_is_told_as_events() -> None:
    world, steps = ScriptedWorld(failing={Poll.QUEUE}), (LookAtNode(1, "a"), LookAtNode(2, "b"))
    assert ask(world, Poll.QUEUE) == PollFailed(Poll.QUEUE, AWAY, slurm=True)
    assert ask(world, Poll.CLOUD) == CloudListed((), 0.0)
    assert carry_out(world, steps) == [StepDone(steps[0]), StepDone(steps[1])]
    world.refused = {LookAtNode}
    assert carry_out(world, steps) == [StepFailed(steps[0], AWAY), StepFailed(steps[1], AWAY)]
