"""A Loop on a World in one thread: polls, steps and wake-ups one after the other, each when its moment has come.

In virtual time a moment comes by itself; in real time, somebody sleeps until `next()`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from arvnodeman.fleet.brain import Brain
from arvnodeman.fleet.messages import Event, Note, Poll, PollFailed, PollNow, Step, StepDone, StepFailed, Tick
from arvnodeman.loop.loop import Loop
from arvnodeman.loop.polling import PollPlan, PollTimes
from arvnodeman.loop.world import World, ask, carry_out


class _Due(NamedTuple):
    """In the order of the moments, then of the numbers, which differ."""

    at: float
    number: int
    step: Step
    answer: StepDone | StepFailed | None = None  # None: not carried out yet


class InTurn:
    """One daemon's life on a World. `takes`: seconds that a step is on its way to the World, and again back from it."""

    def __init__(
        self,
        brain: Brain,
        world: World,
        times: Mapping[Poll, PollTimes],
        *,
        wall: Callable[[], float],
        steady: Callable[[], float],
        write: Callable[[Note], None],
        takes: float = 0.0,
    ) -> None:
        self._world = world
        self._steady = steady
        self._takes = takes
        self._loop = Loop(brain, write=write, poll_now=self._bring_forward, wall=wall, steady=steady)
        now = steady()
        self._plans = {poll: PollPlan(each, now) for poll, each in times.items()}
        self._due: list[_Due] = []
        self._number = 0
        self._next: float | None = None  # None: to be looked for
        self._loop.arm()

    def next(self) -> float:
        """When there is something to be done next."""
        if self._next is None:
            moment = min([plan.planned for plan in self._plans.values()])
            if self._due:
                moment = min(moment, self._due[0].at)
            wakeup = self._loop.wakeup
            self._next = moment if wakeup is None else min(moment, wakeup)
        return self._next

    def turn(self) -> None:
        """Do what comes first. To be called when its moment has come."""
        moment = self.next()
        self._next = None
        if self._due and self._due[0].at <= moment:
            self._go_on(heapq.heappop(self._due))
        elif self._loop.wakeup is not None and self._loop.wakeup <= moment:
            self.tell(Tick())
        else:
            self._poll(next(poll for poll, plan in self._plans.items() if plan.planned <= moment))

    def tell(self, event: Event) -> None:
        """Something else has happened, such as an operator's word."""
        self._next = None
        for step in self._loop.tell(event):
            self._put(_Due(self._steady() + self._takes, self._following(), step))
        self._loop.arm()

    def poll_now(self, polls: Collection[Poll]) -> None:
        """Bring these polls forward."""
        self._next = None
        for poll in polls:
            self._plans[poll].bring_forward(self._steady())

    def sent(self) -> list[tuple[float, Step]]:
        """Steps that are on their way to the World, and when each gets there: they do so also if this one is killed."""
        return [(due.at, due.step) for due in self._due if due.answer is None]

    def _following(self) -> int:
        self._number += 1
        return self._number

    def _put(self, due: _Due) -> None:
        heapq.heappush(self._due, due)

    def _go_on(self, due: _Due) -> None:
        if due.answer is not None:
            self.tell(due.answer)
            return
        (answer,) = carry_out(self._world, (due.step,))
        self._put(_Due(self._steady() + self._takes, self._following(), due.step, answer))

    def _poll(self, poll: Poll) -> None:
        plan = self._plans[poll]
        plan.started = self._steady()
        heard = ask(self._world, poll)
        if isinstance(heard, PollFailed):
            plan.failed(self._steady(), heard.error.retry_after)
        else:
            plan.succeeded(self._steady())
        self.tell(heard)

    def _bring_forward(self, command: PollNow) -> None:
        self.poll_now(command.polls)
