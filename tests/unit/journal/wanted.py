"""The differences to recorded histories that are wanted: a table in doc/rooms/journal.md.

A row names a history, the events (`7`, `7-9`, `7-` from there on, or `*`), and why they are answered otherwise by now.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "doc" / "rooms" / "journal.md"
HEADING = "## Wanted differences"
_ROW = re.compile(r"\| `([^`]+)` \| (\*|[0-9]+(?:-[0-9]*)?) \| (\S.*\S) \|")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One row."""

    history: str
    events: str
    why: str

    def covers(self, history: str, number: int) -> bool:
        """Does it name this event?"""
        if history != self.history or self.events == "*":
            return history == self.history
        first, dash, last = self.events.partition("-")
        return int(first) <= number <= (int(last) if last else number if dash else int(first))


def wanted_of(text: str) -> tuple[Wanted, ...]:
    """The rows of the table under its heading."""
    _, _, rest = text.partition(HEADING + "\n")
    section = re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [each for each in section.splitlines() if each.startswith("|")]
    found = []
    for row in rows[2:]:  # head and rule
        match = _ROW.fullmatch(row)
        assert match is not None, f"{row}: this is not a row of {HEADING}"
        found.append(Wanted(*match.groups()))
    return tuple(found)


def judge(history: str, answered_otherwise: Collection[int], table: Collection[Wanted]) -> tuple[list[int], list[str]]:
    """The differences of one history that nobody wants, and the rows for it that name none that there is."""
    rows = [each for each in table if each.history == history]
    unwanted = [number for number in answered_otherwise if not any(row.covers(history, number) for row in rows)]
    idle = [row.events for row in rows if not any(row.covers(history, number) for number in answered_otherwise)]
    return unwanted, idle
