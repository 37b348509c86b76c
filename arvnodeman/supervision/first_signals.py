"""The first moments of the daemon: a signal that comes while the interpreter still imports ends it in order.

To be imported before all else, and so with next to no imports of its own.
"""

from __future__ import annotations

import atexit
import os
import signal
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
OTHERS = (signal.SIGHUP, signal.SIGUSR1)


def obey() -> None:
    """Until `Signals` takes over nothing is held, begun or written: a stop signal ends the process where it stands,
    with exit code 0, and the others, which would kill it by default, mean nothing yet.

    Signals that a parent has blocked are let in: one that waits since before the interpreter began is obeyed here, and
    a daemon that cannot be told to stop would have to be killed."""
    for number in STOPS:
        signal.signal(number, _leave)
    for number in OTHERS:
        signal.signal(number, _pass_over)
    atexit.register(_ignore)  # the first that is registered runs last
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*STOPS, *OTHERS})


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    pass


def _ignore() -> None:
    """The run is over. The interpreter takes its handlers away before it ends, and a second signal would then kill what
    has stopped in order."""
    for number in (*STOPS, *OTHERS):
        signal.signal(number, signal.SIG_IGN)
