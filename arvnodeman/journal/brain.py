"""A brain with a journal: what goes in is noted, nothing else is different."""

from __future__ import annotations

from collections.abc import Sequence

from arvnodeman.fleet.brain import Brain
from arvnodeman.fleet.messages import Command, Event
from arvnodeman.fleet.view.view import View
from arvnodeman.journal.writer import Journal


class JournalledBrain:
    """The Fleet, as the daemon actor sees it."""

    def __init__(self, fleet: Brain, journal: Journal) -> None:
        self._fleet = fleet
        self._journal = journal

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        """Take in one event and say what is to be done. One that the brain dies of is noted, too."""
        commands: Sequence[Command] = ()
        try:
            commands = self._fleet.handle(event, now)
        finally:
            self._journal.note(event, now, commands)
        return commands

    def next_wakeup(self) -> float | None:
        """When a Tick is wanted."""
        return self._fleet.next_wakeup()

    @property
    def view(self) -> View:
        """The newest account."""
        return self._fleet.view

    @property
    def boots_at_the_cloud(self) -> int:
        """Boots that have reached the cloud."""
        return self._fleet.boots_at_the_cloud
