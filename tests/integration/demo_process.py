"""The demo as a child process of a test."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest


class Demo:
    """A running demo. Its processes are known by a variable in their environment."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-m", "arvnodeman", "demo", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder), "DEMO_MARK": self.mark},
        )

    def read_until(self, words: str) -> str:
        """Its output up to the line with these words."""
        text = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            text += line
            if words in line:
                return text
        pytest.fail(f"the demo ended without {words!r}:\n{text}")

    def end(self, patience: float = 120.0) -> str:
        """Wait for its end; the rest of its output."""
        return self.process.communicate(timeout=patience)[0]

    def processes(self) -> list[str]:
        """The command lines of all its processes, its own too."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    if self.mark.encode() in (folder / "environ").read_bytes():
                        found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return [command for command in found if command]

    def left(self) -> list[str]:
        """What is left of it once ended ones have been reaped."""
        end = time.monotonic() + 10
        while self.processes() and time.monotonic() < end:
            time.sleep(0.05)
        return [*self.processes(), *(str(path) for path in self.folder.iterdir())]
