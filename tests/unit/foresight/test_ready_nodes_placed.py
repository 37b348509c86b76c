"""Nodes for jobs that cannot start yet, on a simulated site whose Slurm places jobs on names that are off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from arvnodeman.fleet.values.later_jobs import LaterJob
from arvnodeman.fleet.values.model import JobShape, Policy, ProviderSize, SizeSection
from arvnodeman.fleet.values.reasons_of_spares import Readied, StaysAhead, WaitsToBoot
from arvnodeman.fleet.values.spares import Spare
from arvnodeman.foresight.sim_power import PowerName
from arvnodeman.foresight.simulation import Pace, PlacingSimulation

OFFERS = (
    ProviderSize("small", "small", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("big", "big", ram=16000, disk=50, price=0.4, cores=8),
)
WHOLE, HALF = JobShape(cores=2, ram=1000), JobShape(cores=1, ram=1000)
HOUR = 3600.0


def site(seed: int = 1, **options: object) -> PlacingSimulation:
    policy = Policy(
        sections=(SizeSection("small", 2, "small"), SizeSection("big", 8, "big")),
        shutdown_windows=(0.0, 60.0),
        slurm=True,
        places=True,
        **({"max_nodes": 8} | options),  # type: ignore[arg-type]  # of the right kind each
    )
    run = PlacingSimulation(policy, OFFERS, seed=seed, pace=Pace(poll=10.0), slots=6)  # Slurm pokes a real one
    run.site.later = run.site.that_begin_later
    run.advance(10.0)
    return run


def there(run: PlacingSimulation) -> int:
    return len(run.site.clouds.nodes)


def made(run: PlacingSimulation) -> int:
    """Machines since the beginning."""
    return run.fleet.view.counters.get("boots_up", 0) + run.fleet.view.counters.get("boot_failures", 0)


def stands(run: PlacingSimulation, job: str) -> type:
    return type(run.fleet.view.ahead.get(job))


def counted(run: PlacingSimulation) -> tuple[int, int, int]:
    """Boots for such jobs, those that were used, those that were not."""
    counters: Counter[str] = Counter(run.fleet.view.counters)
    return counters["ahead_boots"], counters["ahead_used"], counters["ahead_in_vain"]


def with_boots_known(run: PlacingSimulation) -> float:
    """Some nodes have come up, and have gone: how long nine of ten boots take at most."""
    for _ in range(3):
        run.site.submit(WHOLE, 60.0, alone=True)
    assert run.until(lambda: there(run) >= 3, HOUR)
    assert run.until(lambda: there(run) == 0, 2 * HOUR)
    times = run.fleet._state.milestones.boot_times("small")
    assert times is not None
    return times[1]


def test_a_name_is_powered_up_so_early_that_its_node_is_up_when_the_job_may_start() -> None:
    run = site()
    latest = with_boots_known(run)
    before = made(run)
    job = run.site.submit(WHOLE, 600.0, begins=run.now + HOUR)
    run.advance(HOUR - latest - 90.0)
    assert (there(run), stands(run, job.id)) == (0, WaitsToBoot)
    run.advance(latest + 80.0)
    assert stands(run, job.id) is Readied
    (node,) = run.fleet.view.nodes.values()
    assert isinstance(node.why, StaysAhead)
    assert f"it stays for job {job.id}" in node.why.words(0.0)
    run.advance(15.0)
    assert job.begun
    assert job.placed - job.begin_at < 3.0
    assert run.until(lambda: there(run) == 0, 2 * HOUR)
    assert (made(run) - before, counted(run)) == (1, (1, 1, 0))


def test_jobs_that_share_a_node_have_one() -> None:
    run = site()
    jobs = [run.site.submit(HALF, 600.0, begins=run.now + HOUR) for _ in range(4)]
    assert run.until(lambda: all(job.begun for job in jobs), HOUR + 30.0)
    assert {name for job in jobs for name in job.names} <= {"small-1", "small-2", "small-3"}
    assert counted(run)[0] == 2


@pytest.mark.parametrize(("shape", "boots"), [(HALF, 0), (WHOLE, 1)])
def test_what_is_left_of_a_node_at_work_is_enough_for_a_job_that_shares_it(shape: JobShape, boots: int) -> None:
    run = site()
    first = run.site.submit(HALF, 2 * HOUR)
    assert run.until(lambda: first.begun, HOUR)
    job = run.site.submit(shape, 60.0, begins=run.now + 900.0)
    assert run.until(lambda: job.begun, 900.0 + 5.0)
    assert counted(run)[0] == boots
    assert (job.names == first.names) is not bool(boots)


def test_what_is_left_of_a_node_that_comes_for_a_job_is_enough_too() -> None:
    run = site()
    job = run.site.submit(HALF, 60.0, begins=run.now + 290.0)
    run.advance(1.0)
    first = run.site.submit(HALF, 2 * HOUR)
    assert run.until(lambda: job.done, HOUR)
    assert (job.done, first.begun) == (True, True)
    assert made(run) + there(run) == 2, "one node came, and is there"


def test_each_job_that_has_its_nodes_to_itself_has_one() -> None:
    run = site()
    jobs = [run.site.submit(HALF, 600.0, alone=True, begins=run.now + 900.0) for _ in range(3)]
    assert run.until(lambda: all(job.begun for job in jobs), 905.0)
    assert counted(run)[0] == 3


def test_nodes_for_a_job_of_several() -> None:
    run = site()
    job = run.site.submit(JobShape(cores=2, nodes=3), 600.0, begins=run.now + 900.0)
    assert run.until(lambda: job.begun, 905.0)
    assert counted(run)[0] == 3


def test_after_a_cancel_the_node_goes_by_the_usual_rules() -> None:
    run = site()
    job = run.site.submit(WHOLE, 600.0, begins=run.now + 900.0)
    assert run.until(lambda: stands(run, job.id) is Readied and there(run) == 1, 900.0)
    run.site.cancel(job, "by its user")
    assert run.until(lambda: there(run) == 0, HOUR)
    run.advance(HOUR)
    assert (there(run), counted(run)) == (0, (1, 0, 1))


def test_a_name_that_was_powered_up_for_a_job_is_given_back_after_a_cancel() -> None:
    """The cloud has no room, so that no node comes for it."""
    run = site()
    run.site.clouds.quota = 0
    job = run.site.submit(WHOLE, 600.0, begins=run.now + 200.0)
    run.advance(60.0)
    run.site.cancel(job, "by its user")
    assert run.until(lambda: all(each.power == "POWERED_DOWN" for each in names(run)), HOUR)


def names(run: PlacingSimulation) -> list[PowerName]:
    return list(run.site.slurms.names.values())


def test_a_node_is_kept_for_ahead_max_idle_and_the_job_has_no_second() -> None:
    """The job that it waits for ends later than ever before."""
    run = site(ahead_max_idle=10.0)
    at = run.now + 900.0
    run.site.later = lambda: [LaterJob("17", WHOLE, at, 0.0, "job 12, on which it depends, is likely to end")]

    def stay() -> bool:
        return any(isinstance(each.why, StaysAhead) for each in run.fleet.view.nodes.values())

    assert run.until(stay, HOUR)
    stood = run.now
    run.advance(590.0)
    assert stay()
    assert run.until(lambda: there(run) == 0, HOUR)
    assert run.now - stood < 600.0 + 600.0
    run.advance(2 * HOUR)
    assert (there(run), counted(run)) == (0, (1, 0, 1))


def test_while_a_job_that_may_start_waits_for_its_turn_its_node_stays() -> None:
    """As when Slurm looks at its queue seldom. Without it the node would go at the second poll."""
    run = site()
    at = run.now + 900.0
    run.site.slurms.suits = lambda shape, size: run.now >= at + 390.0
    job = run.site.submit(WHOLE, 60.0, begins=at)
    stays_until(run, lambda: run.now >= at + 390.0)
    run.site.slurms.start_now(job)
    assert run.until(lambda: job.begun, 120.0)
    run.advance(60.0)
    assert counted(run) == (1, 1, 0)


def stays_until(run: PlacingSimulation, end: Callable[[], bool]) -> None:
    """A node comes, and is there until then."""
    assert run.until(lambda: there(run) == 1, HOUR)
    while not end():
        run.advance(10.0)
        assert there(run) == 1


def test_spares_and_min_nodes_stand_beside_it() -> None:
    """A spare is beyond what other jobs have; min_nodes counts all."""
    run = site(min_nodes=1, spares=(Spare("ready", "small", 1),))
    assert run.until(lambda: there(run) == 1, HOUR)
    run.advance(HOUR)
    job = run.site.submit(WHOLE, 300.0, begins=run.now + 900.0)
    run.advance(895.0)
    assert there(run) == 2
    assert run.until(lambda: job.begun, 10.0)
    assert there(run) == 2
    run.advance(HOUR)
    assert there(run) == 1


@pytest.mark.parametrize(("limit", "boots"), [(2, 1), (1, 0)])
def test_a_limit_stops_it(limit: int, boots: int) -> None:
    run = site(max_nodes=limit)
    first = run.site.submit(WHOLE, 2 * HOUR)
    assert run.until(lambda: first.begun, HOUR)
    job = run.site.submit(WHOLE, 60.0, begins=run.now + 600.0)
    run.advance(500.0)
    assert (there(run), counted(run)[0]) == (1 + boots, boots)
    assert (stands(run, job.id) is Readied) is bool(boots)


def test_a_restart_boots_nothing_twice() -> None:
    for seconds in (5.0, 60.0, 200.0, 290.0):
        run = site()
        job = run.site.submit(WHOLE, 600.0, begins=run.now + 300.0)
        run.advance(seconds)
        run.restart()
        assert run.until(lambda job=job: job.begun, 600.0), seconds  # type: ignore[misc]
        assert there(run) == 1, seconds


def test_without_the_option_nothing_is_known_of_such_jobs() -> None:
    run = site()
    run.site.later = None
    job = run.site.submit(WHOLE, 60.0, begins=run.now + 900.0)
    run.advance(890.0)
    assert (there(run), dict(run.fleet.view.ahead)) == (0, {})
    assert all(work.free is None for work in run.site.records.listed()[1].values())
    assert run.until(lambda: job.done, HOUR)
    assert counted(run) == (0, 0, 0)
