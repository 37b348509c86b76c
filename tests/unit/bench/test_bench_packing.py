"""The comparison of packings: the jobs are the same each time, the bound is one, and this build can be played."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
ROOT = BENCH.parents[1]
sys.path.append(str(BENCH))

from made_up_jobs import MENU, MadeUpJob, Offer, day_of_jobs, fluid_bound  # noqa: E402
from packing import Goal, main  # noqa: E402

SIXTEEN = (Offer("sixteen", 16, 64_000, 0.80),)


def played(jobs: list[MadeUpJob], menu: tuple[Offer, ...], *, share: bool) -> Any:
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    told = json.dumps({"offers": menu, "jobs": jobs, "share": share, "seed": 1})
    command = [sys.executable, str(BENCH / "play_jobs.py")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True, stdout=-1, input=told, text=True)
    return json.loads(done.stdout)


def test_a_day_is_the_same_from_the_same_seed_and_fits_the_menu() -> None:
    jobs = day_of_jobs(500, 1)
    assert jobs == day_of_jobs(500, 1) != day_of_jobs(500, 2)
    assert len(jobs) == 500
    assert all(0 <= job.at < 86_400 for job in jobs)
    assert all(any(job.cores <= offer.cores and job.ram <= offer.ram for offer in MENU) for job in jobs)
    assert len({(job.cores, job.ram) for job in jobs}) > 20
    assert any(job.nodes > 1 for job in jobs)


@pytest.mark.parametrize(
    ("jobs", "menu", "bound"),
    [
        ([MadeUpJob(0, 3600, 4, 1000, 1)], SIXTEEN, 0.20),
        ([MadeUpJob(0, 3600, 1, 32_000, 2)], SIXTEEN, 0.80),
        ([MadeUpJob(0, 1800, 1, 1, 1)], (Offer("a", 1, 1000, 1.0), Offer("b", 1, 2000, 0.5)), 0.25),
        (  # one of them full of cores and one full of memory: both kinds of node are paid for
            [MadeUpJob(0, 3600, 10, 20_000, 1), MadeUpJob(0, 3600, 10, 80_000, 1)],
            (Offer("lean", 10, 20_000, 1.0), Offer("fat", 10, 80_000, 2.0)),
            3.0,
        ),
    ],
)
def test_what_no_way_to_run_the_jobs_is_below(jobs: list[MadeUpJob], menu: tuple[Offer, ...], bound: float) -> None:
    assert fluid_bound(jobs, menu) == pytest.approx(bound)


@pytest.mark.parametrize("share", [False, True])
def test_this_build_plays_jobs(share: bool) -> None:
    jobs = [MadeUpJob(10.0 * number, 300.0, 4, 2000, 1) for number in range(8)]
    found = played(jobs, SIXTEEN, share=share)
    assert (found["unfinished"], found["left"]) == (0, 0)
    assert fluid_bound(jobs, SIXTEEN) < found["cost"] < 8 * 0.80
    assert found["nodes"] <= 8
    assert 0 < found["wait"] <= found["late"] < 600


def test_a_goal_is_missed_by_what_is_above_it() -> None:
    assert Goal("as it should be", 0.1, 0.1).met
    assert not Goal("more", 0.11, 0.1).met
    with pytest.raises(SystemExit):
        main(["--rows", "nonsense"])
