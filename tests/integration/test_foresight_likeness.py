"""The simulated site is like the double: the same jobs make the same nodes come and go, at both sites.

The double is a site on loopback with the real daemon before it; the simulated one has the same brain in virtual time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm_stage import Stage, stage

from arvnodeman.config import load
from arvnodeman.fleet.values.model import JobShape, ProviderSize
from arvnodeman.foresight.sim_records import SimRecords
from arvnodeman.foresight.simulation import Pace, Simulation
from arvnodeman.sandbox.catalogue import SIZES
from arvnodeman.sandbox.process import SiteProcess

SPEED = 60.0  # simulated seconds in a real one, of the double
BOUND = 120.0  # real seconds
OFFERS = tuple(
    ProviderSize(size.id, size.name, size.ram, size.disk, price=size.price, cores=size.cores) for size in SIZES
)
HOUR = 3600.0


@dataclass(frozen=True)
class Waiting:
    """A job: the size that it names, nodes, seconds that it runs."""

    size: str
    nodes: int = 1
    duration: float = 300.0


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    made: Counter[str]  # nodes, by size
    left: int  # nodes
    done: int  # jobs that have run exactly once
    busy_destroyed: int
    most: int  # nodes at once


WORK = {
    "a node for each": (20, [Waiting("small")] * 4 + [Waiting("medium")] * 2 + [Waiting("large", nodes=2)]),
    "fewer nodes than jobs": (2, [Waiting("small", duration=60.0)] * 9),
}


def at_the_double(at: Stage, most: int, jobs: Sequence[Waiting]) -> Outcome:
    """Let the real daemon live there until all is over."""
    specs = [{"size": job.size, "nodes": job.nodes, "duration": job.duration} for job in jobs]
    at.site.add_jobs(*specs)
    daemon = at.daemon(max_nodes=most)
    at.until(lambda: at.site.state()["quiet"], "the site to be quiet", BOUND)
    assert daemon.stop() == 0
    verdict = at.site.verdict()
    made = Counter(event["text"].partition("(")[2].rstrip(")") for event in at.happened("node-created"))
    return Outcome(
        made,
        len(verdict["nodes_left"]),
        verdict["ran_once"],
        len(verdict["busy_destroyed"]),
        verdict["most_at_once"],
    )


def at_the_simulated(config: Path, jobs: Sequence[Waiting], *, names: bool) -> Outcome:
    """The same with the daemon's own policy, in virtual time."""
    policy = load(str(config)).policy()
    run = Simulation(policy, OFFERS, seed=1, pace=Pace(poll=0.25, max_wait=2.0, step=0.05), slots=64, names=names)
    run.site.nature.boot = 60.0 / SPEED
    if isinstance(run.site.keeper, SimRecords):
        run.site.keeper.ping = 60.0 / SPEED
    waiting = [run.site.submit(JobShape(size=job.size, nodes=job.nodes), job.duration / SPEED) for job in jobs]
    run.until(lambda: all(job.done or job.cancelled for job in waiting) and not run.site.clouds.nodes, HOUR)
    tally = run.site.tally
    done = sum(job.done and job.runs == 1 for job in waiting)
    return Outcome(tally.made, len(run.site.clouds.nodes), done, len(tally.busy_destroyed), tally.most_nodes)


@pytest.mark.parametrize("records", ["arvados", pytest.param("slurm", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "work", [*list(WORK)[:1], *(pytest.param(work, marks=pytest.mark.long) for work in list(WORK)[1:])]
)
def test_the_same_nodes_come_and_go(tmp_path: Path, work: str, records: str) -> None:
    most, jobs = WORK[work]
    with SiteProcess(speed=SPEED, records=records) as site, stage(site, tmp_path) as at:
        double = at_the_double(at, most, jobs)
    simulated = at_the_simulated(tmp_path / "site0.cfg", jobs, names=records == "slurm")
    assert simulated == double
