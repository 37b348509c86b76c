"""What a Loop needs of the brain, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from arvnodeman.fleet.messages import Command, Event
from arvnodeman.fleet.view.view import View


class Brain(Protocol):
    """The Fleet as a Loop sees it: sans-I/O, called from one thread at a time, never raising."""

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        """Take in one event and say what is to be done. `now`: seconds since the epoch."""
        ...

    def next_wakeup(self) -> float | None:
        """When a Tick is wanted (seconds since the epoch), or None."""
        ...

    @property
    def view(self) -> View:
        """An immutable snapshot of everything, made when it is asked for after something has changed."""
        ...

    @property
    def boots_at_the_cloud(self) -> int:
        """Boots that have reached the cloud: an orderly stop waits for them."""
        ...
