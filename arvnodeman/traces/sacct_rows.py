"""The rows of `sacct --parsable2`, which escapes nothing: rows that a value has broken are put together again.

A line break in a name makes two lines of a row, a delimiter in a value makes it too long. Then it is tried which of the
columns that hold free text has it; the row is good where there is one way only to have numbers, times and states in
theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

FREE_TEXT = {"Constraints", "JobName", "Comment", "AdminComment", "SystemComment", "SubmitLine", "WorkDir"}
FREE_TEXT |= {"Licenses", "WCKey", "Extra", "StdOut", "StdErr", "StdIn", "Container", "Reason"}
ID_COLUMNS = ("JobID", "JobIDRaw")
MOST_LINES = 64  # of one row
MOST_DELIMITERS = 8  # in the values of one row
_HEADER = re.compile(r"[A-Za-z]+([^A-Za-z0-9]+)[A-Za-z]")
_NUMBERS = {"JobIDRaw", "ElapsedRaw", "ReqCPUS", "AllocCPUS", "NCPUS", "ReqNodes", "AllocNodes", "NNodes"}
_TIMES = {"Submit", "Eligible", "Start", "End"}
_FORMS = {
    "JobID": re.compile(r"[0-9]+([_+.].*)?"),
    "JobIDRaw": re.compile(r"[0-9]+([_+.].*)?"),
    "State": re.compile(r"[A-Z][A-Z_]+\+?( by .*)?"),
    "ReqTRES": re.compile(r"([a-z/_:0-9.-]+=[^,=]+(,|$))*", re.IGNORECASE),
    "AllocTRES": re.compile(r"([a-z/_:0-9.-]+=[^,=]+(,|$))*", re.IGNORECASE),
    "Constraints": re.compile(r"(?!.*(\|\||\n))([^|&,].*)?(?<![|&,])"),  # no feature is empty
    "WorkDir": re.compile(r"(/.*)?", re.DOTALL),
    "SubmitLine": re.compile(r"((\S*/)?(sbatch|srun|salloc)( .*)?)?", re.DOTALL),
    "ReqMem": re.compile(r"([0-9.]+[KMGTP]?[nc]?)?\??"),
    "Flags": re.compile(r"[A-Za-z,]*"),
    "Suspended": re.compile(r"([0-9:.-]+)?"),
    "Elapsed": re.compile(r"([0-9:.-]+)?"),
    "ExitCode": re.compile(r"([0-9]+:[0-9]+)?"),
    "DerivedExitCode": re.compile(r"([0-9]+:[0-9]+)?"),
    "Timelimit": re.compile(r"[0-9:-]+|UNLIMITED|Partition_Limit|"),
    "TimelimitRaw": re.compile(r"[0-9]+|UNLIMITED|Partition_Limit|"),
    **dict.fromkeys(_NUMBERS - {"JobIDRaw"}, re.compile(r"([0-9]+(\.[0-9]+)?K?)?")),
    **dict.fromkeys(_TIMES, re.compile(r"Unknown|None|[0-9T:. +-]+")),
}


class SacctRow(NamedTuple):
    """A whole one."""

    line: int  # where it begins
    cells: Sequence[str]


class BrokenRow(NamedTuple):
    """One that cannot be put together."""

    line: int
    why: str


class Header:
    """The first line: which column is where. Raises ValueError for a line that is not a header."""

    def __init__(self, line: str) -> None:
        match = _HEADER.match(line)
        if match is None:
            raise ValueError("no header")
        self.delimiter = match[1]
        self.names = line.split(self.delimiter)
        if not set(ID_COLUMNS) & set(self.names):
            raise ValueError("no header")
        self.at = {name: place for place, name in enumerate(self.names)}
        self.width = len(self.names)
        self._free = [place for place, name in enumerate(self.names) if name in FREE_TEXT]
        self._forms = [(self.at[name], form.fullmatch) for name, form in _FORMS.items() if name in self.at]

    def is_sound(self, cells: Sequence[str]) -> bool:
        """Has each column what may be in it?"""
        return all(fits(cells[place]) is not None for place, fits in self._forms)

    def mended(self, cells: Sequence[str]) -> list[str] | None:
        """The row of one that has too many cells. None: there is no way, or several."""
        surplus = len(cells) - self.width
        if not self._free or surplus > MOST_DELIMITERS:
            return None
        found: list[str] | None = None
        for chosen in combinations_with_replacement(self._free, surplus):
            row, place = [], 0
            for column in range(self.width):
                width = 1 + chosen.count(column)
                row.append(self.delimiter.join(cells[place : place + width]))
                place += width
            if self.is_sound(row):
                if found is not None and not self._same(row, found):
                    return None
                found = row
        return found

    def _same(self, row: Sequence[str], other: Sequence[str]) -> bool:
        """They differ only in text that nobody reads."""
        read = [self.at[name] for name in ("Constraints", "JobName", "SubmitLine") if name in self.at]
        return all(row[place] == other[place] for place in read)


class SacctRows:
    """The rows below a header, also where another export with a header of its own follows in the file."""

    def __init__(self, header: Header, changed: Callable[[Header], None]) -> None:
        """`changed`: called with each further header."""
        self.header = header
        self._changed = changed
        self._parts: list[str] = []  # lines of a row that is not complete
        self._line = 0  # where it begins

    def rows(self, lines: Iterator[tuple[int, str]]) -> Iterator[SacctRow | BrokenRow]:
        """`lines`: with their numbers. The last one may be a row that is not complete."""
        for number, line in lines:
            cells = line.split(self.header.delimiter)
            if len(cells) == self.header.width and not self._parts:
                if cells[0] in ID_COLUMNS or cells == self.header.names:
                    continue
                yield SacctRow(number, cells)
            else:
                yield from self._odd(number, line, cells)
        if self._parts:
            yield from self._left()

    def _odd(self, number: int, line: str, cells: Sequence[str]) -> Iterator[SacctRow | BrokenRow]:
        """A line that is not a row by itself, or follows a line that is not a row."""
        if another := self._another(line):
            yield from self._left()
            self.header = another
            self._changed(another)
            return
        begins = re.match(r"[0-9]", line) is not None
        if begins and len(cells) >= self.header.width:
            whole = self._whole(cells)
            yield from self._left()
            yield SacctRow(number, whole) if whole is not None else BrokenRow(number, self._said(len(cells)))
            return
        if not self._parts:
            self._line = number
        self._parts.append(line)
        together = "\n".join(self._parts).split(self.header.delimiter)
        if len(together) >= self.header.width and (whole := self._whole(together)) is not None:
            self._parts.clear()
            yield SacctRow(self._line, whole)
        elif len(self._parts) >= MOST_LINES or len(together) > self.header.width + MOST_DELIMITERS:
            yield from self._left()

    def _whole(self, cells: Sequence[str]) -> Sequence[str] | None:
        if len(cells) == self.header.width:
            return cells if self.header.is_sound(cells) else None
        return self.header.mended(cells)

    def _another(self, line: str) -> Header | None:
        if not line.startswith(("Job", "Account", "User", "Cluster")):
            return None
        try:
            return Header(line)
        except ValueError:
            return None

    def _left(self) -> Iterator[BrokenRow]:
        """What could not be put together."""
        if self._parts:
            cells = sum(part.count(self.header.delimiter) for part in self._parts) + 1
            self._parts.clear()
            yield BrokenRow(self._line, self._said(cells))

    def _said(self, cells: int) -> str:
        return f"it has {cells} columns, and the header {self.header.width}"
