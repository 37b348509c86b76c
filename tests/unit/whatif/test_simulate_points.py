"""What is handed to processes that play a trace, and what the jobs of a trace take at a site."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest
from plain_play import plain_play
from simulated_jobs import CONFIG, job, jobs, write_config

from arvnodeman.config import Settings, load
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import ProviderSize
from arvnodeman.traces.job import Got
from arvnodeman.whatif.as_shared import as_shared
from arvnodeman.whatif.points import Point, Trials, without_secrets
from arvnodeman.whatif.scenario import Assumed
from arvnodeman.whatif.used_memory import SPARE, as_used, over_asked

ALONE = "[Arvados]\nhost = zyxwv.example.com\ntoken = sesame-token\n"
SIZES = (ProviderSize("m5.large", "m5.large", 8000, price=0.1, cores=2),)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(str(write_config(tmp_path / "a.cfg")), offline=True)


@pytest.fixture
def sharing(tmp_path: Path) -> Settings:
    """Slurm alone."""
    text = CONFIG.replace(ALONE, "").replace("[Daemon]\n", "[Daemon]\ndispatcher = slurm\n")
    path = tmp_path / "sharing.cfg"
    path.write_text(text)
    return load(str(path), offline=True)


def test_no_secret_goes_to_other_processes(settings: Settings) -> None:
    assert b"sesame" in pickle.dumps(settings)
    point = Point(without_secrets(settings), SIZES, Assumed())
    assert b"sesame" not in pickle.dumps(point)
    assert pickle.loads(pickle.dumps(point)) == point
    assert without_secrets(settings).policy() == settings.policy()


def test_jobs_have_their_nodes_to_themselves_where_the_site_says_so(settings: Settings) -> None:
    found = as_shared(settings, [job(0, cores=2, ram=1000)])
    assert found.jobs[0].shape.takes is None
    assert found.remarks == ("each job has its nodes to itself, as the configuration has it",)


def test_jobs_take_what_they_ask_for_where_they_share(sharing: Settings) -> None:
    trace = [job(0, cores=2, ram=1000), job(3, cores=2, ram=1000), job(2, ram=500, exclusive=True), job(4)]
    found = as_shared(sharing, trace)
    assert [each.shape.takes for each in found.jobs] == [
        Footprint(2, 1000),
        Footprint(2, 1000),
        None,
        Footprint(1, math.inf),
    ]
    assert found.jobs[0].shape is found.jobs[1].shape
    assert found.remarks == ("jobs that ask for no memory, and so have all that their node has: 1",)


def test_memory_that_nobody_asks_for_is_not_counted(sharing: Settings) -> None:
    found = as_shared(sharing, [job(0), job(1)])
    assert {each.shape.takes for each in found.jobs} == {Footprint(1, 0.0)}
    assert found.remarks == ("no job asks for memory: it is not counted where jobs share nodes",)


def test_a_job_of_more_cores_than_any_size_is_spread_as_slurm_did_it(sharing: Settings) -> None:
    wide = job(0, cores=7, ram=4000, got=Got(nodes=4))
    shapes = [each.shape for each in as_shared(sharing, [wide, job(1, cores=7), job(2, cores=2, got=Got(4))]).jobs]
    assert [(each.nodes, each.cores, each.ram) for each in shapes] == [(4, 2, 1000), (1, 7, 0), (1, 2, 0)]
    assert "spread over the nodes that they got: 1" in as_shared(sharing, [wide]).remarks[0]


def test_what_came_is_told_by_job_with_what_was_assumed(settings: Settings) -> None:
    trace = [*jobs(3), job(3, seconds=None)]
    found = Trials(trace, plain_play).run(Point(settings, SIZES, Assumed(boot=60.0), seed=3))
    assert len(found.waits) == 4
    assert math.isnan(found.waits[3])
    assert all(48 <= wait <= 72 for wait in found.waits[:3])
    assert found.forecast.seed == 3
    assert found.forecast.remarks == [
        "each job has its nodes to itself, as the configuration has it",
        "boots take 60 s",
    ]


def test_memory_that_is_asked_for_and_not_used() -> None:
    trace = [
        job(0, ram=4096, max_rss=1000.0),
        job(3, ram=4096, max_rss=1000.0, seconds=3600.0),
        job(1, ram=1024, max_rss=1024.0),
        job(2, ram=4096),
        job(4, max_rss=10.0),
    ]
    first, second = over_asked(trace)
    assert (first.user, first.jobs, first.asked, round(first.used)) == ("user0", 2, 4096, 1000)
    assert first.idle_gb_hours == pytest.approx((4096 - 1000) / 1024 * 4200 / 3600)
    assert (second.user, second.idle_gb_hours) == ("user1", 0.0)
    assert [each.shape.ram for each in as_used(trace, SPARE)] == [1280, 1280, 1024, 4096, 0]
    assert over_asked(jobs()) == []
