"""Spares, and nodes for jobs that cannot start yet, on a simulated site: what they bring, and that they go again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from arvnodeman.fleet.messages import QueueListed
from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.local_time import OpenHours, Stretch
from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.fleet.values.reasons_of_spares import NotWorth, Readied, StaysAhead, StaysAsSpare, WaitsToBoot
from arvnodeman.fleet.values.spares import Spare
from arvnodeman.foresight.simulation import Pace, PlacingSimulation, Simulation

OFFERS = (ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),)
JOB = JobShape(cores=2, ram=1000)
HOUR = 3600.0
MODES = ("names in Slurm", "records", "Slurm decides")


def site(mode: str = "records", **options: object) -> Simulation | PlacingSimulation:
    policy = Policy(
        sections=(SizeSection("small", 2, "small"),),
        shutdown_windows=(0.0, 60.0),
        max_nodes=8,
        slurm=True,
        places=mode == "Slurm decides",
        **options,  # type: ignore[arg-type]  # of the right kind each
    )
    if policy.places:
        return PlacingSimulation(policy, OFFERS, seed=1, pace=Pace(poll=60.0))
    return Simulation(policy, OFFERS, seed=1, pace=Pace(poll=60.0), names=mode == "names in Slurm")


def there(run: Simulation | PlacingSimulation) -> int:
    return len(run.site.clouds.nodes)


def reasons_of(run: Simulation | PlacingSimulation, kind: type) -> list[object]:
    return [status.why for status in run.fleet.view.nodes.values() if isinstance(status.why, kind)]


@pytest.mark.parametrize("mode", MODES)
def test_a_spare_comes_when_its_hours_begin_is_replaced_when_a_job_has_it_and_goes_when_they_end(mode: str) -> None:
    """The simulation begins on a Tuesday, 22:13:20 UTC; polls are brought forward to the moments of the window."""
    night = OpenHours((Stretch(0, 6, 23 * 60, 26 * 60),))
    run = site(mode, spares=(Spare("night", "small", 1, hours=night),))
    run.advance(2790.0)  # 22:59:50
    assert there(run) == 0
    assert run.fleet.view.spares[0].is_open is False
    run.advance(90.0 if mode == "Slurm decides" else 30.0)  # there a name is powered up first
    assert there(run) == 1, "it is not before the next poll that it would have been seen"
    run.advance(1200.0)
    standing = run.fleet.view.spares[0]
    assert (standing.wanted, standing.idle, standing.coming) == (1, 1, 0)
    assert reasons_of(run, StaysAsSpare) == [StaysAsSpare(spare="night")]
    run.site.submit(JOB, HOUR)
    assert run.until(lambda: there(run) == 2, 300.0)
    run.advance(2 * HOUR)  # the job is over, and one of the two goes
    assert there(run) == 1 or not run.fleet.view.spares[0].is_open
    run.advance(HOUR)
    assert there(run) == 0


def stands(run: Simulation) -> type:
    """How it stands with job 17."""
    return type(run.fleet.view.ahead["17"])


def ready(run: Simulation, job: str, at: float, *, late: float = 0.0) -> None:
    """A job is known that may start at that moment; it is submitted then."""

    def coming() -> Sequence[LaterJob]:
        return [LaterJob(job, JOB, at, late, "its begin time comes")] if run.now < at else []

    run.site.later = coming


def with_boots_known(run: Simulation) -> None:
    """Some nodes have come up, so that it is known how long that takes; and have gone."""
    for _ in range(3):
        run.site.submit(JOB, 60.0)
    assert run.until(lambda: there(run) >= 3, HOUR)
    assert run.until(lambda: there(run) == 0, 2 * HOUR)


def test_a_node_is_up_when_its_job_may_start_and_boots_no_earlier_than_it_has_to() -> None:
    run = site()
    assert isinstance(run, Simulation)
    with_boots_known(run)
    usual, latest = run.fleet._state.milestones.boot_times("small") or (0.0, 0.0)
    assert 0.0 < usual <= latest < 900.0
    at = run.now + HOUR
    ready(run, "17", at)
    run.advance(HOUR - latest - 60.0)
    assert there(run) == 0
    assert stands(run) is WaitsToBoot
    run.advance(latest + 59.0)  # a second later it may be in the queue
    assert stands(run) is Readied
    job = run.site.submit(JOB, 60.0)
    run.advance(60.0)
    assert job.started is not None
    run.advance(300.0)
    counters = run.fleet.view.counters
    assert (counters["ahead_boots"], counters["ahead_used"], counters.get("ahead_in_vain", 0)) == (1, 1, 0)


def test_a_node_for_a_job_that_does_not_start_goes_after_ahead_max_idle() -> None:
    run = site(ahead_max_idle=10.0)
    assert isinstance(run, Simulation)
    with_boots_known(run)
    at = run.now + 1800.0
    run.site.later = lambda: [LaterJob("17", JOB, at, 0.0, "job 12, on which it depends, is likely to end")]
    assert run.until(lambda: bool(reasons_of(run, StaysAhead)), HOUR)
    stood = run.now
    assert run.until(lambda: there(run) == 0, HOUR)
    assert run.now - stood < 600.0 + 600.0
    run.advance(2 * HOUR)
    counters = run.fleet.view.counters
    assert (counters["ahead_boots"], counters["ahead_in_vain"]) == (1, 1)
    assert there(run) == 0, "once is enough"


def test_none_is_booted_that_would_idle_for_longer_than_its_job_would_wait() -> None:
    run = site()
    assert isinstance(run, Simulation)
    with_boots_known(run)
    at = run.now + 1800.0
    run.site.later = lambda: [LaterJob("17", JOB, at, 3000.0, "job 12, on which it depends, is likely to end")]
    run.advance(HOUR)
    assert there(run) == 0
    why = run.fleet.view.ahead["17"]
    assert isinstance(why, NotWorth)
    assert "to save it a wait of" in why.words(0.0) or "ahead_max_idle is" in why.words(0.0)


def test_nodes_that_the_job_before_it_gives_up_are_enough() -> None:
    run = site()
    assert isinstance(run, Simulation)
    first = run.site.submit(JOB, 2 * HOUR)
    assert run.until(lambda: first.started is not None, HOUR)
    at = run.now + 300.0
    run.site.later = lambda: [LaterJob("17", JOB, at, 0.0, "job 12 is likely to end", tuple(first.nodes))]
    run.advance(290.0)
    assert there(run) == 1
    assert "are enough" in run.fleet.view.ahead["17"].words(0.0)


def test_without_such_jobs_nothing_is_counted() -> None:
    run = site()
    run.site.submit(JOB, 60.0)
    run.advance(HOUR)
    assert not [name for name in run.fleet.view.counters if name.startswith("ahead")]
    assert QueueListed((), 0.0).later == ()
