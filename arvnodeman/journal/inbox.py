"""What is to be written, between the daemon actor and the writer: bounded, and never waited for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

from arvnodeman.fleet.messages import Command, Event

MOST = 500_000  # events, and the items of their lists: some polls of 10,000 nodes


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, when it was told to the brain, and what that said; before it `lost` events had no room."""

    event: Event
    now: float
    commands: Sequence[Command]
    lost: int = 0


class JournalInbox:
    """Two threads: one puts, one takes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[Happened] = deque()
        self._weight = 0
        self._lost = 0
        self.filled = threading.Event()

    def put(self, event: Event, now: float, commands: Sequence[Command]) -> None:
        """Never waits. What finds no room is lost, and counted."""
        with self._lock:
            if self._weight >= self._most:
                self._lost += 1
                return
            self._waiting.append(Happened(event, now, commands, self._lost))
            self._weight += _weight(event)
            self._lost = 0
        self.filled.set()

    def take(self) -> Happened | None:
        """The oldest; None when there is none."""
        with self._lock:
            if not self._waiting:
                return None
            happened = self._waiting.popleft()
            self._weight -= _weight(happened.event)
            return happened

    def __len__(self) -> int:
        return len(self._waiting)


def _weight(event: Event) -> int:
    values = (getattr(event, each.name) for each in fields(event))
    return 1 + sum(len(value) for value in values if isinstance(value, Collection) and not isinstance(value, str))
