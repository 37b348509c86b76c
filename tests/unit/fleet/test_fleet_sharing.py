"""Jobs that share nodes, at a site in virtual time: what is filled, and what room tells that Slurm does not use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from world import HOUR, MINUTE, policy

from arvnodeman.fleet.decide.picturing import picture_of
from arvnodeman.fleet.values.capacity import Footprint
from arvnodeman.fleet.values.model import JobOwner, JobShape, NodeState, ProviderSize, SizeSection
from arvnodeman.fleet.values.reasons_of_use import RunsDry
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.simulation import Pace, Simulation

OFFERS = (ProviderSize("wide", "wide", ram=64_000, disk=100, price=0.8, cores=16),)
SECTIONS = (SizeSection("wide", 16, "wide"),)
USE_WITHIN = 180.0
NEVER = {"odd": ""}  # Slurm never starts jobs of this QOS, and does not say why


def small(qos: str = "", cores: int = 1) -> JobShape:
    """A job that shares its node."""
    return JobShape(cores=cores, ram=1000, owner=JobOwner("ann", "lab", qos), takes=Footprint(cores, 1000))


def site(**options: object) -> Simulation:
    """A site with one size, of 16 cores."""
    given = policy(sections=SECTIONS, use_within=USE_WITHIN, max_nodes=40, **options)
    run = Simulation(given, OFFERS, seed=1, pace=Pace(poll=MINUTE), share=True)
    run.site.slurms.rules.never = NEVER
    return run


def test_many_small_jobs_share_few_nodes_and_all_run() -> None:
    run = site()
    jobs = [run.site.submit(small(), 600.0) for _ in range(160)]
    assert run.until(lambda: all(job.done for job in jobs), 2 * HOUR)
    assert run.site.tally.created == 10
    assert not run.site.tally.busy_destroyed
    assert run.until(lambda: not run.site.clouds.nodes, HOUR)


def test_jobs_that_come_later_have_the_room_that_is_left() -> None:
    run = site()
    first = [run.site.submit(small(), 3600.0) for _ in range(10)]
    assert run.until(lambda: all(job.started is not None for job in first), HOUR)
    later = [run.site.submit(small(), 600.0) for _ in range(6)]
    assert run.until(lambda: all(job.started is not None for job in later), 10 * MINUTE)
    assert run.site.tally.created == 1


def test_a_node_with_a_job_on_it_is_not_let_go_however_little_is_used_of_it() -> None:
    run = site()
    job = run.site.submit(small(), 3 * 3600.0)
    assert run.until(lambda: job.done, 4 * HOUR)
    assert (run.site.tally.created, job.runs) == (1, 1)
    assert not run.site.tally.busy_destroyed


def test_room_that_slurm_does_not_use_is_evidence() -> None:
    """It counts no more for the group, for which a node is booted; when that is not used either, a back-off follows."""
    run = site()
    long = run.site.submit(small(), 12 * 3600.0)
    assert run.until(lambda: long.started is not None, HOUR)
    shy = run.site.submit(small("odd"), 600.0)
    run.advance(2 * MINUTE)
    assert run.fleet.view.waiting[shy.shape].served == 1
    assert run.site.tally.created == 1
    run.advance(4 * MINUTE)
    (line,) = [line for line in run.notes if "There was room on working nodes" in line]
    assert "but Slurm did not use it: it says Resources. It does not count for them for" in line
    assert run.site.tally.created == 2
    shut = run.fleet.view.waiting[shy.shape].shut_room
    assert shut is not None
    assert "room on nodes at work was there for it" in shut.words(run.fleet.view.t)
    run.advance(6 * HOUR)
    assert run.site.tally.created <= 12
    assert shy.started is None


def test_room_that_is_used_is_no_evidence() -> None:
    run = site()
    long = run.site.submit(small(), 12 * 3600.0)
    assert run.until(lambda: long.started is not None, HOUR)
    for _ in range(30):
        run.site.submit(small(cores=8), 110.0)
        run.advance(2 * MINUTE)
    assert not [line for line in run.notes if "There was room on working nodes" in line]


def all_began(jobs: Sequence[SimJob]) -> bool:
    return all(job.started is not None for job in jobs)


def two_half_empty(**options: object) -> Simulation:
    """Two nodes, each with a long job on it alone, some time after the others have ended."""
    run = site(**options)
    for _ in range(2):
        jobs = [run.site.submit(small(cores=2), 6 * HOUR), run.site.submit(small(cores=14), 900.0)]
        assert run.until(partial(all_began, jobs), HOUR)
    run.advance(20 * MINUTE)
    assert run.site.tally.created == 2
    return run


def test_half_empty_nodes_run_dry_where_an_operator_wants_it() -> None:
    run = two_half_empty(drain_to_consolidate=True)
    assert [operation.kind for operation in run.fleet.view.operations] == ["shutdown"]
    (node,) = [node for node in run.fleet.view.nodes.values() if node.ending is not None]
    assert isinstance(node.ending, RunsDry)
    run.advance(HOUR)
    assert len(run.site.clouds.nodes) == 2  # nobody is sent away
    late = run.site.submit(small(cores=2), 600.0)
    run.advance(3 * MINUTE)
    assert late.started is not None
    assert run.site.tally.created == 2
    assert run.until(lambda: not run.site.clouds.nodes, 8 * HOUR)
    assert not run.site.tally.busy_destroyed
    assert all(job.runs == 1 for job in run.site.jobs.values())


def test_half_empty_nodes_are_open_again_when_jobs_wait() -> None:
    run = two_half_empty(drain_to_consolidate=True)
    many = [run.site.submit(small(cores=12), 600.0) for _ in range(2)]
    run.advance(4 * MINUTE)
    assert not run.fleet.view.operations or run.fleet.view.operations[0].kind != "shutdown"
    assert run.until(lambda: all(job.started is not None for job in many), 10 * MINUTE)
    assert not run.site.tally.busy_destroyed


def test_half_empty_nodes_take_new_jobs_else() -> None:
    run = two_half_empty()
    assert not run.fleet.view.operations


def test_a_node_that_comes_is_known_by_the_jobs_that_it_was_booted_for_until_it_is_up() -> None:
    run = site()
    kinds = [small(), small(cores=4)]
    jobs = [run.site.submit(kind, 600.0) for kind in kinds for _ in range(3)]

    def meant() -> list[dict[JobShape, int]]:
        return [dict(load) for load in picture_of(run.fleet._state).coming_for.get("wide", {})]

    def states() -> list[NodeState]:
        return [node.state for node in run.fleet._state.roster.nodes.values()]

    assert run.until(lambda: states() == [NodeState.BOOTING], HOUR)
    assert meant() == [dict.fromkeys(kinds, 3)]
    assert run.until(lambda: states() == [NodeState.UNPAIRED], HOUR)
    assert meant() == [dict.fromkeys(kinds, 3)]
    assert run.until(lambda: states() == [NodeState.BUSY], HOUR)
    assert meant() == []
    assert all(job.started is not None for job in jobs)
    assert run.site.tally.created == 1
