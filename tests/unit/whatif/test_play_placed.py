"""Where Slurm itself places jobs on names that are off, as node_records = slurm-cloud says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stage import BOOT, START, asking, configured, job, scenario

from arvnodeman.whatif.play import play

PLACES = "node_records = slurm-cloud"


def test_jobs_are_played_where_slurm_places_them(tmp_path: Path) -> None:
    jobs = [job(str(number), 20.0 * number, shape=asking(alone=True)) for number in range(6)]
    played = play(scenario(configured(tmp_path, arvados=PLACES), *jobs))
    forecast = played.forecast
    assert forecast.jobs.done == 6
    assert forecast.node_hours.busy * 3600 == pytest.approx(6 * 600)
    assert all(wait is not None and 100 <= wait < 1200 for wait in played.waits)
    assert 1 <= forecast.boots <= 6
    assert forecast.cost == pytest.approx(sum(each.cost for each in forecast.by_purchase.values()))


def test_jobs_share_the_nodes_that_they_are_placed_on(tmp_path: Path) -> None:
    forecast = play(scenario(configured(tmp_path, arvados=PLACES), job("1", 0), job("2", 0))).forecast
    assert (forecast.boots, forecast.jobs.done) == (1, 2)


def test_what_is_taken_back_leaves(tmp_path: Path) -> None:
    soon, late = job("1", 0, seconds=None, end=START + 30), job("2", 0, seconds=None, end=START + 2000)
    played = play(scenario(configured(tmp_path, arvados=PLACES), soon, late))
    assert played.waits[0] is None
    assert (played.forecast.jobs.withdrawn, played.forecast.jobs.done) == (1, 1)


def test_lost_nodes_give_their_jobs_back(tmp_path: Path) -> None:
    jobs = [job(str(number), 100.0 * number, 3000) for number in range(12)]
    forecast = play(scenario(configured(tmp_path, arvados=PLACES), *jobs, assumed=replace(BOOT, dies=0.3))).forecast
    assert forecast.jobs.done == 12
    assert forecast.jobs.requeues > 0


@pytest.mark.parametrize("alone", [False, True])
def test_nodes_are_ready_for_jobs_that_could_not_start_before(tmp_path: Path, alone: bool) -> None:
    """With `ahead` they hardly wait, and those that share a node share the one that is ready."""
    later = [job(str(number), 10.0 * number, shape=asking(alone=alone)) for number in range(2)]
    held = [each._replace(eligible=each.submit + 1800.0) for each in later]
    plain = play(scenario(configured(tmp_path, arvados=PLACES), *held))
    daemon = "ahead = yes\nahead_max_idle = 30"
    ready = play(scenario(configured(tmp_path, arvados=PLACES, daemon=daemon), *held))
    assert min(wait for wait in plain.waits if wait is not None) >= 100
    assert max(wait for wait in ready.waits if wait is not None) < 5
    assert ready.forecast.boots == plain.forecast.boots == (2 if alone else 1)
