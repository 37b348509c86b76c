"""A job that a limit holds back gets the room that min_nodes and spares take: in each mode, at each limit, once and for
all.

Each is played in virtual time, with the limit as it is to the end: nothing but a node that goes can make room.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.fleet.values.spares import Spare
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.foresight.simulation import Pace, PlacingSimulation, Simulation

SOON = 2 * 3600.0  # seconds: a size that the cloud has refused is tried again a quarter of an hour later at the latest
OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("medium", "medium", ram=8000, disk=20, price=0.13, cores=4),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
)
BIG = JobShape(cores=8, ram=1000)


@dataclass(frozen=True)
class Limit:
    """What there is room for, and how many nodes the job needs."""

    nodes: int  # of the job
    min_nodes: int = 1
    max_nodes: int = 8
    price: float = 0.0
    quota: int | None = None  # the cloud's, which has to be learnt


LIMITS = {
    "max_nodes": Limit(2, max_nodes=2),
    "max_nodes of one": Limit(1, max_nodes=1),
    "max_nodes, all of them min_nodes": Limit(2, min_nodes=2, max_nodes=2),
    "price": Limit(1, price=0.45),
    "price of two": Limit(2, price=0.85),
    "quota": Limit(1, quota=1),
    "quota of two": Limit(2, min_nodes=2, quota=2),
}
MODES = ("names in Slurm", "records", "shared nodes", "Slurm decides")


def played(mode: str, limit: Limit, *, spares: bool) -> Simulation | PlacingSimulation:
    """A site and a daemon in this mode, with `min_nodes` that are kept as such, or as spares."""
    policy = Policy(
        sections=tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS),
        shutdown_windows=(0.0, 60.0),
        max_nodes=limit.max_nodes,
        min_nodes=0 if spares else limit.min_nodes,
        spares=(Spare("ready", "small", limit.min_nodes),) if spares else (),
        max_total_price=limit.price,
        boot_fail_after=900.0,
        slurm=True,
        places=mode == "Slurm decides",
    )
    run: Simulation | PlacingSimulation
    if policy.places:
        run = PlacingSimulation(policy, OFFERS, seed=1, pace=Pace(poll=60.0), slots=4)
    else:
        run = Simulation(policy, OFFERS, seed=1, names=mode == "names in Slurm", share=mode == "shared nodes")
    run.site.clouds.quota = limit.quota
    return run


def is_over(job: SimJob | PlacedSimJob) -> bool:
    """It has run to its end."""
    return job.done


@pytest.mark.parametrize("before", [0.0, 90.0, 1800.0], ids=["none yet", "while they boot", "they idle"])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("spares", [False, True], ids=["min_nodes", "spares"])
def test_a_job_gets_the_room_that_idle_nodes_take(spares: bool, mode: str, limit: str, before: float) -> None:
    """Whether they idle or boot when it comes. They come back when it is over."""
    run = played(mode, LIMITS[limit], spares=spares)
    run.advance(before)
    job = run.site.submit(BIG if LIMITS[limit].nodes == 1 else JobShape(cores=8, ram=1000, nodes=2), 600.0)
    assert run.until(lambda: is_over(job), SOON), (run.notes[-5:], run.steps)
    made = run.site.tally.created
    assert made <= 2 * (LIMITS[limit].min_nodes + LIMITS[limit].nodes), "nodes come and go in vain"
    assert run.until(lambda: len(run.site.clouds.nodes) >= LIMITS[limit].min_nodes, SOON)
