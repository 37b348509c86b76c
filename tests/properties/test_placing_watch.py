"""The watch over histories sees what it is there for: a placed job for which nobody makes a node."""

from __future__ import annotations

import pytest
from simulation.placing_watch import UNSERVED_FOR, PlacingWatch

from arvnodeman.fleet.decide.placed import PlacedNames
from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.fleet.values.work import Power
from arvnodeman.foresight.sim_power import UP
from arvnodeman.foresight.simulation import Pace, PlacingSimulation

POLL = 60.0  # seconds: long enough that no list comes between
OFFERS = (ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),)
POLICY = Policy(
    sections=(SizeSection("small", 2, "small"),),
    shutdown_windows=(0.0, 60.0),
    max_nodes=4,
    boot_fail_after=900.0,
    slurm=True,
    places=True,
)


def a_job_came_to_a_node_about_to_go() -> PlacingWatch:
    """small-1 is up and idle; a job of two nodes is placed there, and in this moment it is asked to go."""
    run = PlacingSimulation(POLICY, OFFERS, seed=1, pace=Pace(poll=POLL), slots=4)
    watch = PlacingWatch(run)
    first = run.site.submit(JobShape(cores=2), 30.0)
    assert run.until(lambda: first.done, 1800)
    (up,) = [name for name in run.site.slurms.names.values() if name.power == UP]
    job = run.site.submit(JobShape(cores=2, nodes=2), 300.0)
    while not job.configures:
        run.advance(0.01)
    assert job in up.jobs
    assert not run.fleet.view.operations
    run.site.slurms.update(up.name, "power_down_asap", "Node Manager shutdown (a test)")
    run.advance(UNSERVED_FOR + 10 * POLL)
    return watch


def test_a_job_for_which_nobody_makes_a_node_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a name about to go did not count as up: it waited for the job, and the job for its other node."""

    def is_up(names: PlacedNames, name: str) -> bool:
        return name in names.work and names.work[name].power is Power.ON

    monkeypatch.setattr(PlacedNames, "is_up", is_up)
    watch = a_job_came_to_a_node_about_to_go()
    assert any("nobody makes ['small-" in text for text in watch.wrong)


def test_one_that_gets_its_node_is_none() -> None:
    assert a_job_came_to_a_node_about_to_go().wrong == []
