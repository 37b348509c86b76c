"""Pictures of forecasts, comparisons and sweeps: that they are made, and what is said when they cannot be."""

from __future__ import annotations

import sys
from array import array
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
from plain_play import forecast
from simulated_jobs import job, jobs, write_config

from arvnodeman.config import load
from arvnodeman.fleet.values.model import ProviderSize
from arvnodeman.whatif import pictures
from arvnodeman.whatif.comparison import compare
from arvnodeman.whatif.forecast import CurvePoint
from arvnodeman.whatif.pictures import CannotDraw
from arvnodeman.whatif.points import PlayedPoint, Point
from arvnodeman.whatif.scenario import Assumed, Scenario
from arvnodeman.whatif.sweep import Candidate, sweep_of_forecasts

WAITS = [60.0 * each for each in range(11)] + [nan]
HEADS = {".png": b"\x89PNG", ".svg": b"<?xml"}


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    settings = load(str(write_config(tmp_path / "a.cfg")), offline=True)
    return Scenario(settings, (ProviderSize("m5.large", "m5.large", price=0.1),), tuple(jobs()))


def played(scenario: Scenario) -> PlayedPoint:
    return PlayedPoint(forecast(scenario, WAITS, 5.0, False), array("d", WAITS))


@pytest.mark.parametrize("ending", HEADS)
def test_each_kind_of_picture_is_made(scenario: Scenario, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    made = forecast(scenario, WAITS, 5.0, True)
    once = PlayedPoint(made, array("d", WAITS))
    again = PlayedPoint(forecast(scenario, WAITS[::-1], 4.0, False), array("d", WAITS[::-1]))
    files = [tmp_path / f"{number}{ending}" for number in range(3)]
    curve = tuple(CurvePoint(1735689600.0 + 60 * each, 1, each % 3, 2, each, 0.3) for each in range(20))
    pictures.draw_forecast(replace(once, curve=curve), scenario.jobs, files[0])
    pictures.draw_comparison(compare(("a", "b"), scenario.jobs, [(once, again)] * 2, partial=False), files[1])
    candidates = [
        Candidate({"[Daemon] max_nodes": str(each)}, each == 1, (Point(scenario.settings, (), Assumed()),) * 2)
        for each in range(3)
    ]
    found = {(place, seed): forecast(scenario, WAITS, place + seed, False) for place in range(2) for seed in range(2)}
    pictures.draw_sweep(sweep_of_forecasts(candidates, found, [0, 1]), files[2])
    for file in files:
        assert file.read_bytes().startswith(HEADS[ending])


def test_nothing_to_draw_is_drawn(scenario: Scenario, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    waits = [nan] * 12
    nothing = PlayedPoint(forecast(scenario, waits, 0.0, True), array("d", waits))
    pictures.draw_forecast(nothing, [job(0, begin=None)] * 12, tmp_path / "a.png")
    pictures.draw_sweep(sweep_of_forecasts([Candidate({}, True, problem="bad")], {}, [0]), tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_where_it_cannot_be_written_that_is_one_line(scenario: Scenario, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(CannotDraw, match=r"away/a.png cannot be written: No such file or directory"):
        pictures.draw_forecast(played(scenario), scenario.jobs, tmp_path / "away" / "a.png")


def test_without_matplotlib_it_is_said_how_to_have_it(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CannotDraw, match="needs matplotlib, which is not installed"):
        pictures.draw_forecast(played(scenario), scenario.jobs, tmp_path / "a.png")
    assert not list(tmp_path.glob("*.png"))
