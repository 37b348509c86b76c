"""What counts as better, as a trade, and as neither."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from plain_play import forecast
from simulated_jobs import jobs, write_config

from arvnodeman.config import load
from arvnodeman.fleet.values.model import ProviderSize
from arvnodeman.whatif.advice import MoveVerdict, in_order, tried
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.scenario import Scenario


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    settings = load(str(write_config(tmp_path / "a.cfg")), offline=True)
    return Scenario(settings, (ProviderSize("m5.large", "m5.large", price=0.1),), tuple(jobs()))


def forecasts(scenario: Scenario, *figures: tuple[float, float], done: int = 12) -> Sequence[Forecast]:
    """Of each seed cost and wait."""
    return [forecast(scenario, [wait] * done + [float("nan")] * (12 - done), cost, False) for cost, wait in figures]


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ([(90, 100), (91, 101)], MoveVerdict.BETTER),  # cheaper
        ([(90, 109), (91, 110)], MoveVerdict.BETTER),  # and slower by less than matters
        ([(90, 111), (91, 112)], MoveVerdict.TRADE),
        ([(100, 80), (101, 81)], MoveVerdict.BETTER),  # quicker
        ([(100.9, 80), (101.9, 81)], MoveVerdict.BETTER),
        ([(103, 80), (104, 81)], MoveVerdict.TRADE),
        ([(100, 95), (101, 96)], MoveVerdict.NO),  # by so little that it does not matter
        ([(99.9, 100), (100.9, 101)], MoveVerdict.NO),
        ([(80, 100), (105, 101)], MoveVerdict.NO),  # it may be chance
        ([(110, 100), (111, 101)], MoveVerdict.NO),
    ],
)
def test_what_is_better_is_surely_so(
    scenario: Scenario, after: list[tuple[float, float]], verdict: MoveVerdict
) -> None:
    before = forecasts(scenario, (100, 100), (101, 101))
    assert tried("a", (), before, forecasts(scenario, *after)).verdict is verdict


def test_who_runs_fewer_jobs_is_not_better(scenario: Scenario) -> None:
    before = forecasts(scenario, (100, 100), (101, 101))
    found = tried("a", (), before, forecasts(scenario, (50, 50), (51, 51), done=11))
    assert (found.verdict, found.jobs_done) == (MoveVerdict.NO, -1)


def test_the_best_comes_first(scenario: Scenario) -> None:
    before = forecasts(scenario, (100, 100), (101, 101))
    after = {"less": (95, 100), "trade": (50, 300), "no": (120, 100), "least": (90, 100)}
    moves = [
        tried(words, (), before, forecasts(scenario, (cost, wait), (cost + 1, wait + 1)))
        for words, (cost, wait) in after.items()
    ]
    assert [each.words for each in in_order(moves)] == ["least", "less", "trade", "no"]
