"""One word for one thing: terms that doc/glossary.md has dropped stay out of the names of files and classes."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "doc/glossary.md").read_text(encoding="utf-8")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Dropped(NamedTuple):
    """A term that no name has, but those that are public under it."""

    words: tuple[str, ...]
    excepted: frozenset[str]


def rows(heading: str) -> list[list[str]]:
    """The table below a heading of the glossary, without its head."""
    text = GLOSSARY[GLOSSARY.index(f"## {heading}\n") :].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def dropped() -> list[Dropped]:
    found = []
    for term, _, excepted in rows("Names that are not used"):
        words = [tuple(each.split()) for each in re.sub(r"\(.*\)", "", term).lower().split(",")]
        found += [Dropped(each, frozenset(re.findall(r"`(\w+)`", excepted))) for each in words]
    return found


def parts(name: str) -> tuple[str, ...]:
    """LookAtNode -> look at node; last_words -> last words. A plural counts as its word."""
    return tuple(part.lower() for part in _PART.findall(name))


def has(name: str, words: tuple[str, ...]) -> bool:
    there = parts(name)
    meant = [{word, f"{word}s"} for word in words]
    return any(
        all(part in fits for part, fits in zip(there[at:], meant, strict=False))
        for at in range(len(there) - len(words) + 1)
    )


@functools.cache
def names() -> tuple[tuple[str, str], ...]:
    return tuple(_names())


def _names() -> Iterator[tuple[str, str]]:
    """Each file and class of the package: its name, and where it is."""
    for path in sorted((ROOT / "arvnodeman").rglob("*.py")):
        yield path.stem, str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, str(path.relative_to(ROOT))


def wrong(found: Iterable[tuple[str, str]]) -> list[str]:
    terms = dropped()
    return [
        f"{name} in {where}: {' '.join(term.words)} is not a word of ours (doc/glossary.md)"
        for name, where in found
        for term in terms
        if has(name, term.words) and name not in term.excepted
    ]


def test_dropped_terms_do_not_come_back() -> None:
    assert len(dropped()) >= 10
    assert not wrong(names())


def test_what_is_excepted_is_there() -> None:
    """An exception that nothing needs any more is struck out."""
    there = {name for name, _ in names()}
    assert {name for term in dropped() for name in term.excepted} <= there


def test_no_function_looks() -> None:
    """It says what it does: fetch, observe, judge, update or check."""
    looks = re.compile(r"def (_?look(?:_\w+)?)\(")
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "arvnodeman").rglob("*.py")}
    assert not [f"{path}: {name}" for path, text in texts.items() for name in looks.findall(text)]


def test_no_two_classes_have_one_name() -> None:
    """But private ones, which are of their file alone."""
    found = Counter(name for name, where in names() if not name.startswith("_") and name != Path(where).stem)
    assert [name for name, count in found.items() if count > 1] == []


def test_no_two_files_of_one_room_are_told_apart_by_an_s() -> None:
    stems = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "arvnodeman").rglob("*.py")}
    assert not [stem for stem in stems if f"{stem}s" in stems]


def test_each_term_has_a_meaning() -> None:
    lines = [line for line in GLOSSARY.partition("## ")[0].splitlines() if line.startswith("| ")][1:]
    terms = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(terms) > 30
    assert all(len(row) == 4 and row[0] and row[1] for row in terms)
    assert len({row[0] for row in terms}) == len(terms)


@pytest.mark.parametrize(
    ("name", "is_wrong"),
    [
        ("LookOnce", True),
        ("weather", True),
        ("SiteWeathers", True),
        ("LastWords", True),
        ("last_words", True),
        ("LookAtNode", False),
        ("Outlook", False),
        ("Accounting", False),
        ("Indoors", False),
    ],
)
def test_a_dropped_term_is_seen(name: str, is_wrong: bool) -> None:
    assert bool(wrong([(name, "somewhere.py")])) is is_wrong
