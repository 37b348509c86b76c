"""Reads a journal's files: events again, or a line for what this build cannot make one of."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arvnodeman.fleet.messages import Event
from arvnodeman.fleet.values.model import Policy
from arvnodeman.journal.codec import Codec, NotUnderstood, hints_of, is_mapping, list_of
from arvnodeman.journal.lists import ListReader
from arvnodeman.journal.records import FORMAT
from arvnodeman.journal.wire import fields_of
from arvnodeman.journal.writer import GZIP

CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Head:
    """A file begins."""

    policy: Policy
    now: float
    whole: bool  # with the beginning of a run
    version: str  # of the program that wrote it


@dataclass(frozen=True, slots=True)
class Told:
    """An event that the brain was told, and what is known of the steps that it answered with."""

    event: Event
    now: float
    steps: tuple[int, ...] = ()  # how many, and their checksum; () for none


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that are not there."""

    events: int
    why: str = ""  # what this build could not read; '': they were not written


Entry = Head | Told | Gap


class NoJournal(ValueError):
    """A file that is not a journal, or one of another format. The text is one line."""


class NoHead(NoJournal):
    """A file that ends before its first line does: its run was killed as it began."""


def read(path: Path, codec: Codec) -> Iterator[Entry]:
    """The entries of one file. Raises NoJournal for its head, OSError. A record that is cut, as SIGKILL leaves it, and
    what follows it, ends the file; `codec.unknown` counts fields that were passed over."""
    lines = _lines(path)
    yield _head(path, next(lines, ""), codec)
    records = RecordReader(codec)
    for text in lines:
        try:
            plain = json.loads(text)
        except ValueError:
            yield Gap(1, "a record that is not JSON")
            return
        yield records.entry(plain)


class RecordReader:
    """Makes events of the records of one file."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._lists: dict[type, dict[str, _ListField]] = {}

    def entry(self, plain: Any) -> Entry:
        """An event; or a gap where this build does not understand it."""
        try:
            if "gap" in plain:
                return Gap(int(plain["gap"]))
            message = self._codec.classes.get(plain["e"])
            if message is None:
                return Gap(1, f"no event is called {plain['e']}")
            return Told(self._event(message, plain["f"]), float(plain["t"]), tuple(plain.get("s", ())))
        except NotUnderstood as error:
            return Gap(1, f"{plain['e']}: {error}")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            return Gap(1, f"a record that is none of ours: {type(error).__name__}: {error}")

    def _event(self, message: type, fields: dict[str, Any]) -> Any:
        lists = self._lists.get(message)
        if lists is None:
            hints = hints_of(message)
            items = {name: (list_of(hint), hint) for name, hint in hints}
            lists = {name: _ListField(self._codec, item, hint) for name, (item, hint) in items.items() if item}
            self._lists[message] = lists
        if renamed := fields_of(message):
            fields = {renamed.get(there, there): plain for there, plain in fields.items()}
        read_lists = {name: field.next(fields.get(name, {})) for name, field in lists.items()}
        single = {name: plain for name, plain in fields.items() if name not in lists}
        return self._codec.made(message, single, read_lists)


class _ListField:
    """One field that holds many: an item that has not changed is not made anew."""

    def __init__(self, codec: Codec, item: type, hint: Any) -> None:
        self._codec = codec
        self._item = item
        self._mapping = is_mapping(hint)
        self._plain = ListReader()
        self._made: dict[int, tuple[Any, Any]] = {}  # by the identity of the plain item, which is kept with it

    def next(self, coded: Any) -> Any:
        items = self._plain.items(coded)
        if items is None:
            return None
        before, self._made = self._made, {}
        values = []
        for _, plain in items:
            known = before.get(id(plain)) or (plain, self._codec.value(plain, self._item))
            self._made[id(plain)] = known
            values.append(known[1])
        if self._mapping:
            return dict(zip((key for key, _ in items), values, strict=True))
        return tuple(values)


def _head(path: Path, text: str, codec: Codec) -> Head:
    if not text and _may_be_cut(path):
        raise NoHead(f"{path}: it ends before its first line does")
    try:
        plain = json.loads(text)
        if plain["journal"] != FORMAT:
            raise NoJournal(f"{path}: its format is {str(plain['journal'])[:20]}, and {FORMAT} is known")
        policy = codec.value(plain["policy"], Policy)
        return Head(policy, float(plain["now"]), plain["whole"] is True, str(plain["version"])[:40])
    except NotUnderstood as error:
        raise NoJournal(f"{path}: its policy is not understood: {error}") from None
    except NoJournal:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise NoJournal(f"{path}: this is not a journal ({type(error).__name__})") from None


def _may_be_cut(path: Path) -> bool:
    """Nothing, or the beginning of a gzip file."""
    with path.open("rb") as file:
        return GZIP_MAGIC.startswith(file.read(len(GZIP_MAGIC)))


def _lines(path: Path) -> Iterator[str]:
    """The whole lines of a gzip file that may end anywhere."""
    unpacker = zlib.decompressobj(wbits=GZIP)
    rest = b""
    with path.open("rb") as file:
        while packed := file.read(CHUNK):
            try:
                rest += unpacker.decompress(packed)
            except zlib.error:  # what came before in this chunk is lost, too
                return
            *whole, rest = rest.split(b"\n")
            for each in whole:
                yield each.decode("utf-8", "replace")
