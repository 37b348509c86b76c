"""How programs that start daemons for a figure or a proof end when they are told to."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from arvnodeman.slurm.run import kill_descendants


def end_with_all_that_was_started() -> None:
    """From now on SIGTERM ends this process and all that it has started: daemons lead groups of their own, and would
    live on, with a site that nobody looks at. For the main thread."""
    signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    kill_descendants()
    sys.exit(128 + signal.SIGTERM)
