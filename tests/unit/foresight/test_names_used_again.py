"""A name that Slurm powers up for the second time, long after the first: its new node is one like any other."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.foresight.simulation import Pace, PlacingSimulation

OFFERS = (ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),)


@pytest.mark.parametrize("pause", [60.0, 3600.0])
def test_its_node_pairs_and_goes_when_it_is_idle(pause: float) -> None:
    """Slurm keeps the start of the last slurmd. Taken for the new one's it kept the node from its record: an idle node
    stood there until boot_fail_after, and counted as a boot that failed."""
    policy = Policy(sections=(SizeSection("small", 2, "small"),), shutdown_windows=(0.0, 60.0), slurm=True, places=True)
    run = PlacingSimulation(policy, OFFERS, seed=1, pace=Pace(poll=10.0), slots=1)
    for _ in range(2):
        job = run.site.submit(JobShape(cores=2), 60.0)
        assert run.until(lambda job=job: job.done, 600.0)  # type: ignore[misc]
        assert run.until(lambda: not run.site.clouds.nodes, 300.0)
        run.advance(pause)
    counters = run.fleet.view.counters
    assert (counters["boots_up"], counters.get("boot_failures", 0)) == (2, 0)
