"""A brain with somebody who looks on, such as a journal: what goes in and what comes out is told, nothing else is
different."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arvnodeman.fleet.brain import Brain
from arvnodeman.fleet.messages import Command, Event
from arvnodeman.fleet.view.view import View

Watcher = Callable[[Event, float, Sequence[Command]], None]


class WatchedBrain:
    """A Fleet, and who looks on."""

    def __init__(self, fleet: Brain, told: Watcher) -> None:
        self._fleet = fleet
        self._told = told
        self.next_wakeup = fleet.next_wakeup

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        """Take in one event and say what is to be done. One that the brain dies of is told, too."""
        commands: Sequence[Command] = ()
        try:
            commands = self._fleet.handle(event, now)
        finally:
            self._told(event, now, commands)
        return commands

    @property
    def view(self) -> View:
        """The newest snapshot."""
        return self._fleet.view

    @property
    def boots_at_the_cloud(self) -> int:
        """Boots that have reached the cloud."""
        return self._fleet.boots_at_the_cloud
