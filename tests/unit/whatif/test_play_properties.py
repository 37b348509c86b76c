"""What holds of every forecast: sums add up, and the same scenario gives the same bytes."""

from __future__ import annotations

import math
import random
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from stage import BOOT, START, asking, configured, job, scenario

from arvnodeman.traces.job import JobEnding, TracedJob
from arvnodeman.whatif import site
from arvnodeman.whatif.forecast import Forecast
from arvnodeman.whatif.forecast_words import jobs_in_words
from arvnodeman.whatif.play import play
from arvnodeman.whatif.scenario import Assumed

ROUGH = Assumed(boot=90.0, boot_fails=0.1, dies=0.2, reclaims=0.3, quota=3, out_of_stock=0.2, stock_out=600.0)


def lively(seed: int, count: int = 40) -> Sequence[TracedJob]:
    """Jobs of all kinds, some of which nobody can run."""
    rng = random.Random(seed)
    jobs = []
    for number in range(count):
        at, kind = rng.random() * 7200, rng.random()
        shape = asking(
            rng.choice((1, 1, 2, 4, 8, 9)),
            rng.choice((100.0, 1000.0, 20_000.0)) if rng.random() < 0.2 else 100.0,
            alone=rng.random() < 0.3,
            nodes=rng.choice((1, 1, 1, 2)),
            account=rng.choice("ab"),
        )
        if kind < 0.1:
            jobs.append(job(str(number), at, None, shape=shape, end=START + at + rng.random() * 900))
        elif kind < 0.15:
            jobs.append(job(str(number), at, None, shape=shape, ending=JobEnding.PENDING))
        else:
            jobs.append(job(str(number), at, rng.expovariate(1 / 600), shape=shape))
    return sorted(jobs, key=lambda each: each.submit)


def assert_sums(forecast: Forecast) -> None:
    counts, hours = forecast.jobs, forecast.node_hours
    left = counts.withdrawn + counts.impossible + counts.to_come
    assert counts.all == counts.done + counts.running + counts.waiting + left
    paid = sum(each.hours for each in forecast.by_size.values())
    assert hours.booting + hours.idle + hours.busy + hours.ending == pytest.approx(paid)
    for table in (forecast.by_size, forecast.by_purchase):
        assert sum(each.cost for each in table.values()) == pytest.approx(forecast.cost)
        assert sum(each.boots for each in table.values()) == forecast.boots
    prices = {"small": 0.36, "big": 1.44}
    assert all(each.cost == pytest.approx(each.hours * prices[size]) for size, each in forecast.by_size.items())
    assert sum(each.jobs for each in forecast.waits_by_account.values()) == forecast.waits.jobs
    assert sum(each.jobs for each in forecast.impossible) == counts.impossible
    assert forecast.lowest.fluid <= forecast.cost + 1e-9
    assert forecast.lowest.fluid <= forecast.lowest.alone + 1e-9
    assert forecast.waits.median <= forecast.waits.p90 <= forecast.waits.p99 <= forecast.waits.longest


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("arvados", ["", "host = a.example\ntoken = x"], ids=["slurm", "arvados"])
def test_sums_add_up_whatever_goes_wrong(seed: int, arvados: str, tmp_path: Path) -> None:
    settings = configured(tmp_path, small="preemptible = yes", arvados=arvados)
    played = play(scenario(settings, *lively(seed), assumed=ROUGH, seed=seed))
    assert_sums(played.forecast)
    assert not played.forecast.partial
    assert sum(wait is not None for wait in played.waits) == played.forecast.waits.jobs
    assert all(wait is None or 0 <= wait < math.inf for wait in played.waits)


def test_the_same_scenario_gives_the_same_bytes(tmp_path: Path) -> None:
    given = scenario(configured(tmp_path), *lively(7), assumed=ROUGH, seed=7)
    first, again = (msgspec.json.encode(play(given).forecast) for _ in range(2))
    assert first == again
    assert msgspec.json.encode(play(replace(given, seed=8)).forecast) != first


def test_one_option_more_leaves_the_chances_of_the_rest_as_they_are(tmp_path: Path) -> None:
    """Boots take the same times, whatever else the cloud does: only what an option does is different."""
    jobs = [job("1", 0), job("2", 3000)]
    few = play(scenario(configured(tmp_path), *jobs, assumed=Assumed(), seed=3))
    other = configured(tmp_path, daemon="consecutive_idle_count = 5")
    assert play(scenario(other, *jobs, assumed=Assumed(dies=1e-9), seed=3)).waits == few.waits


def test_who_stops_it_has_what_there_is_so_far(tmp_path: Path) -> None:
    jobs = [job(str(number), 100.0 * number, 300) for number in range(200)]
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 5

    forecast = play(scenario(configured(tmp_path), *jobs), stop=stop).forecast
    assert forecast.partial
    assert 0 < forecast.jobs.done < 200
    assert forecast.jobs.to_come > 200 - forecast.jobs.done - 20  # few wait; the others were to be submitted later
    assert "yet to come" in jobs_in_words(forecast.jobs)
    assert_sums(forecast)


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    told: list[float] = []
    play(scenario(configured(tmp_path), *(job(str(n), 60.0 * n, 30) for n in range(50))), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_curve_is_spread_over_the_time(tmp_path: Path) -> None:
    played = play(scenario(configured(tmp_path), *(job(str(n), 600.0 * n, 1200) for n in range(50)), assumed=BOOT))
    moments = [point.at for point in played.curve]
    assert moments == sorted(moments)
    assert 50 <= len(moments) <= 800
    assert max(point.busy for point in played.curve) >= 1
    assert all(point.price >= 0 for point in played.curve)


def test_nothing_to_play_costs_nothing(tmp_path: Path) -> None:
    forecast = play(scenario(configured(tmp_path))).forecast
    assert (forecast.cost, forecast.boots, forecast.jobs.all) == (0.0, 0, 0)


def test_no_request_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is any socket made, for the sizes or for the play."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert play(scenario(configured(tmp_path), job("1", 0))).forecast.jobs.done == 1


@pytest.mark.parametrize("seed", range(2))
def test_how_often_nodes_are_heard_from_changes_nothing(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is the same is passed over: what is decided is what is decided where each poll brings another."""
    given = scenario(configured(tmp_path), *lively(seed), assumed=ROUGH, seed=seed)
    passed_over = msgspec.json.encode(play(given).forecast)
    monkeypatch.setattr(site, "UNHEARD", 0.0)
    assert msgspec.json.encode(play(given).forecast) == passed_over
