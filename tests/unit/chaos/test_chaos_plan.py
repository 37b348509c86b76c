"""What a seed of chaos means, and how runs are told."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest
from chaos.plan import KILLS, favourites, make_plan, rates
from chaos.play import Outcome
from chaos.points import POINTS, arm, points_of
from chaos.run import line_of, seeds_of, summary
from chaos.soak import Sample, report, slope, unit_environment

from arvnodeman.sandbox.faults import FAULTS, Where, names_of
from arvnodeman.slurm.commands import Slurm

CLEAN = {
    "jobs": 3,
    "ran_once": 3,
    "cancelled": 0,
    "requeues": {"node-dies-working": 2},
    "nodes_booted": 4,
    "disturbed": 0,
}


def test_a_seed_is_one_plan() -> None:
    assert make_plan(7) == make_plan(7)
    assert make_plan(7).kills != make_plan(8).kills
    assert len(make_plan(7).kills) == KILLS


def test_twenty_seeds_aim_at_every_point_and_favour_every_fault() -> None:
    for records in ("arvados", "slurm", "slurm-cloud"):
        plans = [make_plan(seed, records=records) for seed in range(1, 21)]
        assert {kill.point for plan in plans for kill in plan.kills if kill.point} == set(points_of(records))
    assert {name for seed in range(1, 21) for name in favourites(seed)} == set(FAULTS)


@pytest.mark.parametrize("place", [place for place in Where if place is not Where.NODE])
def test_the_kinds_of_a_place_share_its_rate(place: Where) -> None:
    well = 1.0
    for name in names_of(place):
        well *= 1 - rates(0.2)[name]
    assert 1 - well == pytest.approx(0.1 if place is Where.REQUEST else 0.2)


def test_seeds_are_ranges_and_lists() -> None:
    assert seeds_of("1-3,7") == [1, 2, 3, 7]
    for bad in ("", "x", "3-1"):
        with pytest.raises((ValueError, argparse.ArgumentTypeError)):
            seeds_of(bad)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_point_is_the_nth_time_of_a_call(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Died(BaseException):
        pass

    def die(_number: object) -> None:
        raise Died

    monkeypatch.setattr(Slurm, "resume", lambda self, name: told.append(name))
    monkeypatch.setattr("chaos.points._die", die)
    arm(f"{when} slurm.resume", 2)
    Slurm().resume("first")
    with pytest.raises(Died):
        Slurm().resume("second")
    assert told == (["first"] if when == "before" else ["first", "second"])


def test_a_run_that_left_something_is_told_with_its_logs() -> None:
    good = Outcome(1, verdict=dict(CLEAN), kills=25, points=[POINTS[0]])
    left = {"nodes_left": ["sb-1"], "slots_left": ["compute1"], "drained_left": []}
    bad = Outcome(2, verdict={**CLEAN, **left}, wrong=["nodes left: sb-1"], logs=Path("here"))
    assert " ok " in line_of(good)
    assert "run anew 2" in line_of(good)
    assert "WRONG" in line_of(bad)
    assert "logs: here" in line_of(bad)
    text = summary([good, bad])
    assert "episodes: 2, failed: 1 (seeds 2)" in text
    assert f"points hit: 1 of {len(POINTS)}" in text
    assert "leaks: 2\n" in text
    assert "lost jobs: 0\n" in text


def samples(growth: float) -> list[Sample]:
    return [Sample(at, 100_000 + growth * at / 3600, 20, 30, at / 100) for at in range(0, 1800, 5)]


def test_a_slope_is_for_an_hour() -> None:
    assert slope(samples(5000), "rss")[0] == pytest.approx(5000)
    assert slope(samples(5000)[:1], "rss") == (0.0, 0.0)
    spikes = [replace(one, rss=one.rss + 9000) if one.at % 100 else one for one in samples(5000)]
    assert slope(spikes, "rss")[0] == pytest.approx(5000, rel=0.1)


def connections(growth: float) -> list[Sample]:
    """Five of them come and go, 10 minutes each; beside that they grow."""
    return [replace(one, descriptors=int(30 + 5 * (one.at // 600 % 2) + growth * one.at / 3600)) for one in samples(0)]


def test_connections_that_come_and_go_are_no_leak_and_one_a_minute_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(connections(0), "") == 0
    assert report(connections(60), "") == 1
    assert "WRONG: descriptors" in capsys.readouterr().out


def test_a_soak_with_a_slope_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(samples(0), "") == 0
    assert "no slope" in capsys.readouterr().out
    assert report(samples(50_000), "") == 1
    assert report(samples(0), "the daemon ended") == 1
    assert "WRONG: the daemon ended" in capsys.readouterr().out


def test_a_soak_has_the_environment_of_the_unit() -> None:
    """With glibc's own choice of heaps, memory grows for hours."""
    found = unit_environment()
    assert found["MALLOC_ARENA_MAX"] == "1"
    assert len(found) > 1
    assert "HOME" not in found
