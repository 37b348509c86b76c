"""What jobs have cost is written on them, some at a time, in a thread of its own: nobody else waits for it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from arvnodeman.actors.base import BaseNodeManagerActor, Supervision
from arvnodeman.actors.timer import Timer
from arvnodeman.fence.fence import of_process
from arvnodeman.fleet.values.model import ErrorKind, SchedulerFailure
from arvnodeman.money.runs import JobCost

EVERY = 10.0  # seconds between two rounds
AFTER_FAILURE = 300.0
MOST = 25  # jobs in one round
MOST_KEPT = 500  # jobs, while another manager leads: it may end before it has written on those

_log = logging.getLogger("arvnodeman.payers")


@dataclass(frozen=True, slots=True)
class RoundDue:
    """From the timer."""


class CostWriting:
    """Round by round."""

    def __init__(self, write: Callable[[Sequence[JobCost]], int], costs: deque[JobCost]) -> None:
        """`costs`: somebody else fills it, and it is bounded: what finds no room there is lost."""
        self._write, self._costs = write, costs
        self._trouble = ""

    def round(self) -> float:
        """Write some; seconds to the next round."""
        if not of_process().standing.acts:  # whoever leads writes, also on most of those that are here
            self._drop(len(self._costs) - MOST_KEPT)
            return EVERY
        some = list(islice(self._costs, MOST))
        if not some:
            return EVERY
        try:
            written = self._write(some)
        except SchedulerFailure as failure:
            if failure.error.kind is ErrorKind.NOT_LEADER:
                return EVERY
            if failure.error.text != self._trouble:
                self._trouble = failure.error.text
                _log.warning("what jobs have cost is not written on them: %s", self._trouble)
            if failure.error.kind is ErrorKind.REFUSED:  # the same jobs would be refused again
                self._drop(len(some))
            return AFTER_FAILURE
        self._trouble = ""
        self._drop(len(some))
        _log.debug("wrote on %d of %d jobs that have ended what they cost", written, len(some))
        return EVERY if len(some) < MOST else 0.0

    def _drop(self, count: int) -> None:
        for _ in range(min(count, len(self._costs))):
            self._costs.popleft()


class CostCommentActor(BaseNodeManagerActor):
    """Has a thread of its own, so that a command that takes long holds up nobody."""

    def __init__(self, supervision: Supervision, *, writing: CostWriting, timer: Timer) -> None:
        super().__init__(supervision)
        self._writing, self._timer = writing, timer

    def begin(self) -> None:
        """Plan the first round."""
        self._later(EVERY)

    def receive(self, message: object) -> None:
        """Write some."""
        match message:
            case RoundDue():
                self._later(self._writing.round())
            case _:
                super().receive(message)

    def _later(self, seconds: float) -> None:
        self._timer.at(self._vitals.clock.monotonic() + seconds, self.actor_ref, RoundDue())
