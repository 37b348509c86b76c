"""What a list was like a while ago, for servers that answer with an old one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from arvnodeman.sandbox.clock import SiteClock

_T = TypeVar("_T")
_KEEP = 600.0  # simulated seconds
_APART = 1.0  # simulated seconds between two that are kept


class DelayedCopy(Generic[_T]):
    """Keeps what `copy` gave whenever it was asked to. Used under the site's lock."""

    def __init__(self, clock: SiteClock, copy: Callable[[], _T]) -> None:
        self._clock = clock
        self._copy = copy
        self._kept: deque[tuple[float, _T]] = deque()

    def keep(self) -> None:
        """Keep a copy of what it is like now, where the last one is old enough."""
        now = self._clock.elapsed()
        if self._kept and now - self._kept[-1][0] < _APART:
            return
        self._kept.append((now, self._copy()))
        while now - self._kept[0][0] > _KEEP:
            self._kept.popleft()

    def ago(self, seconds: float) -> _T:
        """The newest copy that is at least so many simulated seconds old; else the oldest; else as it is now."""
        moment = self._clock.elapsed() - seconds
        found = [copy for at, copy in self._kept if at <= moment]
        if found:
            return found[-1]
        return self._kept[0][1] if self._kept else self._copy()
