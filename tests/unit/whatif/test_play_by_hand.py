"""Scenarios so small that what comes of them can be worked out: to the second, and to the cent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stage import BOOT as BOOTS
from stage import START, asking, configured, give_up_sooner, job, scenario

from arvnodeman.whatif.forecast import JobCounts, LowestCost
from arvnodeman.whatif.play import play

STEPS = 3.5  # seconds from the poll that shows a job until its node is asked for: a record, its features, the request
BOOT = 100.0
GOES = 82.0  # seconds from the end of the last job until its node is gone: two polls see it idle, then it is drained,
# marked and looked at


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


def test_a_limit_holds_jobs_back_for_as_long_as_it_does(tmp_path: Path) -> None:
    """Four nodes at most: the fifth job begins when the others have ended, on one of their nodes."""
    settings = configured(tmp_path)
    played = play(scenario(settings, *(job(str(number), 0, shape=asking(alone=True)) for number in range(5))))
    assert played.waits == [STEPS + BOOT] * 4 + [STEPS + BOOT + 600]
    (held,) = played.forecast.held
    assert (held.reason, held.jobs) == ("at_max_nodes", 1)
    assert held.hours * 3600 == pytest.approx(720)  # from the poll at the start on, until the one after it began
    assert "max_nodes of 4 reached" in held.example


def test_a_quota_holds_whatever_max_nodes_says(tmp_path: Path) -> None:
    jobs = [job(str(number), 0, shape=asking(alone=True)) for number in range(2)]
    played = play(scenario(configured(tmp_path), *jobs, assumed=replace(BOOTS, quota=1)))
    assert played.waits == [STEPS + BOOT, STEPS + BOOT + 600]
    assert (played.forecast.most_nodes, played.forecast.boots) == (1, 1)
    assert [held.reason for held in played.forecast.held] == ["backing_off"]  # the cloud has said so


def test_a_size_of_which_there_is_none_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All sizes are out of stock for ever: no job begins, and that ends."""
    give_up_sooner(monkeypatch)
    played = play(scenario(configured(tmp_path), job("1", 0), assumed=replace(BOOTS, out_of_stock=1.0)))
    assert played.waits == [None]
    assert played.forecast.jobs.waiting == 1
    assert played.forecast.boots == 0
    assert "backing_off" in [held.reason for held in played.forecast.held]


def test_what_its_user_takes_back_leaves_the_queue(tmp_path: Path) -> None:
    """Before its node is up; and one that began here before that moment has run until then."""
    soon = job("1", 0, seconds=None, end=START + 50)
    late = job("2", 0, seconds=None, end=START + 400)
    played = play(scenario(configured(tmp_path), soon, late))
    assert played.waits == [None, STEPS + BOOT]
    assert (played.forecast.jobs.withdrawn, played.forecast.jobs.done) == (1, 1)
    assert played.forecast.node_hours.busy * 3600 == pytest.approx(400 - STEPS - BOOT)


def test_jobs_that_nobody_knows_when_they_left_are_left_out(tmp_path: Path) -> None:
    forecast = play(scenario(configured(tmp_path), job("1", 0), job("2", 0, seconds=None))).forecast
    assert (forecast.jobs.withdrawn, forecast.jobs.done) == (1, 1)
    assert any("nobody knows when" in remark for remark in forecast.remarks)


def test_a_job_that_could_never_run_before_it_left_is_left_out(tmp_path: Path) -> None:
    held = job("1", 0, seconds=None, end=START + 1000)._replace(eligible=None)
    forecast = play(scenario(configured(tmp_path), held, job("2", 0))).forecast
    assert (forecast.jobs.withdrawn, forecast.jobs.done, forecast.boots) == (1, 1, 1)


def test_one_waits_from_when_it_could_run(tmp_path: Path) -> None:
    """It was held for ten minutes: no node comes before that."""
    held = job("1", 0)._replace(eligible=START + 600)
    played = play(scenario(configured(tmp_path), held))
    assert played.waits == [STEPS + BOOT]
    assert played.forecast.ended == pytest.approx(START + 600 + 785, abs=1)


def test_jobs_that_no_size_fits_are_counted_and_not_submitted(tmp_path: Path) -> None:
    wide = asking(cores=9)
    forecast = play(
        scenario(configured(tmp_path), job("1", 0), job("2", 0, shape=wide), job("3", 5, shape=wide))
    ).forecast
    assert (forecast.jobs.impossible, forecast.jobs.done, forecast.boots) == (2, 1, 1)
    (impossible,) = forecast.impossible
    assert (impossible.jobs, impossible.first) == (2, "2")
    assert "9 core(s), 100 MB: " in impossible.shape


def test_parts_of_one_job_begin_together(tmp_path: Path) -> None:
    """The second part needs a big node, which takes twice as long to come up. The parts come when the last can run."""
    first = job("1+0", 0, shape=asking(alone=True), het="1")
    other = job("1+1", 60, shape=asking(cores=8, alone=True), het="1")
    played = play(scenario(configured(tmp_path), first, other))
    assert played.waits == [STEPS + 200.0] * 2
    assert played.forecast.node_hours.busy * 3600 == pytest.approx(1200)


def test_several_nodes_for_one_job(tmp_path: Path) -> None:
    played = play(scenario(configured(tmp_path), job("1", 0, shape=asking(alone=True, nodes=3))))
    assert (played.waits, played.forecast.boots) == ([STEPS + BOOT], 3)
    assert played.forecast.lowest.alone == pytest.approx(3 * 0.06)


def test_a_partition_gets_nodes_of_its_size(tmp_path: Path) -> None:
    settings = configured(tmp_path, big="partitions = large")
    forecast = play(scenario(settings, job("1", 0, shape=asking(partitions=("large",)), partition="large"))).forecast
    assert list(forecast.by_size) == ["small"]  # which serves all partitions, and costs less
    settings = configured(tmp_path, small="partitions = normal", big="partitions = large")
    forecast = play(scenario(settings, job("1", 0, shape=asking(partitions=("large",)), partition="large"))).forecast
    assert list(forecast.by_size) == ["big"]
    assert list(forecast.waits_by_partition) == ["large"]


def test_a_node_that_dies_gives_its_job_back(tmp_path: Path) -> None:
    """Deaths are that often that some come; each job is done once, from its beginning."""
    jobs = [job(str(number), 100.0 * number, 3000) for number in range(30)]
    played = play(scenario(configured(tmp_path), *jobs, assumed=replace(BOOTS, dies=0.2)))
    counts = played.forecast.jobs
    assert counts.done == 30
    assert counts.requeues > 0


def test_a_preemptible_size_is_taken_back(tmp_path: Path) -> None:
    settings = configured(tmp_path, small="preemptible = yes")
    jobs = [job(str(number), 100.0 * number, 3000) for number in range(30)]
    forecast = play(scenario(settings, *jobs, assumed=replace(BOOTS, reclaims=0.2))).forecast
    assert (forecast.jobs.done, forecast.jobs.requeues > 0) == (30, True)
    assert list(forecast.by_purchase) == ["preemptible"]
    assert play(scenario(configured(tmp_path), *jobs, assumed=replace(BOOTS, reclaims=0.2))).forecast.jobs.requeues == 0
