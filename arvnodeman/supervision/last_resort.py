"""What a Python thread cannot do, a C timer can: end a process in which something holds the interpreter's lock.

The timer is faulthandler's. It is armed anew after each good round of the watchdog; when it runs out, it writes the
stacks of all threads into a file of its own and ends the process. A fatal signal (a crash of the interpreter, or
SIGABRT from the service manager's watchdog) writes its stacks there, too.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from pathlib import Path

FILE_NAME = "stacks.txt"
ROOM = 256 << 10  # bytes taken beforehand: it must be written on a full disk, too


class LastResort:
    """One for each process. The C code knows nothing of the orderly end: call `arm` or `close` before it runs out."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: the state directory; without one the stacks go to stderr."""
        self._path = None if folder is None else folder / FILE_NAME
        self._descriptor = -1

    def open(self) -> None:
        """Begin a new file in the place of the last run's, and catch fatal signals. Raises OSError for the file."""
        try:
            if self._path is not None:
                flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
                self._descriptor = os.open(self._path, flags, 0o640)
                with contextlib.suppress(OSError):  # full already: it may not be full any more in the end
                    os.posix_fallocate(self._descriptor, 0, ROOM)
        finally:
            if self._descriptor < 0:
                with contextlib.suppress(OSError):
                    self._descriptor = os.dup(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
            if self._descriptor >= 0:
                faulthandler.enable(self._descriptor)

    def arm(self, seconds: float) -> None:
        """End the process so many seconds from now, unless armed again before. Raises RuntimeError without a thread."""
        if self._descriptor >= 0:
            faulthandler.dump_traceback_later(seconds, exit=True, file=self._descriptor)

    def close(self) -> None:
        """The process ends in order. The file is left empty."""
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        if self._descriptor >= 0:
            if self._path is not None:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
