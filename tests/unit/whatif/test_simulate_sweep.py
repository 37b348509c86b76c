"""Sweeps: which values are tried, which configurations nothing beats, and how it is told."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from math import nan
from pathlib import Path

import msgspec
import pytest
from plain_play import forecast
from simulated_jobs import jobs, write_config

from arvnodeman.config import Settings, load
from arvnodeman.fleet.values.model import ProviderSize
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.points import Point
from arvnodeman.whatif.scenario import Assumed, Scenario
from arvnodeman.whatif.sweep import Candidate, Sweep, same, sweep_of_forecasts
from arvnodeman.whatif.sweep_axes import MOST, axis, combinations
from arvnodeman.whatif.sweep_words import as_csv, as_text, label

SIZES = (ProviderSize("m5.large", "m5.large", price=0.1),)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(str(write_config(tmp_path / "a.cfg")), offline=True)


def values(text: str) -> list[str]:
    return [each.text for each in axis(text).values]


def test_values_are_parted_by_commas_or_bars() -> None:
    assert values("[Daemon] max_nodes = 20,40 , 80") == ["20", "40", "80"]
    assert values("[Daemon] max_nodes = 20 | 40") == ["20", "40"]
    assert values("[Cloud] shutdown_windows = 54, 5, 1") == ["54, 5, 1"]
    assert values("[Cloud] shutdown_windows = 54, 5, 1 | 0, 60") == ["54, 5, 1", "0, 60"]
    assert values("[Cloud] shutdown_windows = 54, 5, 1|0, 60") == ["54, 5, 1", "0, 60"]
    assert values("[Size a] features = x,y | z") == ["x,y", "z"]
    assert values("[Size a] instance_type = m5.large, m5.xlarge") == ["m5.large", "m5.xlarge"]
    assert values("[Daemon] share =") == [""]
    assert axis("[Daemon] MAX_NODES = 1").option == "[Daemon] max_nodes"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_nodes = 1", r"'max_nodes' is not \[Section\] option = value"),
        ("[Daemon] max_nodes = 1,,2", r"\[Daemon\] max_nodes: a value is empty; they stand between commas"),
        ("[Daemon] max_nodes = 1 | | 2", "a value is empty; they stand between bars"),
        ("[Daemon] max_nodes = 1,2,1", "'1' is there twice"),
    ],
)
def test_a_wrong_axis_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        axis(text)


def test_all_combinations_in_order_and_not_too_many() -> None:
    axes = [axis("[Daemon] max_nodes = 1, 2"), axis("[Daemon] min_nodes = 0, 1")]
    assert [[each.text for each in point] for point in combinations(axes)] == [
        ["1", "0"],
        ["1", "1"],
        ["2", "0"],
        ["2", "1"],
    ]
    with pytest.raises(ValueError, match=r"\[Daemon\] max_nodes: given twice; give all its values at once"):
        combinations([axes[0], axis("[Daemon] max_nodes = 3")])
    many = axis("[Daemon] max_nodes = " + ",".join(map(str, range(MOST + 1))))
    with pytest.raises(ValueError, match=r"10,001 combinations; allowed: at most 10,000"):
        combinations([many])


def swept(settings: Settings, *figures: tuple[float, float, int] | str | None, current: int = 0) -> Sweep:
    """`figures`: of each configuration cost, wait and jobs that did not begin; a text: why nothing came of it."""
    point = Point(settings, SIZES, Assumed())
    scenario = Scenario(settings, SIZES, tuple(jobs()))
    candidates, forecasts = [], dict[tuple[int, int], Forecast | str]()
    for place, each in enumerate(figures):
        values = {"[Daemon] max_nodes": str(place)}
        candidates.append(Candidate(values, current=place == current, points=(point, replace(point, seed=1))))
        for number in range(2):
            if isinstance(each, str):
                forecasts[place, number] = each
            elif each is not None:
                cost, wait, fewer = each
                waits = [wait] * (12 - fewer) + [nan] * fewer
                forecasts[place, number] = forecast(scenario, waits, cost + number / 10, False)
    return sweep_of_forecasts(candidates, forecasts, [0, 1], remarks=["as read"])


def front(sweep: Sweep) -> list[str]:
    return [each.values["[Daemon] max_nodes"] for each in sweep.points if each.front]


def test_the_front_is_what_nothing_beats(settings: Settings) -> None:
    assert front(swept(settings, (5, 100, 0), (4, 200, 0), (6, 100, 0), (4, 300, 0), (3, 900, 0))) == ["0", "1", "4"]
    assert front(swept(settings, (5, 100, 0), (5, 100, 0))) == ["0", "1"]


def test_who_runs_fewer_jobs_is_not_on_the_front(settings: Settings) -> None:
    found = swept(settings, (5, 100, 0), (1, 1, 1))
    assert front(found) == ["0"]
    assert [each.figures.jobs_done for each in found.points if each.figures] == [12, 11]


def test_a_bad_point_is_a_line_and_a_missing_one_makes_it_partial(settings: Settings) -> None:
    found = swept(settings, (5, 100, 0), "a fault", None)
    assert [each.problem for each in found.points] == ["", "a fault", "not played"]
    assert found.partial
    assert not swept(settings, (5, 100, 0), "a fault").partial
    lines = as_text(found).splitlines()
    assert lines[0].startswith("PARTIAL")
    assert "max_nodes = 1: a fault" in lines
    assert "max_nodes = 2: not played" in lines
    assert msgspec.json.decode(msgspec.json.encode(found), type=Sweep) == found


def test_a_table_marks_the_front_and_the_current_one(settings: Settings) -> None:
    lines = as_text(swept(settings, (5, 100, 0), (4, 200, 0), (6, 100, 0), current=2)).splitlines()
    rows = {line.split()[0]: line for line in lines[1:4]}
    assert [rows[name].endswith("*") for name in "012"] == [True, True, False]
    assert rows["2"].endswith("<- current")
    assert "5.05 ± 0.64" in rows["0"]  # 12.706 × 0.05
    assert "* as read" in lines


def test_spreadsheets_have_a_line_for_each(settings: Settings) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(swept(settings, (5, 100, 0), "a fault", current=1)))))
    assert [(row["[Daemon] max_nodes"], row["current"], row["front"]) for row in rows] == [
        ("0", "0", "1"),
        ("1", "1", "0"),
    ]
    assert (rows[0]["cost"], rows[0]["mean_wait"], rows[0]["jobs_done"]) == ("5.0500", "100.0000", "12.0000")
    assert (rows[1]["cost"], rows[1]["problem"]) == ("", "a fault")


def test_configurations_are_alike_whatever_they_are_called(settings: Settings, tmp_path: Path) -> None:
    other = load(str(write_config(tmp_path / "b.cfg")), offline=True)
    assert same(settings, other)
    assert not same(settings, load(str(write_config(tmp_path / "c.cfg", max_nodes=5)), offline=True))


def test_the_configuration_as_it_is_has_a_name(settings: Settings) -> None:
    found: Sequence[str] = [label(each) for each in swept(settings, (1, 1, 0)).points]
    assert found == ["max_nodes = 0"]
    bare = sweep_of_forecasts([Candidate({}, current=True)], {}, [0])
    assert label(bare.points[0]) == "(as it is)"
