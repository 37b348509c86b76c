"""The simulated site: what its lists say, what happens by itself, and that a job costs what it touches."""

from __future__ import annotations

import pytest
from site_scene import OFFERS, Scene, calls

from arvnodeman.fleet.messages import (
    DestroyNode,
    DrainNode,
    ReleaseRecord,
    SetNodeDown,
)
from arvnodeman.fleet.values.model import (
    JobShape,
    Policy,
    RemoteFailure,
    SizeSection,
)
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.simulation import Simulation

SECTIONS = tuple(SizeSection(offer.id, int(offer.cores), offer.id) for offer in OFFERS)
POLICY = Policy(sections=SECTIONS, shutdown_windows=(0.0, 60.0), max_nodes=30, slurm=True)


@pytest.mark.parametrize("names", [False, True])
def test_a_list_in_which_nothing_has_changed_is_the_same_object(names: bool) -> None:
    scene = Scene(names=names)
    scene.site.submit(JobShape(cores=99), 60.0)
    first = scene.cloud(), scene.records(), scene.queue()
    scene.advance(60)
    again = scene.cloud(), scene.records(), scene.queue()
    assert again[0].nodes is first[0].nodes
    assert again[1].records is first[1].records
    assert again[1].slurm is first[1].slurm
    assert again[2].jobs is first[2].jobs
    assert first[0].started < again[0].started


def test_a_list_that_was_handed_over_does_not_change() -> None:
    scene = Scene()
    node, hostname = scene.up()
    job = scene.site.submit(JobShape(cores=99), 60.0)
    before = scene.cloud(), scene.records(), scene.queue()
    copies = tuple(before[0].nodes), tuple(before[1].records), dict(before[1].slurm or {}), tuple(before[2].jobs)
    scene.site.do((DrainNode(1, hostname, "a test"),))
    scene.site.cancel(job, "no more")
    scene.advance(60)
    scene.site.do((DestroyNode(1, node),))
    after = scene.cloud(), scene.records(), scene.queue()
    assert (before[0].nodes, before[1].records, before[1].slurm, tuple(before[2].jobs)) == copies
    assert after[0].nodes != before[0].nodes
    assert after[1].records != before[1].records
    assert after[1].slurm != before[1].slurm
    assert tuple(after[2].jobs) != copies[3]


def test_a_node_pings_by_the_minute_and_its_record_tells_so() -> None:
    scene = Scene()
    node, hostname = scene.boot()
    assert scene.word(hostname) == "down*"
    scene.advance(200)
    (record,) = scene.records().records
    assert record.instance_id == node.id
    assert record.first_ping_at is not None
    first = record.first_ping_at
    assert 96 <= first - 1e9 < 140
    assert record.last_ping_at == first + 60
    scene.advance(600)
    (record,) = scene.records().records
    assert record.last_ping_at is not None
    assert (
        record.last_ping_at - (record.first_ping_at or 0) == 600 + (200 - (record.first_ping_at or 0) + 1e9) // 60 * 60
    )
    scene.site.fall_silent(node.id)
    scene.advance(600)
    (silent,) = scene.records().records
    assert silent == record
    assert scene.word(hostname) == "idle"


def test_a_node_whose_record_is_taken_from_it_halts_at_its_next_ping() -> None:
    scene = Scene()
    _, hostname = scene.up()
    (record,) = scene.records().records
    scene.site.do((ReleaseRecord(1, record.uuid, "a test"),))
    assert scene.site.tally.records_stolen == [record.uuid]
    assert scene.word(hostname) == "idle"
    scene.advance(61)
    assert scene.word(hostname) == "idle*"


def test_jobs_start_by_turn_where_they_fit_and_what_waits_for_one_node_keeps_nobody_from_it() -> None:
    scene = Scene()
    large = scene.site.submit(JobShape(cores=8), 600.0, priority=4)
    late = scene.site.submit(JobShape(), 600.0, priority=1)
    early = scene.site.submit(JobShape(), 600.0, priority=2)
    assert [job.id for job in scene.queue().jobs] == [job.id for job in (large, early, late)]
    scene.up()
    assert [bool(job.nodes) for job in (large, late, early)] == [False, False, True]
    scene.up()
    assert late.nodes
    scene.up("big")
    assert large.nodes
    scene.advance(700)
    assert all(job.done and job.runs == 1 for job in (large, late, early))


def wide_and_narrow() -> tuple[Scene, SimJob]:
    """Four names: two run until 120 s at the latest, two are free, and a job wants three."""
    scene = Scene()
    for _ in range(4):
        scene.up()
    for _ in range(2):
        scene.site.submit(JobShape(), 100.0, limit=120.0)
    return scene, scene.site.submit(JobShape(nodes=3), 600.0)


def test_a_job_of_several_nodes_keeps_those_that_it_will_have_and_no_others() -> None:
    scene, wide = wide_and_narrow()
    assert scene.word("compute3") == "plnd"
    assert scene.word("compute4") == "idle"
    small, other = (scene.site.submit(JobShape(), 1000.0) for _ in range(2))
    assert small.nodes == ("compute4",)
    assert not other.nodes
    scene.advance(101)
    assert wide.nodes == ("compute1", "compute2", "compute3")
    assert not other.nodes


def test_one_that_ends_before_it_can_begin_is_let_past_it() -> None:
    scene, wide = wide_and_narrow()
    scene.site.submit(JobShape(), 1000.0)
    too_long = scene.site.submit(JobShape(), 10.0, limit=121.0 + 60.0)
    short = scene.site.submit(JobShape(), 50.0, limit=60.0)
    assert short.nodes == ("compute3",)
    assert not too_long.nodes
    scene.advance(110)
    assert wide.nodes == ("compute1", "compute2", "compute3")


def test_what_was_kept_is_free_when_the_job_is_gone() -> None:
    scene, wide = wide_and_narrow()
    scene.site.submit(JobShape(), 1000.0)
    small = scene.site.submit(JobShape(), 1000.0)
    assert not small.nodes
    scene.site.cancel(wide, "withdrawn")
    assert small.nodes == ("compute3",)


def test_one_that_wants_more_nodes_than_are_up_keeps_none() -> None:
    scene = Scene()
    scene.up()
    wide = scene.site.submit(JobShape(nodes=2), 600.0)
    small = scene.site.submit(JobShape(), 60.0)
    assert small.nodes == ("compute1",)
    assert not wide.nodes
    scene.up()
    scene.advance(61)
    assert wide.nodes == ("compute1", "compute2")


def test_a_job_whose_node_is_lost_runs_again_once_slurm_is_told() -> None:
    scene = Scene()
    job = scene.site.submit(JobShape(), 300.0)
    node, hostname = scene.up()
    scene.site.vanish(node.id)
    scene.advance(600)
    assert not job.done
    assert scene.word(hostname) == "alloc*"
    scene.site.do((SetNodeDown(1, hostname, "it is gone"),))
    assert [waiting.id for waiting in scene.queue().jobs] == [job.id]
    assert scene.site.tally.requeued == 1
    scene.up()
    scene.advance(300)
    assert (job.done, job.runs) == (True, 2)


def test_a_busy_node_that_is_destroyed_is_noted() -> None:
    scene = Scene()
    scene.site.submit(JobShape(), 3000.0)
    node, _ = scene.up()
    scene.site.do((DestroyNode(1, node),))
    assert scene.site.tally.busy_destroyed == [node.id]


def test_a_drained_node_has_no_job_more_and_names_and_slots_end() -> None:
    scene = Scene(slots=1)
    _, hostname = scene.up()
    scene.site.do((DrainNode(1, hostname, "a test"),))
    job = scene.site.submit(JobShape(), 300.0)
    assert not job.nodes
    with pytest.raises(RemoteFailure, match="no free slot"):
        scene.boot()


def jobs_come(run: Simulation, count: int) -> list[SimJob]:
    """One a minute."""
    jobs = []
    for _ in range(count):
        jobs.append(run.site.submit(JobShape(cores=run.rng.choice([1, 1, 2, 8])), 300 + 600 * run.rng.random()))
        run.advance(60)
    return jobs


def test_a_job_costs_the_same_however_many_there_were() -> None:
    run = Simulation(POLICY, OFFERS, seed=1)
    early = calls(lambda: jobs_come(run, 100))
    jobs_come(run, 600)
    late = calls(lambda: jobs_come(run, 100))
    assert late < 1.2 * early


def test_a_job_costs_the_same_however_many_wait() -> None:
    scene = Scene()

    def come(count: int) -> None:
        for number in range(count):
            scene.site.submit(JobShape(cores=8, ram=float(number % 7)), 60.0, priority=number % 5)

    few = calls(lambda: come(200))
    scene.up()
    come(2000)
    assert calls(lambda: come(200)) < 2 * few  # a free node that none of them fits is looked at
