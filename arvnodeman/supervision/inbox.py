"""An actor's inbox that knows how old its messages are."""

from __future__ import annotations

import queue
import time
from collections import deque
from typing import Any


class Inbox(queue.Queue[Any]):
    """A queue for one reader. Any thread may ask for the ages; they are of the monotonic clock."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.monotonic = time.monotonic
        self._arrivals: deque[float] = deque()
        self.taken_arrived = 0.0  # when the message that was taken last had come in

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._arrivals.append(self.monotonic())

    def _get(self) -> Any:
        self.taken_arrived = self._arrivals.popleft()
        return super()._get()

    @property
    def waiting(self) -> int:
        """Messages that have come in and were not taken yet."""
        return len(self._arrivals)

    @property
    def first_arrived(self) -> float | None:
        """When the first of them came in; None when there is none."""
        try:
            return self._arrivals[0]
        except IndexError:
            return None
