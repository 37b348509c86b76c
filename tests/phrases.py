"""Phrases that doc/glossary.md has dropped may not come back into what people read. `make check` runs it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).resolve().parents[1]
DROPPED = {
    r"(?<!there )(?<!where )\bis no (?!(longer|more|less|faster|worse|use|help|answer|short)\b)": "is not a",
    r"\boperator said (hold|drain|run|kill|retry)\b": "Operator hold on NODE",
    r"\banew\b": "again",
    r"\bto be had\b": "available",
    r"\bbefalls?\b": "happens to",
    r"\bfor want of\b": "because there is no",
    r"\bamiss\b": "wrong",
}
CODE = re.compile(r"`[^`]*`|(?<=\s)//.*|/\*.*\*/")  # and comments of scripts
MADE_OF_TESTS = HOME / "doc" / "scenarios.md"
GLOSSARY = HOME / "doc" / "glossary.md"  # which names them


class Said(NamedTuple):
    """A text that people read, and where it is."""

    where: str
    text: str


def texts() -> Iterator[Said]:
    """All of them."""
    pages = [HOME / "README.md", HOME / "CHANGELOG.md", HOME / "nodemanager.cfg.example"]
    pages += [*(HOME / "findings").glob("*.md"), *(HOME / "arvnodeman" / "manage" / "page").glob("*.*")]
    pages += [page for page in (HOME / "doc").rglob("*.md") if page not in (MADE_OF_TESTS, GLOSSARY)]
    for page in pages:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            yield Said(
                f"{page.relative_to(HOME)}:{number}",
                CODE.sub("", line),
            )
    for module in (HOME / "arvnodeman").rglob("*.py"):
        yield from strings(module.read_text(encoding="utf-8"), str(module.relative_to(HOME)))


def strings(source: str, name: str) -> Iterator[Said]:
    """The texts of a module, without its docstrings, which are for who reads the source."""
    tree = ast.parse(source)
    docstrings = {
        id(each.value)
        for node in ast.walk(tree)
        if hasattr(node, "body") and isinstance(node.body, list)
        for each in node.body[:]
        if isinstance(each, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield Said(f"{name}:{node.lineno}", node.value)


def dropped(said: Said) -> Iterator[str]:
    """A line for each phrase in it that is not used any more."""
    for phrase, better in DROPPED.items():
        for found in re.finditer(phrase, said.text, re.IGNORECASE):
            around = said.text[max(0, found.start() - 30) : found.end() + 20].strip()
            yield f"{said.where}: {around!r}: write {better!r}"


def main() -> int:
    """Name them all; 1 where there is one."""
    found = [line for said in texts() for line in dropped(said)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
