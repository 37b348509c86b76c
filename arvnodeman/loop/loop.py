"""The Loop: events go in, steps come out; what else the brain wants is passed on, and its next moment is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arvnodeman.fleet.brain import Brain
from arvnodeman.fleet.messages import Command, Event, Note, PollNow, Step, Tick

SHORTEST_WAKEUP = 0.05  # seconds: a brain that asks for moments in the past shall not keep a core busy


class Loop:
    """Drives a brain. It has no thread and no clock: whoever holds it tells the time, carries the steps to a World and
    brings the answers back as events, at once (in_turn.py) or later, from other threads (the daemon actor)."""

    def __init__(
        self,
        brain: Brain,
        *,
        write: Callable[[Note], None],
        poll_now: Callable[[PollNow], None],
        wall: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        """`wall`: seconds since the epoch; `steady`: seconds of a clock that is never set."""
        self.brain = brain
        self._write = write
        self._poll_now = poll_now
        self._wall = wall
        self._steady = steady
        self._named: float | None = None  # what the brain has said last of when it wants to be woken (wall)
        self.wakeup: float | None = None  # when that is (steady); None: an event will come anyway

    def tell(self, event: Event) -> list[Step]:
        """Hand an event to the brain. Returns the steps that it commands; those of events that came together are to be
        handed out together, since they may be one command for many nodes."""
        if isinstance(event, Tick):
            self._named = self.wakeup = None
        steps: list[Step] = []
        commands: Sequence[Command] = self.brain.handle(event, self._wall())
        for command in commands:
            match command:
                case Step():
                    steps.append(command)
                case Note():
                    self._write(command)
                case PollNow():
                    self._poll_now(command)
        return steps

    def arm(self) -> float | None:
        """Look when the brain wants to be woken. `wakeup`, when that is another moment than before."""
        named = self.brain.next_wakeup()
        if named is None or named == self._named:
            return None
        self._named = named
        self.wakeup = self._steady() + max(SHORTEST_WAKEUP, named - self._wall())
        return self.wakeup
