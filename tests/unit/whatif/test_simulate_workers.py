"""Many points at once, in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from plain_play import DEATH, FAULT, SLOW, plain_play
from simulated_jobs import jobs, write_config

from arvnodeman.config import Settings, load
from arvnodeman.fleet.values.model import ProviderSize
from arvnodeman.whatif.points import PlayedPoint, Point, Trials, without_secrets
from arvnodeman.whatif.scenario import Assumed
from arvnodeman.whatif.workers import Failure, Stopped, Workers, cores

SIZES = (ProviderSize("m5.large", "m5.large", 8000, price=0.1, cores=2),)


@pytest.fixture
def point(tmp_path: Path) -> Point:
    settings = load(str(write_config(tmp_path / "a.cfg")), offline=True)
    return Point(without_secrets(settings), SIZES, Assumed())


def with_nodes(point: Point, most: int) -> Point:
    settings: Settings = replace(point.settings, daemon=replace(point.settings.daemon, max_nodes=most))
    return replace(point, settings=settings)


def test_each_comes_out_as_in_this_process(point: Point) -> None:
    points = [replace(with_nodes(point, most), seed=most) for most in range(1, 6)]
    shares: list[float] = []
    with Workers(jobs(), plain_play, 2) as workers:
        found = dict(workers.results(points, shares.append))
    here = Trials(jobs(), plain_play)
    assert [found[place] for place in range(5)] == [here.run(each) for each in points]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert not multiprocessing.active_children()


def test_a_fault_and_a_death_take_one_point_and_no_other(point: Point) -> None:
    points = [with_nodes(point, most) for most in (2, FAULT, DEATH, 3, 4)]
    with Workers(jobs(), plain_play, 2) as workers:
        found = dict(workers.results(points))
        again = dict(workers.results(points[:1]))
    assert [isinstance(found[place], PlayedPoint) for place in range(5)] == [True, False, False, True, True]
    assert found[1] == Failure("ValueError: there is a fault")
    assert found[2] == Failure("its process has ended: SIGKILL, out of memory, it may be")
    assert again[0] == found[0]
    assert not multiprocessing.active_children()


def test_who_stops_it_has_what_came_until_then(point: Point) -> None:
    points = [with_nodes(point, most) for most in (2, SLOW, SLOW)]
    found: list[int] = []
    with Workers(jobs(), plain_play, 2) as workers, pytest.raises(Stopped):
        found.extend(place for place, _ in workers.results(points, stop=lambda: bool(found)))
    assert found == [0]
    assert not multiprocessing.active_children()


ORPHANS = """
import os, signal, sys
sys.path[:0] = {path!r}
from plain_play import plain_play
from test_simulate_workers import point_of, with_nodes
from simulated_jobs import jobs
from arvnodeman.whatif.workers import Workers
if __name__ == "__main__":
    with Workers(jobs(), plain_play, 2) as workers:
        def tell(_):
            if all(each.process.pid for each in workers._workers) and len(workers._workers) == 2:
                print(*(each.process.pid for each in workers._workers), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
        dict(workers.results([with_nodes(point_of({folder!r}), {slow})] * 2, tell))
"""


def point_of(folder: str) -> Point:
    settings = load(str(write_config(Path(folder) / "b.cfg")), offline=True)
    return Point(without_secrets(settings), SIZES, Assumed())


def test_they_end_when_who_started_them_is_gone(tmp_path: Path) -> None:
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS.format(path=[str(Path(__file__).parent)], folder=str(tmp_path), slow=SLOW))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr
    for pid in map(int, done.stdout.split()):
        ended(pid)


def ended(pid: int) -> None:
    import time

    end = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < end, f"{pid} lives"
        time.sleep(0.05)


def test_cores_are_those_that_we_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
