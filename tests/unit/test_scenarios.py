"""The catalogue of scenarios is whole, and what it says of the tests is true."""

from __future__ import annotations

import warnings

import pytest
from scenarios_index import CATALOGUE, HISTORY, IDS, OPEN, ROOT, Row, filled, mentioned, mentions_in, mentions_of, rows

MAY_BE_HISTORY = {"A9", "B10", "B11", "C18", "C19", "D13", "E13", "F12", "L2", "L3", "L6"}


@pytest.fixture(scope="module")
def catalogue() -> list[Row]:
    return rows(CATALOGUE.read_text(encoding="utf-8"))


def test_every_scenario_is_there_exactly_once_and_in_order(catalogue: list[Row]) -> None:
    assert [row.id for row in catalogue] == list(IDS)


def test_every_row_is_held_by_tests_that_exist_or_is_open_or_history(catalogue: list[Row]) -> None:
    """What the column merely lacks is a warning: tests are written before it is."""
    existing = mentions_of(ROOT)
    lacking = [
        f"{name} in {row.id}"
        for row in catalogue
        for name, ids in existing.items()
        if row.id in ids and name not in row.tests and not row.held.startswith(HISTORY)
    ]
    if lacking:
        warnings.warn(f"run `make docs`: {len(lacking)} entries are lacking, as {lacking[0]}", stacklevel=1)
    wrong = [
        f"{row.id}: {row.held}"
        for row in catalogue
        if not (row.held == OPEN or row.held.startswith(HISTORY) or (row.tests and set(row.tests) <= set(existing)))
    ]
    assert not wrong, "run `make docs`"


def test_only_what_the_classic_did_by_its_construction_is_history(catalogue: list[Row]) -> None:
    assert {row.id for row in catalogue if row.held.startswith(HISTORY)} <= MAY_BE_HISTORY


def test_no_test_mentions_a_row_that_does_not_exist() -> None:
    unknown = {name: sorted(ids - set(IDS)) for name, ids in mentions_of(ROOT).items() if ids - set(IDS)}
    assert not unknown


@pytest.mark.parametrize(
    ("name", "docstring", "source", "expected"),
    [
        ("test_x", "Retried, row A9.", None, {"A9"}),
        ("test_x", "Retried (A9, B1).", None, {"A9", "B1"}),
        ("test_x", "Rows above, rows A10–A12, B3 and N1.", None, {"A10", "A11", "A12", "B3", "N1"}),
        ("test_x", "A row\nF14.", None, {"F14"}),
        ("test_x", "", 'pytest.param("1G", id="row F14")', {"F14"}),
        ("test_row_a9_b10_waits", "", None, {"A9", "B10"}),
        ("test_x", "", "size(N1)", set()),
        ("test_x", "The row A999 and row Z1, the arrow B2.", None, set()),
    ],
)
def test_mentions_are_found(name: str, docstring: str, source: str | None, expected: set[str]) -> None:
    assert mentioned(name, docstring, docstring if source is None else source) == expected


SOURCE = '''
import pytest

class TestLives:
    """Row A2 holds; what stands in arrow A1 does not."""

    @pytest.mark.parametrize("x", [pytest.param(1, id="row A3")])
    def test_inner(self, x):
        pass

def test_outer():
    """(A4)"""

def not_one():
    """(A5)"""
'''


def test_functions_and_classes_are_read_from_a_file() -> None:
    assert dict(mentions_in(SOURCE)) == {"TestLives": {"A2"}, "TestLives::test_inner": {"A3"}, "test_outer": {"A4"}}


def test_filling_drops_stale_names_and_leaves_history_alone() -> None:
    before = f"text\n| A1 | one | `tests/gone.py::test_gone` |\n| A2 | two | open |\n| B10 | three | {HISTORY}x |\n"
    after = filled(before, {"tests/t.py::test_a": {"A2", "B10"}, "tests/t.py::test_b": {"A2"}})
    assert after == (
        "text\n| A1 | one | open |\n"
        "| A2 | two | `tests/t.py::test_a`<br>`tests/t.py::test_b` |\n"
        f"| B10 | three | {HISTORY}x |\n"
    )
