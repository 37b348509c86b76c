"""Budgets over HTTP, in the metrics and in the commands: three figures, what they mean, and a raise."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from managed_world import Managed
from world import EPOCH, HOUR, ONE, jobs, policy

from arvnodeman.commands import budget as command
from arvnodeman.fleet.values.budgets import Budget, BudgetRaise, Period, Spending, Spent
from arvnodeman.fleet.values.model import JobOwner
from arvnodeman.manage.budget_answers import BudgetShown, BudgetsShown

PHYSICS = replace(ONE, owner=JobOwner("ada", "physics"))
BUDGET = Budget("lab", 10.0, Period.MONTH, accounts=("physics",))


@pytest.fixture
def managed(tmp_path: Path) -> Managed:
    made = Managed(tmp_path, token="sesame", policy=policy(budgets=(BUDGET,)))
    spent = Spent(EPOCH - HOUR, EPOCH + 48 * HOUR, 9.5, 1.25, 0.05, "2023-12-01 00:00 UTC")
    made.world.spending = Spending(budgets={"lab": spent}, lives={"": HOUR})
    made.world.begin(*jobs(2, PHYSICS))
    return made


def shown(managed: Managed) -> BudgetShown:
    (found,) = msgspec.convert(managed.ask("/v1/budgets"), BudgetsShown).budgets
    return found


def test_three_figures_and_what_they_mean(managed: Managed) -> None:
    found = shown(managed)
    assert (found.name, found.state, found.limit, found.spent, found.committed) == ("lab", "used up", 10.0, 9.5, 1.25)
    assert found.forecast == pytest.approx(9.5 + 48 * 0.05, abs=0.01)
    assert found.words == (
        "$9.50 spent and $1.25 committed of $10.00 a month, forecast $11.90; it ends at 2023-12-01 00:00 UTC "
        "(in 48.0 h): no new node is booted for it"
    )
    assert managed.ask("/v1/budgets/lab") == managed.ask("/v1/budgets")["budgets"][0]
    assert managed.get("/v1/budgets/other", Authorization="Bearer sesame").status_code == 404
    job = managed.ask("/v1/jobs")["jobs"][0]
    assert job["why"].startswith(
        "budget lab ($10.00 a month) is used up: $9.50 spent, $1.25 committed; it frees at 2023"
    )


def test_metrics_have_them(managed: Managed) -> None:
    text = managed.get("/metrics", Authorization="Bearer sesame").get_data(as_text=True)
    for line in (
        'budget_limit_dollars{budget="lab",per="month"} 10.0',
        'budget_spent_dollars{budget="lab",per="month"} 9.5',
        'budget_committed_dollars{budget="lab",per="month"} 1.25',
        'budget_nearly_spent{budget="lab",per="month"} 1.0',
        'budget_refuses{budget="lab",per="month"} 1.0',
    ):
        assert f"arvados_node_manager_{line}\n" in text


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"amount": -1}, "amount"),
        ({"amount": "5"}, "amount"),
        ({"amount": 5, "until": EPOCH + HOUR, "reason": "two\nlines"}, "reason must be a text of one line"),
        ({"amount": 5, "until": EPOCH + HOUR}, "a raise needs a reason"),
        ({"amount": 5, "until": EPOCH - HOUR, "reason": "x"}, "until must be a moment to come"),
        ({"amount": 5, "until": EPOCH + HOUR, "reason": "x", "more": 1}, "the body must be a JSON object"),
    ],
)
def test_a_wrong_raise_is_refused(managed: Managed, body: dict[str, Any], wrong: str) -> None:
    answer = managed.post("/v1/budgets/lab/raise", body)
    assert answer.status_code == 400
    assert wrong in answer.get_json()["error"]


def test_a_raise_is_told_to_the_brain(managed: Managed) -> None:
    body = {"amount": 5, "until": EPOCH + HOUR, "reason": "a deadline"}
    answer = managed.post("/v1/budgets/lab/raise", body)
    assert answer.status_code in (200, 202)
    assert answer.get_json()["kept"] is False  # nobody keeps it here
    managed.world.tell(BudgetRaise("lab", 5.0, EPOCH + HOUR, "a deadline", EPOCH, "later"))
    managed.world.cycle()
    found = shown(managed)
    assert (found.limit, found.state) == (15.0, "open")
    assert found.raised is not None
    assert managed.post("/v1/budgets/other/raise", body).status_code == 404


def test_the_command_shows_a_table(managed: Managed) -> None:
    out = io.StringIO("\n".join(command.lines([shown(managed)])))
    header, row = out.getvalue().split("\n")
    assert header.split() == ["BUDGET", "PER", "LIMIT", "SPENT", "COMMITTED", "FORECAST", "STATE", "ENDS"]
    assert row.split()[:6] == ["lab", "month", "10.00", "9.50", "1.25", "11.90"]
    assert next(iter(command.lines([]))).startswith("There are no budgets")
    told = "\n".join(command.told(shown(managed)))
    assert told.startswith("Budget lab: used up; it pays for accounts physics, and at its limit it refuses")
