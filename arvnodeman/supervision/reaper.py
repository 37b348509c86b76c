"""Nothing of ours outlives the daemon: a tiny process that kills what is left of the group when the daemon is gone.

The watchdog's kill reaches the whole process group, and so a hung `squeue`. Other ends do not: a SIGKILL from outside,
a crash, the C timer's exit. The kernel closes the daemon's end of a pipe then, whatever it died of.
"""

from __future__ import annotations

import os
import subprocess

SHELL = "/bin/sh"
# It outlives the signals of an orderly stop, and a terminal's. `kill 0` is the whole group, with itself.
SCRIPT = 'trap "" HUP INT QUIT TERM USR1 USR2; read -r _; kill -KILL 0'


class Reaper:
    """The process and our end of the pipe, which no child inherits."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start it. False when this process leads no group of its own: others would be killed. Raises OSError."""
        if os.getpgid(0) != os.getpid():
            return False
        self._process = subprocess.Popen(
            [SHELL, "-c", SCRIPT, "arvados-node-manager-reaper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
        )
        return True

    def close(self) -> None:
        """End it without a kill: the daemon stops in order, and its children have ended."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
