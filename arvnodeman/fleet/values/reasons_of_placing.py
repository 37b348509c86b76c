"""Why, where the scheduler itself places jobs on names whose nodes are off: of these jobs, and of the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from arvnodeman.fleet.values.reasons import Reason

_SHOWN = 8  # names of one job


def _some(names: Sequence[str]) -> str:
    """The first of a job's names: it may have a thousand, and the text stands on the job in Slurm, too."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@dataclass(frozen=True, slots=True)
class Comes(Reason):
    """The nodes for the names that it is placed on are there or on their way."""

    names: tuple[str, ...] = ()

    def words(self, t: float) -> str:
        """placed on s-1, whose node is on its way."""
        whose = "whose node is" if len(self.names) == 1 else "whose nodes are"
        return f"placed on {_some(self.names)}, {whose} on the way"


@dataclass(frozen=True, slots=True)
class Starts(Comes):
    """The nodes for the names that it is placed on are up, and the scheduler has not started it yet."""

    def words(self, t: float) -> str:
        """placed on s-1, whose node is up: Slurm starts it at one of its looks, 30 s apart."""
        whose = "whose node is" if len(self.names) == 1 else "whose nodes are"
        return f"placed on {_some(self.names)}, {whose} up: Slurm starts it at one of its looks, 30 s apart"


@dataclass(frozen=True, slots=True)
class Clears(Reason):
    """Names that it is placed on are being given back, or an earlier node of theirs goes first."""

    names: tuple[str, ...] = ()

    def words(self, t: float) -> str:
        """placed on s-1: given back now, or an earlier node has to go first."""
        return f"placed on {_some(self.names)}: given back now, or an earlier node has to go first"


@dataclass(frozen=True, slots=True)
class Unread(Reason):
    """The queue shows it on names of which the newest list tells something else: one of the two is older."""

    names: tuple[str, ...] = ()

    def words(self, t: float) -> str:
        """placed on s-1, as the queue says: the list of nodes does not say so, and is read again."""
        text = "as the queue says: the list of nodes does not say so, and is read again"
        return f"placed on {_some(self.names)}, {text}"


@dataclass(frozen=True, slots=True)
class OnShut(Reason):
    """One of the names that it is placed on was drained or set down meanwhile: the scheduler puts the job back."""

    names: tuple[str, ...] = ()
    hostname: str = ""
    said: str = ""
    reason: str = ""

    def words(self, t: float) -> str:
        """placed on s-1, s-2: Slurm says drain~ of s-2 (disk)."""
        why = f" ({self.reason})" if self.reason else ""
        return f"placed on {_some(self.names)}: Slurm says {self.said} of {self.hostname}{why}"


@dataclass(frozen=True, slots=True)
class Returned(Reason):
    """It was placed on names whose nodes cannot come, and was given back."""

    names: tuple[str, ...] = ()
    cause: Reason | None = None

    def words(self, t: float) -> str:
        """no node came for s-1, so it waits for another: m5.large rests for 43 s: the cloud has no capacity for it."""
        why = f": {self.cause.words(t)}" if self.cause is not None else ""
        return f"no node came for {_some(self.names)}, so it waits for another{why}"


@dataclass(frozen=True, slots=True)
class StaysPlaced(Reason):
    """Its node cannot come now, and it would be lost if it was given back, since its user waits at a terminal."""

    names: tuple[str, ...] = ()
    cause: Reason | None = None

    def words(self, t: float) -> str:
        """no node comes for s-1 now, and giving it back would end it; tried again until Slurm gives up: ..."""
        why = f": {self.cause.words(t)}" if self.cause is not None else ""
        return f"no node comes for {_some(self.names)} now, and giving it back would end it; tried again{why}"


@dataclass(frozen=True, slots=True)
class LeftToLarger(Reason):
    """Names stay closed while a job of several nodes waits that would be placed there, and sent back by a limit."""

    nodes: int = 0
    room: int = 0

    def words(self, t: float) -> str:
        """a job of 2 nodes waits, and there is room for 1: no more names are open."""
        return f"a job of {self.nodes} nodes waits, and there is room for {self.room}: no more names are open"


@dataclass(frozen=True, slots=True)
class PoweredOff(Reason):
    """The scheduler has powered the name of a node down, and no job can be on it."""

    goes: ClassVar[bool] = True
    said: str = ""

    def words(self, t: float) -> str:
        """Slurm has powered its name down (idle~)."""
        return "Slurm has powered its name down" + (f" ({self.said})" if self.said else "")


@dataclass(frozen=True, slots=True)
class FromBefore(Reason):
    """Its name waits for a newer node, or has one."""

    goes: ClassVar[bool] = True
    hostname: str = ""

    def words(self, t: float) -> str:
        """s-1 waits for a newer node, or has one."""
        return f"{self.hostname} waits for a newer node, or has one"


@dataclass(frozen=True, slots=True)
class NotListed(Reason):
    """The scheduler does not show the name: that may be a fault of its configuration, and tells nothing of the node."""

    hostname: str = ""

    def words(self, t: float) -> str:
        """Slurm does not show its name s-1: nothing is done about it."""
        named = f" {self.hostname}" if self.hostname else ""
        return f"Slurm does not show its name{named}: nothing is done about it"


@dataclass(frozen=True, slots=True)
class InHands(Reason):
    """Somebody else has drained it, set it down, or has work of his own with it."""

    said: str = ""
    reason: str = ""

    def words(self, t: float) -> str:
        """Slurm says drain (disk): somebody else works on it."""
        why = f" ({self.reason})" if self.reason else ""
        return f"Slurm says {self.said}{why}: somebody else works on it"
