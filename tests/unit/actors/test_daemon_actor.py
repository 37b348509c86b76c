"""The daemon actor: events to the brain, commands to the others, and a wake-up at the moment that the brain names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pykka
import pytest
from actor_doubles import BOUND, CollectingActor, End, HandClock, collecting, running, wait_for

from arvnodeman.actors.base import Ping, Ref
from arvnodeman.actors.daemon import NodeManagerDaemonActor, PollersStarted, WouldDo
from arvnodeman.actors.operators import DoStep, OperatorDied, OperatorPool, StepEnded
from arvnodeman.actors.pollers import BringForward
from arvnodeman.actors.timer import Timer
from arvnodeman.fleet.messages import (
    Command,
    Decided,
    Event,
    ListSizes,
    Note,
    Poll,
    PollNow,
    QueueListed,
    StepDone,
    StepFailed,
    StopAsked,
    Tick,
)
from arvnodeman.fleet.values.model import Policy
from arvnodeman.fleet.view.published import Published
from arvnodeman.fleet.view.view import View
from arvnodeman.loop.loop import SHORTEST_WAKEUP

QUEUE = QueueListed((), 1.0)


class FakeBrain:
    """Answers every event with what was prepared for it."""

    def __init__(self) -> None:
        self.heard: list[tuple[Event, float]] = []
        self.answer: Callable[[Event], Sequence[Command]] = lambda _event: ()
        self.wakeup: float | None = None
        self.views = 0
        self.make_view: Callable[[], None] = lambda: None
        self.boots_at_the_cloud = 0

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        self.heard.append((event, now))
        self.views += 1
        return self.answer(event)

    def next_wakeup(self) -> float | None:
        return self.wakeup

    @property
    def view(self) -> View:
        self.make_view()
        return View(t=float(self.views), policy=Policy(sections=(), shutdown_windows=(1, 1)))


class ArmedTimer:
    """Keeps what was armed."""

    def __init__(self) -> None:
        self.armed: list[tuple[float, object]] = []

    def at(self, moment: float, receiver: Ref, message: object) -> None:
        self.armed.append((moment, message))


class Site:
    """A daemon actor with a brain that is played by the test."""

    def __init__(self) -> None:
        self.hand = HandClock()
        self.end = End(self.hand.clock)
        self.brain = FakeBrain()
        self.timer = ArmedTimer()
        self.published = Published(self.brain.view)
        self.operators: list[tuple[Ref, list[Any]]] = []
        self.ref: Ref

    def _start_operator(self, _number: int, daemon: Ref) -> Ref:
        assert daemon.actor_class is NodeManagerDaemonActor
        box: list[Any] = []
        ref = CollectingActor.start(box)
        self.operators.append((ref, box))
        return ref

    @contextmanager
    def open(self) -> Iterator[Site]:
        with running(
            NodeManagerDaemonActor,
            self.end.supervision,
            brain=self.brain,
            timer=cast("Timer", self.timer),
            operators=OperatorPool(self._start_operator, 2),
            published=self.published,
        ) as ref:
            self.ref = ref
            yield self
        for operator, _ in self.operators:
            operator.stop()

    def send(self, message: object) -> None:
        self.ref.tell(message)
        assert self.ref.ask(Ping(), timeout=BOUND) is True


def test_events_reach_the_brain_with_the_time_and_the_view_is_published() -> None:
    with Site().open() as site:
        site.send(QUEUE)
        assert site.brain.heard == [(QUEUE, site.hand.clock.now())]
        assert site.published.view == site.brain.view


def test_the_time_of_a_cycle_is_also_that_of_making_the_view() -> None:
    """The brain makes it when somebody asks."""

    def take_a_while() -> None:
        site.hand.time += 3.0

    with Site().open() as site:
        site.brain.make_view = take_a_while
        site.send(QUEUE)
        assert site.published.cycles["QueueListed"].seconds == 3.0
        assert site.published.at == site.hand.time


def test_steps_go_to_the_operators_and_their_outcome_to_the_brain() -> None:
    step = ListSizes(4)
    with Site().open() as site:
        site.brain.answer = lambda event: (step,) if event == QUEUE else ()
        site.send(QUEUE)
        box = site.operators[1][1]
        wait_for(lambda: box == [DoStep(step)])
        site.send(StepEnded(1, StepDone(step)))
        assert site.brain.heard[-1][0] == StepDone(step)
        site.send(QUEUE)
        wait_for(lambda: box == [DoStep(step)] * 2, "the operator is free again")


def test_the_step_of_a_dead_operator_is_answered_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    step = ListSizes(4)
    with Site().open() as site:
        site.brain.answer = lambda event: (step,) if event == QUEUE else ()
        site.send(QUEUE)
        site.send(OperatorDied(1, "ActorExit: x"))
        failed = site.brain.heard[-1][0]
        assert isinstance(failed, StepFailed)
        assert failed.step is step
        assert len(site.operators) == 3
    assert "Operator 1 died (ActorExit: x) and is replaced" in caplog.text


def test_notes_are_logged_under_the_name_of_their_role(caplog: pytest.LogCaptureFixture) -> None:
    notes = [
        Note(logging.INFO, "%s: wishlist %d", ("small", 3)),
        Note(logging.WARNING, "Quota exceeded: %s", ("x",), "ComputeNodeSetupActor.token1"),
        Note(logging.DEBUG, "not shown %s", ("y",)),
    ]
    with caplog.at_level(logging.INFO), Site().open() as site:
        site.brain.answer = lambda _event: notes
        site.send(QUEUE)
    lines = [(record.name.partition(".")[0], record.levelno, record.getMessage()) for record in caplog.records]
    assert ("NodeManagerDaemonActor", logging.INFO, "small: wishlist 3") in lines
    assert ("ComputeNodeSetupActor", logging.WARNING, "Quota exceeded: x") in lines
    assert "ComputeNodeSetupActor.token1" in {record.name for record in caplog.records}
    assert "not shown" not in caplog.text
    assert "ComputeNodeSetupActor.token1" not in logging.root.manager.loggerDict, "a logger for every boot would leak"


def test_poll_now_goes_to_the_pollers_that_it_names() -> None:
    with Site().open() as site, collecting() as (cloud, cloud_box), collecting() as (queue, queue_box):
        site.send(PollersStarted({Poll.CLOUD: cloud, Poll.QUEUE: queue}))
        site.brain.answer = lambda _event: (PollNow(frozenset({Poll.CLOUD, Poll.RECORDS})),)
        site.send(QUEUE)
        wait_for(lambda: cloud_box == [BringForward(site.hand.time)])
        assert queue_box == []


def test_the_timer_is_armed_for_the_moment_that_the_brain_names() -> None:
    with Site().open() as site:
        site.brain.wakeup = site.hand.clock.now() + 30.0
        site.send(QUEUE)
        assert site.timer.armed == [(site.hand.time + 30.0, Tick())]
        site.send(QUEUE)
        assert len(site.timer.armed) == 1, "armed once for one moment"
        site.brain.wakeup += 5.0
        site.send(QUEUE)
        assert site.timer.armed[-1] == (site.hand.time + 35.0, Tick())


def test_a_clock_that_is_set_back_does_not_put_off_what_is_armed() -> None:
    """The brain names the moment anew, by the clock as it is now; the timer's own clock goes on."""
    with Site().open() as site:
        site.brain.wakeup = site.hand.clock.now() + 30.0
        site.send(QUEUE)
        site.hand.epoch_offset -= 86_400.0
        site.brain.wakeup = site.hand.clock.now() + 30.0
        site.send(QUEUE)
        assert [moment for moment, _ in site.timer.armed] == [site.hand.time + 30.0] * 2


def test_a_moment_named_again_after_its_tick_is_armed_again_but_never_at_once() -> None:
    """A brain that asks for moments in the past shall not keep a core busy."""
    with Site().open() as site:
        site.brain.wakeup = site.hand.clock.now() - 1.0
        site.send(QUEUE)
        site.send(Tick())
        assert site.timer.armed == [(site.hand.time + SHORTEST_WAKEUP, Tick())] * 2


def test_a_brain_that_raises_ends_the_actor_and_the_process() -> None:
    """What it knows is in doubt then: a restart reads everything anew."""

    def fail(_event: Event) -> Sequence[Command]:
        raise KeyError("node")

    with Site().open() as site:
        site.brain.answer = fail
        site.ref.tell(QUEUE)
        with pytest.raises(pykka.ActorDeadError):
            site.ref.ask(Ping(), timeout=BOUND)
        assert site.end.vitals.counted("actor_exceptions") == 1
        assert site.end.kills == 1


def test_a_fatal_error_in_the_brain_ends_the_process() -> None:
    def fail(_event: Event) -> Sequence[Command]:
        raise MemoryError

    with Site().open() as site:
        site.brain.answer = fail
        site.ref.tell(QUEUE)
        assert site.end.killed.wait(BOUND)


def test_stopped_is_said_when_nothing_is_under_way_any_more() -> None:
    step = ListSizes(4)
    with Site().open() as site:
        site.brain.answer = lambda event: (step,) if event == QUEUE else ()
        site.send(QUEUE)
        assert not site.end.vitals.stopped.is_set()
        site.send(StopAsked())
        assert not site.end.vitals.stopped.is_set(), "a step is running"
        site.send(StepEnded(1, StepDone(step)))
        assert site.end.vitals.stopped.is_set()


def test_stopped_waits_for_boots_that_have_reached_the_cloud() -> None:
    """Between two tries no operator is busy; the next wake-up alone, which may be far away, holds up nothing."""
    with Site().open() as site:
        site.brain.boots_at_the_cloud = 1
        site.brain.wakeup = site.hand.clock.now() + 3600.0
        site.send(StopAsked())
        assert not site.end.vitals.stopped.is_set()
        site.brain.boots_at_the_cloud = 0
        site.send(Tick())
        assert site.end.vitals.stopped.is_set()


def test_what_a_dry_run_would_do_is_a_decision() -> None:
    with Site().open() as site:
        site.send(WouldDo("compute1", "destroy the node compute1"))
        (decision,) = site.published.decisions.after(0)
    assert (decision.kind, decision.subject, decision.at) == (Decided.WOULD, "compute1", site.hand.clock.now())
    assert decision.words == "would destroy the node compute1"
