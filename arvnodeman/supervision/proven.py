"""Which sizes have once come up, over restarts: so that the few at once before the first success hold for new ones.

A small JSON file in the state directory holds for each such size what its nodes were made of, as a hash: the cloud, the
type, [Cloud Create] whole, the text of the template of user data. A size is new again when any of this has changed. A
size whose boots fail in a row leaves the file. A thread of its own writes it, so that a disk that hangs holds up
nothing; its loss costs a few minutes at the next burst.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from arvnodeman.config import Settings
from arvnodeman.fleet.values.model import SizeSection
from arvnodeman.fleet.view.published import Published
from arvnodeman.supervision.ready_file import ReadyFile, read_object

FILE_NAME = "proven.json"
FORMAT = 1
ROOM = 16 << 10  # bytes
OBSERVE_EVERY = 1.0  # seconds

logger = logging.getLogger("arvnodeman.proven")


def _common(settings: Settings) -> list[object]:
    """What all nodes are made of, as it is when the daemon starts."""
    template = settings.cloud.create.get("user_data")
    try:
        text = Path(template).read_bytes() if template else b""
    except OSError:
        text = b""
    return [settings.cloud.provider, sorted(settings.cloud.create.items()), hashlib.sha256(text).hexdigest()]


class ProvenSizes:
    """The file, and the thread that writes it."""

    def __init__(self, folder: Path, settings: Settings, published: Published) -> None:
        self._path = folder / FILE_NAME
        self._common = _common(settings)
        self._published = published
        self._file = ReadyFile(self._path, ROOM)
        self._kept = self._read()
        made_of = self._made_of(settings.sizes)
        self.known = frozenset(size for size, known in self._kept.items() if made_of.get(size) == known)
        self._heard = not self.known  # the brain has been told of them
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ProvenSizes", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Look once more, and end; waits for at most `timeout` seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def observe(self) -> None:
        """Look once at what the brain shows; write the file if it has changed."""
        view = self._published.view
        self._heard = self._heard or view.proven >= self.known
        if not self._heard:
            return
        made_of = self._made_of(view.policy.sections)
        others = {size: known for size, known in self._kept.items() if size not in made_of}
        kept = others | {size: made_of[size] for size in view.proven if size in made_of}
        if kept == self._kept:
            return
        try:
            self._file.replace(json.dumps({"format": FORMAT, "sizes": kept}, indent=1, sort_keys=True) + "\n")
        except OSError as error:
            if not self._failing:
                logger.warning("%s cannot be written: %s", self._path, error.strerror)
            self._failing = True
            return
        self._kept, self._failing = kept, False

    def _made_of(self, sections: Iterable[SizeSection]) -> dict[str, str]:
        """By size, the hash."""
        texts = {size.id: json.dumps([*self._common, *size.made_of]) for size in sections}
        return {size: hashlib.sha256(text.encode()).hexdigest() for size, text in texts.items()}

    def _run(self) -> None:
        while True:
            last = self._stopping.wait(OBSERVE_EVERY)
            self.observe()
            if last:
                self._file.close()
                return

    def _read(self) -> Mapping[str, str]:
        try:
            found = read_object(self._path)
        except (OSError, ValueError) as error:
            logger.warning("%s was not written by this version: %s", self._path, error)
            return {}
        sizes = found.get("sizes") if found is not None and found.get("format") == FORMAT else None
        return {str(size): str(made_of) for size, made_of in sizes.items()} if isinstance(sizes, dict) else {}
