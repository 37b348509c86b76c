"""Raises of budgets over restarts: written before they are told, and nothing else in the file's place harms."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvnodeman.fleet.values.budgets import BudgetRaise
from arvnodeman.supervision.raises import FILE_NAME, RaisedBudgets

NOW = 1_700_000_000.0


def raised(budget: str = "lab", amount: float = 50.0, *, until: float = NOW + 3600, at: float = NOW) -> BudgetRaise:
    return BudgetRaise(budget, amount, until, "a deadline", at, "2023-11-14 23:13:20")


def test_a_restart_knows_what_was_raised(tmp_path: Path) -> None:
    first = RaisedBudgets(tmp_path, NOW)
    assert first.keep(raised())
    assert first.keep(raised("other", 1.0))
    first.close()
    again = RaisedBudgets(tmp_path, NOW + 60)
    assert again.kept == (raised(), raised("other", 1.0))
    assert RaisedBudgets(tmp_path, NOW + 4000).kept == ()  # they are over


def test_a_later_raise_takes_the_place_of_an_earlier_and_nothing_ends_it(tmp_path: Path) -> None:
    budgets = RaisedBudgets(tmp_path, NOW)
    budgets.keep(raised())
    budgets.keep(raised(amount=7.0))
    assert [each.amount for each in budgets.kept] == [7.0]
    budgets.keep(raised(amount=0.0))
    assert RaisedBudgets(tmp_path, NOW).kept == ()


def test_without_a_folder_it_is_told_that_nothing_is_kept() -> None:
    budgets = RaisedBudgets(None, NOW)
    assert not budgets.keep(raised())
    assert budgets.kept == (raised(),)
    budgets.close()


def test_what_cannot_be_written_is_not_raised(tmp_path: Path) -> None:
    budgets = RaisedBudgets(tmp_path / "gone", NOW)
    with pytest.raises(OSError, match="No such file"):
        budgets.keep(raised())
    assert budgets.kept == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "raises": []}',
        '{"format": 1, "raises": [{"budget": "lab"}]}',
        '{"format": 1, "raises": [{"budget": "lab", "amount": NaN, "until": 2e9, "reason": "", "at": 1, "ends": ""}]}',
        '{"format": 1, "raises": 7}',
    ],
)
def test_a_file_of_something_else_is_a_warning(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert RaisedBudgets(tmp_path, NOW).kept == ()
    assert "budgets are as configured" in caplog.text
