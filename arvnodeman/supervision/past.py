"""What is known of earlier runs, as values: how the last one ended, counts by cause, and whether they end too soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from arvnodeman.supervision.clock import wall_time
from arvnodeman.supervision.ending import ExitKind

SAFE_AFTER = 3  # quick ends of one kind in a row
SHORTEST_SAFE_MODE = 60.0  # seconds; doubled with each further quick end
LONGEST_SAFE_MODE = 900.0
QUICK = 1800.0  # seconds; a run that lasts longer is not a quick end
# Their causes lie outside: safe mode would not help.
NOT_COUNTED = frozenset({ExitKind.HOPELESS, ExitKind.OUTSIDE})

WORDS = {
    ExitKind.CLEAN: "in order",
    ExitKind.WATCHDOG: "by its own watchdog",
    ExitKind.HOPELESS: "by its own watchdog, for a list that was hopelessly stale",
    ExitKind.FATAL: "by a fatal error",
    ExitKind.STUCK: "by the C timer or the service manager, since its watchdog had stopped",
    ExitKind.CRASH: "by a crash of the interpreter",
    ExitKind.FAILED: "by an error of its main thread",
    ExitKind.OUTSIDE: "killed from outside",
}


@dataclass(frozen=True, slots=True)
class End:
    """How one run ended."""

    kind: ExitKind
    subject: str  # which actor, list, error or signal
    at: float | None = None  # seconds since the epoch
    lasted: float | None = None  # seconds; None: nobody knows

    @property
    def words(self) -> str:
        """The end in a few words, to follow `The last run ended`."""
        told = WORDS.get(self.kind, self.kind.value) + (f": {self.subject}" if self.subject else "")
        if self.at is not None:
            told += f", at {wall_time(self.at)}"
        return told + (f", after {self.lasted:.0f} s" if self.lasted is not None else "")


@dataclass(frozen=True, slots=True)
class Past:
    """All that a run knows of those before it."""

    last: End | None = None  # None: this is the first that is known
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # ends by cause
    quick: int = 0  # quick ends of one kind in a row, the last ones
    safe_for: float = 0.0  # seconds of safe mode that this run begins with; 0: none


def quick_ends(ends: Sequence[End], watchdog: float) -> int:
    """How many of the last runs, oldest first in `ends`, ended in one and the same way, each before it had lasted for
    3 × `watchdog` and for 30 minutes. Ends that nobody here is to blame for are passed over, unless they came late."""
    enough = max(3 * watchdog, QUICK)
    found: list[End] = []
    for end in reversed(ends):
        if end.kind is ExitKind.CLEAN or (end.lasted is not None and end.lasted > enough):
            break
        if end.kind in NOT_COUNTED:
            continue
        if found and end.kind is not found[0].kind:
            break
        found.append(end)
    return len(found)


def safe_mode(quick: int) -> float:
    """Seconds of safe mode after so many quick ends in a row: from 1 minute, doubling, to 15."""
    if quick < SAFE_AFTER:
        return 0.0
    return min(LONGEST_SAFE_MODE, SHORTEST_SAFE_MODE * 2.0 ** min(quick - SAFE_AFTER, 10))
