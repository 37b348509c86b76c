"""The journal of what the brain is told, in the state directory: a thread of its own writes it, and nobody waits.

Files of some megabytes, numbered, each readable by itself, gzip all of them; the oldest go. What is written reaches the
kernel at once, so a SIGKILL costs what has not been taken up yet, and cuts at most the last record.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from arvnodeman.fleet.messages import Command, Event, PolicyChanged
from arvnodeman.fleet.values.model import Policy
from arvnodeman.journal.codec import Codec
from arvnodeman.journal.inbox import Happened, JournalInbox
from arvnodeman.journal.records import RecordWriter, gap
from arvnodeman.supervision.ending import is_fatal

FOLDER = "journal"
SUFFIX = ".jsonl.gz"
FILE_BYTES = 8 << 20
UNSENT_BYTES = 1 << 16  # of text, that the packer may hold back while more is waiting
MOST_FILES = 64
MOST_BYTES = 64 << 20  # of all files together
REST = 60.0  # seconds after a failure
GZIP = 16 + zlib.MAX_WBITS

logger = logging.getLogger("arvnodeman.journal")


def files_of(folder: Path) -> list[Path]:
    """The files of a journal, oldest first; what else is there is not looked at."""
    return sorted((path for path in folder.glob(f"*{SUFFIX}") if number_of(path)), key=number_of)


def number_of(path: Path) -> int:
    """A file's number; 0 when its name is none of ours."""
    name = path.name.removesuffix(SUFFIX)
    return int(name) if path.name.endswith(SUFFIX) and name.isdecimal() else 0


class Journal:
    """`note` is for one thread, which never waits; `start` and `stop` for the main thread."""

    def __init__(
        self,
        state_dir: Path,
        policy: Policy,
        began: float,
        *,
        file_bytes: int = FILE_BYTES,
        most_bytes: int = MOST_BYTES,
        inbox: JournalInbox | None = None,
    ) -> None:
        """`policy`, `began`: what the Fleet is made of."""
        self._folder = state_dir / FOLDER
        self._codec = Codec()
        self._policy, self._whole, self._began = policy, True, began
        self._file_bytes, self._most_bytes = file_bytes, most_bytes
        self._inbox = JournalInbox() if inbox is None else inbox
        self._descriptor: int | None = None
        self._lost = 0
        self._rests_until = 0.0  # monotonic
        self._failing = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="Journal", daemon=True)

    def note(self, event: Event, now: float, commands: Sequence[Command]) -> None:
        """The brain was told this, at this moment, and said that."""
        self._inbox.put(event, now, commands)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what there is, and end; waits for at most `timeout` seconds."""
        self._stopping = True
        self._inbox.filled.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        last = False
        while not last:
            self._inbox.filled.wait()
            self._inbox.filled.clear()
            last = self._stopping
            while (happened := self._inbox.take()) is not None:
                self._keep(happened)
            self._try(self._flush)
        self._try(self._close)

    def _keep(self, happened: Happened) -> None:
        """Write it, or count it as lost. A file is begun by its first event."""
        self._lost += happened.lost
        resting = self._descriptor is None and time.monotonic() < self._rests_until
        if resting or not self._try(lambda: self._write(happened)):
            self._lost += 1
            self._whole = False
        if isinstance(happened.event, PolicyChanged):
            self._policy = happened.event.policy

    def _try(self, work: object) -> bool:
        """Whatever fails costs a line when it begins and one when it is over; it is tried again after a rest."""
        assert callable(work)
        try:
            work()
        except Exception as error:
            if is_fatal(error):
                raise
            if not self._failing:
                text = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
                logger.warning("%s cannot be written: %s; the daemon continues without it", self._folder, text)
            self._failing, self._whole = True, False
            self._rests_until = time.monotonic() + REST
            with contextlib.suppress(OSError):
                self._drop()
            return False
        return True

    def _write(self, happened: Happened) -> None:
        if self._descriptor is None:
            self._whole = self._whole and not self._lost
            self._open(self._began if self._whole else happened.now)
        if self._lost:
            self._out(gap(self._lost))
            self._lost = 0
        self._out(self._records.record(happened.event, happened.now, happened.commands))
        if self._written >= self._file_bytes:
            self._close()
            self._whole = False

    def _open(self, now: float) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        files = files_of(self._folder)
        last = number_of(files[-1]) if files else 0
        self._make_room(files)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._folder / f"{last + 1:08}{SUFFIX}", flags, 0o600)
        self._packer = zlib.compressobj(wbits=GZIP)
        self._written = self._unsent = 0
        self._records = RecordWriter(self._codec)
        self._out(self._records.head(self._policy, now, whole=self._whole))
        if self._failing:
            logger.warning("%s is written again", self._folder)
        self._failing = False

    def _make_room(self, files: Sequence[Path]) -> None:
        """For one more."""
        room, kept = self._most_bytes - self._file_bytes, 1
        for path in reversed(files):
            room -= path.stat().st_size
            kept += 1
            if room < 0 or kept > MOST_FILES:
                path.unlink(missing_ok=True)

    def _out(self, text: str) -> None:
        self._send(self._packer.compress(text.encode()))
        self._unsent += len(text)
        if self._unsent >= min(UNSENT_BYTES, self._file_bytes):
            self._flush()

    def _flush(self) -> None:
        if self._descriptor is not None and self._unsent:
            self._unsent = 0
            self._send(self._packer.flush(zlib.Z_SYNC_FLUSH))

    def _send(self, packed: bytes) -> None:
        assert self._descriptor is not None
        self._written += len(packed)
        while packed:
            packed = packed[os.write(self._descriptor, packed) :]

    def _close(self) -> None:
        if self._descriptor is not None:
            self._send(self._packer.flush())
            self._drop()

    def _drop(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
