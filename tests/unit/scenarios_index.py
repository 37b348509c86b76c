"""Writes the last column of doc/scenarios.md: the tests that hold each row. Run by `make docs`.

A test holds a row when it mentions it: "row A9", "rows A10-A12 and B3" anywhere in its source (docstring, comment,
parameter id), "(F14)" in its docstring, or `_row_f14` in its name. A class holds what its own docstring mentions.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "doc" / "scenarios.md"
AREAS = {"A": 22, "B": 15, "C": 29, "D": 14, "E": 18, "F": 21, "G": 10}
AREAS |= {"H": 10, "I": 10, "J": 7, "K": 8, "L": 11, "M": 11, "N": 18, "O": 23}
IDS = tuple(f"{area}{number}" for area, last in AREAS.items() for number in range(1, last + 1))
OPEN = "open"
HISTORY = "history: not followed, because "

_ID = r"[A-O]\d{1,2}\b"
_LIST = rf"{_ID}(?:\s*(?:,\s*and\b|,|\band\b|-|–)\s*{_ID})*"
_IN_WORDS = re.compile(rf"\b[Rr]ows?\s+({_LIST})")
_IN_BRACKETS = re.compile(rf"\(({_LIST})\)")
_IN_NAME = re.compile(r"_rows?((?:_[a-o]\d{1,2})+)(?=_|$)")
_LINE = re.compile(r"^\| (?P<id>[A-Z]\d+) \| (?P<must>.+) \| (?P<held>[^|]+) \|$")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue."""

    id: str
    must: str
    held: str

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests named in the last column, as FILE::NAME."""
        return tuple(re.findall(r"`([^`]+)`", self.held)) if not self.held.startswith(HISTORY) else ()


def rows(text: str) -> list[Row]:
    """All rows of the catalogue's tables, in order."""
    return [Row(**match.groupdict()) for match in map(_LINE.match, text.splitlines()) if match]


def ids_in(words: str) -> set[str]:
    """The ids that a list such as "A1, B2 and C3-C5" stands for."""
    found = re.findall(r"([A-O])(\d{1,2})", words)
    ids = {area + number for area, number in found}
    for area, first, last in re.findall(r"([A-O])(\d{1,2})\s*[-–]\s*\1(\d{1,2})", words):
        ids |= {f"{area}{number}" for number in range(int(first), int(last) + 1)}
    return ids


def mentioned(name: str, docstring: str, source: str) -> set[str]:
    """The ids of the rows that one test mentions."""
    lists = [*_IN_WORDS.findall(source), *_IN_BRACKETS.findall(docstring)]
    lists += [words.replace("_", " ").upper() for words in _IN_NAME.findall(name)]
    return {found for words in lists for found in ids_in(words)}


def mentions_in(source: str) -> Iterator[tuple[str, set[str]]]:
    """Each test function and class of a test file by its name within the file, with the rows that it mentions."""
    lines = source.splitlines()

    def look(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, set[str]]]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                docstring = ast.get_docstring(node) or ""
                yield prefix + node.name, mentioned(node.name, docstring, docstring)
                yield from look(node.body, f"{prefix}{node.name}::")
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                text = "\n".join(lines[first - 1 : node.end_lineno])
                yield prefix + node.name, mentioned(node.name, ast.get_docstring(node) or "", text)

    yield from look(ast.parse(source).body, "")


@functools.cache
def mentions_of(root: Path) -> dict[str, set[str]]:
    """Every test under root/tests, as FILE::NAME, with the rows that it mentions."""
    return {
        f"{path.relative_to(root).as_posix()}::{name}": ids
        for path in sorted((root / "tests").rglob("test_*.py"))
        for name, ids in mentions_in(path.read_text(encoding="utf-8"))
        if path.name != "test_scenarios.py"
    }


def filled(text: str, tests: dict[str, set[str]]) -> str:
    """The catalogue with its last column written anew; history stays as it is."""

    def line(old: str) -> str:
        match = _LINE.match(old)
        if match is None or match["held"].startswith(HISTORY):
            return old
        holders = "<br>".join(f"`{name}`" for name, ids in tests.items() if match["id"] in ids)
        return f"| {match['id']} | {match['must']} | {holders or OPEN} |"

    return "".join(line(old) + "\n" for old in text.splitlines())


def main() -> None:
    """Write the column and say how many rows are held, open and history."""
    text = filled(CATALOGUE.read_text(encoding="utf-8"), mentions_of(ROOT))
    CATALOGUE.write_text(text, encoding="utf-8")
    is_open = [row.id for row in rows(text) if row.held == OPEN]
    history = sum(row.held.startswith(HISTORY) for row in rows(text))
    held = len(rows(text)) - len(is_open) - history
    sys.stdout.write(f"{held} rows held by tests, {history} history, {len(is_open)} open: {' '.join(is_open)}\n")


if __name__ == "__main__":
    main()
