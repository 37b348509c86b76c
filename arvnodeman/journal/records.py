"""The lines of a journal: a head for each file, then a record for each event. One JSON object a line.

    {"journal": 1, "version": "3.0", "now": T, "whole": true, "policy": {...}}
    {"t": T, "e": "CloudListed", "f": {...}}            an event, T in seconds since the epoch; its fields
    {"t": T, "e": "Tick", "f": {}, "s": [2, 1234567]}   with steps that followed: how many, and their checksum
    {"gap": 7}                                          so many events before the next record are not there

Fields that hold many dataclasses are coded as lists.py says, against the last event of that class in the file.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

from arvnodeman.fleet.messages import Command, Event, Note
from arvnodeman.fleet.values.model import Policy
from arvnodeman.journal.codec import Codec, hints_of, list_of
from arvnodeman.journal.lists import ListCoder
from arvnodeman.journal.wire import name_of
from arvnodeman.version import __version__

FORMAT = 1


class RecordWriter:
    """Makes the lines of one file."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._steps = Codec(bare=True)
        self._lists: dict[type, dict[str, ListCoder]] = {}

    def head(self, policy: Policy, now: float, *, whole: bool) -> str:
        """The first line. `whole`: what follows begins with a Fleet made of this policy at this moment."""
        return line(
            {
                "journal": FORMAT,
                "version": __version__,
                "now": now,
                "whole": whole,
                "policy": self._codec.fields(policy),
            }
        )

    def record(self, event: Event, now: float, commands: Sequence[Command]) -> str:
        """An event's line."""
        lists = self._lists_of(type(event))
        fields: dict[str, Any] = {}
        for name, there, encode in self._codec.encoders(type(event)):
            value = getattr(event, name)
            if name not in lists:
                fields[there] = encode(value)
            elif (coded := lists[name].code(value)) != {}:
                fields[there] = coded
        told: dict[str, Any] = {"t": now, "e": name_of(type(event)), "f": fields}
        if steps := checksum(self._steps, commands):
            told["s"] = steps
        return line(told)

    def _lists_of(self, message: type) -> dict[str, ListCoder]:
        found = self._lists.get(message)
        if found is None:
            items = {name: list_of(hint) for name, hint in hints_of(message)}
            found = {name: ListCoder(self._codec, item) for name, item in items.items() if item is not None}
            self._lists[message] = found
        return found


def gap(events: int) -> str:
    """The line that tells of events that are not there."""
    return line({"gap": events})


def checksum(codec: Codec, commands: Sequence[Command]) -> list[int]:
    """How many commands do something, and a checksum of them, by a bare codec; [] for none. What is only said does not
    count."""
    done = [codec.plain(command) for command in commands if not isinstance(command, Note)]
    return [len(done), zlib.crc32(line(done).encode())] if done else []


def line(plain: Any) -> str:
    """JSON in one line, with its end."""
    return json.dumps(plain, separators=(",", ":")) + "\n"
