"""What the daemon shows to other threads: management server, history and last words read it, and take no lock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from arvnodeman.fleet.values.decisions import Decisions
from arvnodeman.fleet.view.view import View


@dataclass(frozen=True, slots=True)
class Cycles:
    """How long the daemon took for events of one kind, the brain and what it commanded together."""

    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def plus(self, seconds: float) -> Cycles:
        """One more."""
        return Cycles(self.count + 1, self.seconds + seconds, max(self.longest, seconds))


@dataclass(slots=True)
class Published:
    """Written by the daemon actor alone, which replaces values whole."""

    view: View  # the brain's
    at: float = 0.0  # monotonic: when the view was made
    decisions: Decisions = field(default_factory=Decisions)
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind of step, ok or kind of error) -> how many
    cycles: dict[str, Cycles] = field(default_factory=dict)  # by the name of the event
    queued: int = 0  # steps that no operator has taken yet
