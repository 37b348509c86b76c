"""doc/architecture.md: short, whole, and what it takes from the code is up to date."""

from __future__ import annotations

import re
from pathlib import Path

import architecture_page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "doc" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
MOST_WORDS = 1000


def test_the_picture_and_the_order_of_imports_are_those_of_the_code() -> None:
    assert architecture_page.page_text() == TEXT, "make docs writes it"


def test_it_is_two_pages_and_no_more() -> None:
    assert len(TEXT.split()) <= MOST_WORDS


def test_each_room_has_a_row_and_each_page_of_a_room_is_linked() -> None:
    rooms = {path.parent.name for path in (ROOT / "arvnodeman").glob("*/__init__.py")}
    named = set(re.findall(r"^\|.*$", TEXT, re.MULTILINE))
    missing = {room for room in rooms if not any(f"`{room}/`" in row for row in named)}
    assert len(rooms) > 15
    assert not missing
    pages = {f"rooms/{path.name}" for path in (ROOT / "doc" / "rooms").glob("*.md")}
    assert pages == set(re.findall(r"rooms/[a-z]+\.md", TEXT))
