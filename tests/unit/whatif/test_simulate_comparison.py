"""Two configurations with the same jobs: figures, how sure they are, and whom it hurts."""

from __future__ import annotations

from array import array
from math import nan
from pathlib import Path

import msgspec
import pytest
from plain_play import forecast, plain_play
from simulated_jobs import jobs, write_config

from arvnodeman.config import load
from arvnodeman.fleet.values.model import ProviderSize
from arvnodeman.whatif.comparison import Comparison, compare
from arvnodeman.whatif.comparison_words import as_text
from arvnodeman.whatif.intervals import Interval, interval, paired
from arvnodeman.whatif.points import PlayedPoint
from arvnodeman.whatif.scenario import Scenario


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    settings = load(str(write_config(tmp_path / "a.cfg")), offline=True)
    return Scenario(settings, (ProviderSize("m5.large", "m5.large", price=0.1),), tuple(jobs()))


def played(scenario: Scenario, waits: list[float], hours: float) -> PlayedPoint:
    return PlayedPoint(forecast(scenario, waits, hours, False), array("d", waits))


def test_an_interval_holds_the_mean_of_most() -> None:
    assert interval([3.0]) == Interval(3.0, None, None)
    found = interval([1.0, 2.0, 3.0])  # 2 ± 4.303 × 1 / √3
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, -0.4843, 4.4843), abs=1e-4)
    many = interval([float(each % 2) for each in range(100)])
    assert many.high == pytest.approx(0.5985, abs=1e-3)
    assert interval([1.0, 1.1, 1.2]).is_above
    assert interval([-1.0, -1.1, -1.2]).is_below
    assert not found.is_above


def test_what_chance_does_to_both_falls_out() -> None:
    before, after = [10.0, 200.0, 3000.0], [11.0, 201.0, 3001.0]
    assert paired(before, after) == Interval(1.0, 1.0, 1.0)


def test_who_is_hurt_most_comes_first_and_who_never_begins_before_all(scenario: Scenario) -> None:
    before = [100.0] * 12
    after = [100.0 + 10 * each for each in range(12)]
    after[2], after[3] = nan, 0.0
    before[4] = after[4] = nan
    pairs = [(played(scenario, before, 5.0), played(scenario, after, 4.0))] * 2
    found = compare(("a.cfg", "b.cfg"), jobs(), pairs, partial=False, remarks=["as read"])
    assert [each.id for each in found.hurt] == ["2", "11", "10", "9", "8", "7", "6", "5", "1"]
    assert (found.hurt[0].before, found.hurt[0].after, found.hurt[0].user) == (100.0, None, "user2")
    assert (found.hurt[1].before, found.hurt[1].after, found.hurt[1].partition) == (100.0, 210.0, "cpu")
    assert (found.hurt_jobs, found.helped_jobs) == (6, 1)
    assert found.figures["cost"].change == Interval(-1.0, -1.0, -1.0)
    assert found.remarks == ["as read", "boots take 120 s"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found


def test_it_is_told_how_sure_it_is(scenario: Scenario) -> None:
    waits = [100.0] * 12

    def told(*costs: tuple[float, float]) -> str:
        pairs = [(played(scenario, waits, one), played(scenario, waits, other)) for one, other in costs]
        return as_text(compare(("a", "b"), jobs(), pairs, partial=False))

    assert "1 seed: with one seed, nothing is known about chance" in told((5, 4))
    assert "2 seeds: surely cheaper, as far as chance goes" in told((5, 4), (7, 6))
    assert "2 seeds: surely dearer" in told((5, 6), (7, 8))
    assert "2 seeds: the change of cost may be chance" in told((5, 6), (7, 6))
    assert "0 jobs would have waited more than 60 s longer" in told((5, 4))
    assert "Hurt most" not in told((5, 4))
    assert plain_play(scenario).waits


def test_a_table_shows_both_and_the_change(scenario: Scenario) -> None:
    pairs = [(played(scenario, [60.0] * 12, 5.0), played(scenario, [180.0] * 12, 4.0))] * 2
    lines = as_text(compare(("a.cfg", "b.cfg"), jobs(), pairs, partial=True)).splitlines()
    assert lines[0].startswith("PARTIAL")
    assert lines[1:3] == ["Before: a.cfg", "After:  b.cfg"]
    cost = next(line for line in lines if line.startswith("cost"))
    assert cost.split() == ["cost,", "$", "5.00", "4.00", "-1.00", "(-20%)", "-1.00", "to", "-1.00"]
    wait = next(line for line in lines if line.startswith("mean wait"))
    assert "+2 min (+200%)" in wait
    assert any(line.split() == ["0", "cpu", "user0", "60", "s", "3", "min"] for line in lines)
