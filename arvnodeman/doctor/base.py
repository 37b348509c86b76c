"""What a check is: does it occur, is one that was found still there, what mends it, may that be done by itself?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arvnodeman.doctor.facts import Facts
    from arvnodeman.doctor.remedies import Remedies

_SHOWN = 5  # names in one line


class Area(StrEnum):
    """What a check judges."""

    FILE = "the configuration file"
    SETUP = "slurm.conf"
    SLURM = "Slurm as it is now"
    CLOUD = "the cloud"
    ARVADOS = "Arvados"
    MACHINE = "this machine"
    DAEMON = "the running daemon"


class CannotTell(Exception):
    """What a check judges could not be fetched. The text says why, in one line. `refused`: we may not have it."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


class NotHere(CannotTell):
    """This site has nothing of the kind: there is nothing to be judged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong: one line that says what and where. `about`: the one thing that it is about, as a node's name;
    '' where the line says it all."""

    text: str
    about: str = ""
    check: str = ""  # the name of the check that found it
    grave: bool = True
    mends: str = ""  # what mends it, for people
    by_itself: bool = False  # `doctor --fix` may do that


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `find` raises CannotTell where what it judges could not be fetched."""

    name: str  # words with hyphens
    area: Area
    says: str  # what is wrong when it occurs, in general
    mends: str  # what mends it
    find: Callable[[Facts], Iterator[Finding]]
    grave: bool = True  # else it is for somebody to look at
    places: bool | None = None  # only where Slurm places jobs on names that are off (True), or only where not
    cheap: bool = True  # the daemon examines it hourly
    mend: Callable[[Finding, Remedies], str] | None = None
    """Does what mends one finding, and says what it did. RemoteFailure where that is refused. None: that is for people.
    """

    def occurs(self, facts: Facts) -> Iterator[Finding]:
        """What it finds, each with all that is known of it. Raises CannotTell."""
        if not self.is_for(places=facts.settings().places if self.places is not None else False):
            raise NotHere("does not apply to this setup")
        for found in self.find(facts):
            fixable = found.by_itself and self.mend is not None
            yield replace(found, check=self.name, grave=self.grave, mends=self.mends, by_itself=fixable)

    def is_for(self, *, places: bool) -> bool:
        """Is there such a thing where Slurm places jobs on names that are off, or where it does not?"""
        return self.places is None or self.places is places

    def still_there(self, found: Finding, facts: Facts) -> bool:
        """Is what was found still there, by facts that are newer? Raises CannotTell."""
        key = found.about or found.text
        return any(key == (each.about or each.text) for each in self.occurs(facts))


def findings(lines: Iterable[str]) -> Iterator[Finding]:
    """Lines that say it all, as findings."""
    return map(Finding, lines)


def first_of(names: Sequence[str]) -> str:
    """The first of some names, for people."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
