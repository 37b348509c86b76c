"""Budgets that are played: who is kept from nodes, what is spent, and that no more is over than was committed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import asking, configured, give_up_sooner, job, scenario

from arvnodeman.config import Settings
from arvnodeman.fleet.values.budgets import Budget, Period
from arvnodeman.traces.job import TracedJob
from arvnodeman.whatif.forecast_words import as_text
from arvnodeman.whatif.play import play

CENTS_AN_HOUR = 36.0  # of a small node


def site_of(folder: Path, nodes: int) -> Settings:
    """With so many nodes at most."""
    found = configured(folder)
    return replace(found, daemon=replace(found.daemon, max_nodes=nodes))


def with_budget(settings_: Settings, limit: float, per: Period = Period.DAY, account: str = "a") -> Settings:
    return replace(settings_, budgets=(Budget("lab", limit, per, accounts=(account,)),))


def alone(identity: str, at: float, account: str, seconds: float = 600.0, **more: float) -> TracedJob:
    return job(identity, at, seconds, shape=asking(2, alone=True, account=account), **more)


def test_a_budget_keeps_nodes_from_its_jobs_and_from_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job costs 6 cents, and its node 2 more where it has to boot, and to go: it takes others' that are there."""
    give_up_sooner(monkeypatch)
    site = site_of(tmp_path, 50)
    jobs = [alone(str(number), 1000.0 * number, "a" if number % 2 else "b") for number in range(12)]
    played = play(scenario(with_budget(site, 0.2, Period.MONTH), *jobs))
    (budget,) = played.forecast.budgets
    began = [wait is not None for wait in played.waits]
    assert began[::2] == [True] * 6
    assert began[1]
    assert not began[11]
    assert budget.reached == 1
    assert budget.most > 0.2
    assert [held.reason for held in played.forecast.held] == ["over_budget"]
    assert "budget lab ($0.20 a month) is used up" in played.forecast.held[0].example
    assert "lab" in as_text(played.forecast)


def test_with_the_next_day_they_go_on(tmp_path: Path) -> None:
    site = site_of(tmp_path, 50)
    jobs = [alone(str(number), 0.0, "a") for number in range(4)]
    played = play(scenario(with_budget(site, 0.15), *jobs))
    (budget,) = played.forecast.budgets
    assert all(wait is not None for wait in played.waits)
    assert budget.periods == 2
    assert max(wait for wait in played.waits if wait is not None) > 3600.0


def test_a_node_of_a_spent_budget_takes_no_more_of_its_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node would serve them all, one after the other, as long as they come: it is drained."""
    give_up_sooner(monkeypatch)
    site = site_of(tmp_path, 1)
    jobs = [alone(str(number), 0.0, "a", 1200.0) for number in range(30)]
    played = play(scenario(with_budget(site, 0.5, Period.MONTH), *jobs))
    (budget,) = played.forecast.budgets
    assert budget.over <= 1500.0 / 3600 * CENTS_AN_HOUR / 100  # one job, and what its node takes to go
    assert sum(wait is not None for wait in played.waits) == 5


def test_without_budgets_a_forecast_says_nothing_of_them(tmp_path: Path) -> None:
    forecast = play(scenario(configured(tmp_path), job("1", 0))).forecast
    assert forecast.budgets == []
    assert "Budgets" not in as_text(forecast)


@pytest.mark.parametrize("examples", [8, pytest.param(100, marks=pytest.mark.long)])
def test_an_overspend_is_at_most_what_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    """And what nodes take to boot and to go, for which nobody has a time limit. (What Slurm starts on nodes that are up
    for others is beside that: no node is booted for it.)"""
    give_up_sooner(monkeypatch)

    @settings(deadline=None, max_examples=examples)
    @given(
        runs=st.lists(st.tuples(st.integers(0, 7200), st.integers(60, 5400)), min_size=1, max_size=25),
        cents=st.integers(1, 150),
        per=st.sampled_from([Period.HOUR, Period.DAY, Period.MONTH]),
        nodes=st.integers(1, 12),
    )
    def holds(runs: list[tuple[int, int]], cents: int, per: Period, nodes: int) -> None:
        site = site_of(tmp_path, nodes)
        jobs = [
            alone(str(number), at, "a", float(seconds), time_limit=float(seconds))
            for number, (at, seconds) in enumerate(sorted(runs))
        ]
        played = play(scenario(with_budget(site, cents / 100, per), *jobs))
        (budget,) = played.forecast.budgets
        slack = nodes * 600.0 / 3600 * CENTS_AN_HOUR / 100
        assert budget.over <= budget.committed + slack
        assert budget.spent <= played.forecast.cost + 1e-6

    holds()
