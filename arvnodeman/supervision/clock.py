"""Clocks, handed to whatever needs one so that tests can bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: `now` is compared with what servers say, `monotonic` measures waits and cannot be set back."""

    now: Callable[[], float] = time.time  # seconds since the epoch
    monotonic: Callable[[], float] = time.monotonic  # seconds since some moment


def wall_time(moment: float) -> str:
    """A moment (seconds since the epoch) as log lines show it, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
