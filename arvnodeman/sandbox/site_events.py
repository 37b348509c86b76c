"""The site's own record of what happened, from which the tests, the verdict and the demo read."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass

from arvnodeman.sandbox.clock import SiteClock


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """One thing that happened. `at`: real time; `kind`: a word such as node-created, job-started, fault."""

    seq: int
    at: float
    kind: str
    subject: str
    text: str


class SiteEvents:
    """The newest events, and counts of all by kind. Used under the site's lock."""

    def __init__(self, clock: SiteClock, keep: int = 20_000) -> None:
        self._clock = clock
        self._newest: deque[SiteEvent] = deque(maxlen=keep)
        self._seq = 0
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, subject: str, text: str = "") -> None:
        """Record one event, now."""
        self._seq += 1
        self.counts[kind] += 1
        self._newest.append(SiteEvent(self._seq, self._clock.wall(), kind, subject, text))

    def since(self, seq: int, kind: str = "") -> list[dict[str, object]]:
        """Those after number `seq`, oldest first, of one kind if asked."""
        found: list[dict[str, object]] = []
        for event in reversed(self._newest):
            if event.seq <= seq:
                break
            if not kind or event.kind == kind:
                found.append(asdict(event))
        return found[::-1]
