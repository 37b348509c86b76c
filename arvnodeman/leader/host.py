"""One manager on one host: the kernel says who leads, by the locks of supervision/one_writer.py.

They are taken before the process goes into the background, and end with it: who runs, leads, and nothing ages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arvnodeman.leader.port import NEVER_AGES, Hold, Holder, LeadCandidate

if TYPE_CHECKING:
    from arvnodeman.config import Settings


class HostLeadership:
    """Of a process that holds its host's locks. Any thread; nothing waits."""

    def __init__(self, _settings: Settings, candidate: LeadCandidate) -> None:
        self._name = candidate.name
        self._generation = 0  # nobody counts: one host needs no generations

    def take(self, at_least: int = 0) -> Hold | None:
        """It leads. Nodes that were made under an elected leader, at this site before, have a generation: that of this
        one is above it then."""
        if at_least:
            self._generation = max(self._generation, at_least + 1)
        return self.hold()

    def hold(self) -> Hold:
        """Nothing to renew."""
        return Hold(self._generation, NEVER_AGES)

    def give_up(self) -> None:
        """The locks go with the process."""

    def who(self) -> Holder | None:
        """This process."""
        return Holder(self._name, self._generation)
