"""Small files of the state directory: replaced in one step, also on a full disk, and read with caution."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST = 4 << 20  # bytes that are read of a file, whoever wrote it


class ReadyFile:
    """A file that can be replaced when the disk is full: the room for its next content is taken beforehand, in a draft
    beside it. A reader sees the old content or the new, never a part. Not thread-safe."""

    def __init__(self, path: Path, room: int) -> None:
        """`room`: bytes that are certain to fit."""
        self.path = path
        self._room = room
        self._draft = path.with_name(f"{path.name}.draft")
        self._descriptor: int | None = None

    def prepare(self) -> None:
        """Take the room. Raises OSError."""
        if self._descriptor is not None:
            return
        descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, self._room)
        except BaseException:
            os.close(descriptor)
            self._draft.unlink(missing_ok=True)
            raise
        self._descriptor = descriptor

    def replace(self, text: str) -> None:
        """Put this text in the place of the file's content, and take room for the next time. Raises OSError."""
        content = text.encode()
        descriptor = self._descriptor
        if descriptor is None:
            descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        self._descriptor = None
        try:
            written = 0
            while written < len(content):
                written += os.pwrite(descriptor, content[written:], written)
            os.ftruncate(descriptor, len(content))
            os.fsync(descriptor)
            self._draft.replace(self.path)
        except BaseException:
            self._draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        with contextlib.suppress(OSError):
            self.prepare()

    def close(self) -> None:
        """Give the room back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._draft.unlink(missing_ok=True)


def read_text(path: Path, largest: int = LARGEST) -> str | None:
    """The content of a small file; None when there is none. Raises OSError; ValueError when it is not such a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a fifo may lie there
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 (it is open already)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest} bytes")
    return content.decode("utf-8", "replace")


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a small file; None when there is no file. Raises OSError; ValueError for anything else."""
    text = read_text(path)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value
