"""Scenarios so small that what comes of them can be worked out: to the second, and to the cent."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import asking, configured, job, scenario

from arvnodeman.whatif.forecast import JobCounts, LowestCost
from arvnodeman.whatif.play import play

STEPS = 3.5  # seconds from the poll that shows a job until its node is asked for: a record, its features, the request
BOOT = 100.0
GOES = 80.0  # seconds from the end of the last job until its node is gone: two polls see it idle, then it is drained


def test_one_job_waits_for_its_node_which_then_goes(tmp_path: Path) -> None:
    played = play(scenario(configured(tmp_path), job("1", 0)))
    forecast = played.forecast
    assert played.waits == [STEPS + BOOT]
    assert forecast.jobs == JobCounts(all=1, done=1, running=0, waiting=0, withdrawn=0, impossible=0, requeues=0)
    assert forecast.node_hours.booting * 3600 == pytest.approx(BOOT)
    assert forecast.node_hours.busy * 3600 == pytest.approx(600)
    assert (forecast.node_hours.idle + forecast.node_hours.ending) * 3600 == pytest.approx(GOES)
    assert forecast.cost == pytest.approx((BOOT + 600 + GOES) * 0.36 / 3600)
    assert (forecast.boots, forecast.failed_boots, forecast.most_nodes) == (1, 0, 1)
    assert list(forecast.by_size) == ["small"]
    assert forecast.ended - forecast.began == pytest.approx(STEPS - 0.5 + BOOT + 600 + GOES, abs=1)


def test_nothing_is_cheaper_than_the_lowest_costs(tmp_path: Path) -> None:
    """A core costs 18 cents an hour in either size, and 100 MB with it nothing more."""
    forecast = play(scenario(configured(tmp_path), job("1", 0))).forecast
    assert forecast.lowest == LowestCost(alone=0.06, fluid=0.03, job_hours=600 / 3600)


def test_two_jobs_share_a_node(tmp_path: Path) -> None:
    played = play(scenario(configured(tmp_path), job("1", 0), job("2", 0)))
    assert played.waits == [STEPS + BOOT] * 2
    assert played.forecast.boots == 1
    assert played.forecast.node_hours.busy * 3600 == pytest.approx(600)


def test_jobs_that_want_their_nodes_alone_get_one_each(tmp_path: Path) -> None:
    alone = asking(alone=True)
    forecast = play(scenario(configured(tmp_path), job("1", 0, shape=alone), job("2", 0, shape=alone))).forecast
    assert (forecast.boots, forecast.most_nodes) == (2, 2)
    assert forecast.node_hours.busy * 3600 == pytest.approx(1200)
