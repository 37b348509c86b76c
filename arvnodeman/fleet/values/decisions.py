"""Decisions that are worth a line of their own in the list that operators read, and the newest thousand of them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

KEPT = 1000


class Decided(StrEnum):
    """What a decision is about, for people who look for one kind of them."""

    BOOT = "boot"  # a node is to be booted
    CREATED = "created"  # the cloud has made it
    BOOT_STOPPED = "boot stopped"  # nobody needs the node any more
    BOOT_FAILED = "boot failed"  # the cloud refuses it, or the node never came up
    HELD_BACK = "held back"  # a limit stops boots
    QUOTA = "quota"  # a limit learnt from the cloud has changed
    REST = "rest"  # a size rests
    SHUTDOWN = "shutdown"  # a node is to go
    KEPT = "kept"  # a shutdown is taken back
    DESTROYED = "destroyed"  # the cloud has destroyed it
    GONE = "gone"  # it went without us
    RECLAIMED = "reclaimed"  # the cloud has given notice that it takes a spot node back
    CLEAN = "clean"  # a node record without a node gives its slot back
    CANCEL = "cancel"  # a job that can never run
    IN_VAIN = "in vain"  # Slurm did not use a node for the jobs that it was up for
    TRIED_AGAIN = "tried again"  # nodes for such jobs
    BUDGET = "budget"  # most of one is spent, or all
    LEAD = "lead"  # this manager leads, or does so no more
    WORD = "word"  # an operator spoke
    DOUBT = "doubt"  # a list, or Slurm's word on many nodes, is not believed
    WOULD = "would"  # dry run: a command that was not given


class Decision(NamedTuple):
    """One decision, put into words when somebody asks."""

    serial: int  # counts up from 1 in each run
    at: float  # seconds since the epoch
    kind: Decided
    subject: str  # node, size, job or list
    text: str  # with % placeholders
    args: tuple[object, ...] = ()

    @property
    def words(self) -> str:
        """The line as the log has it."""
        return self.text % self.args if self.args else self.text


class Decisions:
    """A ring of the newest ones. One thread adds, any thread may read, and nobody takes a lock.

    A decision is in its place before `last` names it, and a reader leaves out what was overtaken while he read."""

    def __init__(self, kept: int = KEPT) -> None:
        self._ring: list[Decision | None] = [None] * kept
        self._last = 0

    def add(self, at: float, kind: Decided, subject: str, text: str, args: tuple[object, ...] = ()) -> None:
        """Keep one more, and forget the oldest. To be called by one thread alone."""
        serial = self._last + 1
        self._ring[serial % len(self._ring)] = Decision(serial, at, kind, subject, text, args)
        self._last = serial

    def after(self, serial: int) -> list[Decision]:
        """Those with a higher serial number that are still kept, oldest first."""
        last, kept = self._last, len(self._ring)
        places = range(max(serial, last - kept, 0) + 1, last + 1)
        found = ((number, self._ring[number % kept]) for number in places)
        return [each for number, each in found if each is not None and each.serial == number]

    @property
    def last(self) -> int:
        """The serial number of the newest; 0 before the first."""
        return self._last
