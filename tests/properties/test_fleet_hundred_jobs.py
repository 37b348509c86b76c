"""A hundred jobs that are scattered at once, in virtual time: the nodes come, the jobs end, the nodes go."""

from __future__ import annotations

import pytest
from simulation.watch import Watch

from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.foresight.simulation import Simulation

OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
)
SECTIONS = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS)
HOUR = 3600.0


@pytest.mark.parametrize("windows", [(54.0, 5.0, 1.0), (0.0, 60.0)], ids=["by the hour", "at once"])
@pytest.mark.parametrize("seed", range(3))
def test_jobs_of_two_to_two_hundred_seconds_all_end_and_the_nodes_go(seed: int, windows: tuple[float, ...]) -> None:
    """Row M9."""
    run = Simulation(
        Policy(sections=SECTIONS, shutdown_windows=windows, max_nodes=30, slurm=True, asks_scheduler=True), OFFERS, seed
    )
    watch = Watch(run)
    run.advance(60.0)
    jobs = [
        run.site.submit(JobShape(cores=run.rng.choice([1, 1, 2, 8])), 2.0 + 198.0 * number / 99)
        for number in run.rng.sample(range(100), 100)
    ]
    assert run.until(lambda: all(job.done for job in jobs), 3 * HOUR), watch.account("jobs wait for ever")
    assert [job.runs for job in jobs] == [1] * 100
    assert 2 < run.site.tally.most_nodes <= 30
    assert run.until(lambda: not run.site.clouds.nodes, 2 * HOUR), watch.account("nodes are left")
    run.advance(600.0)
    assert not run.fleet.view.operations
    assert not run.site.keeper.slots()
    assert not run.site.clouds.nodes
    assert run.site.tally.busy_destroyed == []
    assert watch.wrong == []
