"""Workloads, the verdict, and that a seed decides everything."""

from __future__ import annotations

import pytest
from sandbox_play import new_play

from arvnodeman.sandbox.catalogue import SIZES
from arvnodeman.sandbox.control import Control
from arvnodeman.sandbox.workload import job_spec, make_workload, of_every_kind


def test_the_same_seed_makes_the_same_jobs_and_another_one_others() -> None:
    assert make_workload(1, 40, SIZES) == make_workload(1, 40, SIZES)
    assert make_workload(1, 40, SIZES) != make_workload(2, 40, SIZES)


def test_a_workload_is_mixed_and_every_job_fits_a_size() -> None:
    specs = make_workload(3, 200, SIZES, window=100, duration=50)
    assert len({spec.name for spec in specs}) == 200
    assert all("-dz642-" in spec.name for spec in specs)
    assert {spec.size for spec in specs} == {None, *(size.id for size in SIZES)}
    assert [spec.arrives for spec in specs] == sorted(spec.arrives for spec in specs)
    assert all(0 <= spec.arrives <= 100 and 20 <= spec.duration <= 80 for spec in specs)
    for spec in specs:
        assert any(s.cores >= spec.cores and s.ram * 0.95 >= spec.ram and s.disk * 1000 >= spec.scratch for s in SIZES)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "must be a JSON object"),
        ({"core": 1}, "unknown item 'core'"),
        ({"cores": "1"}, "cores of a job must be int"),
        ({"cores": True}, "cores of a job must be int"),
        ({"ram": -1}, "between 0 and 1e9"),
        ({"duration": float("inf")}, "between 0 and 1e9"),
        ({"size": 5}, "size of a job must be str"),
        ({"held": 1}, "held of a job must be bool"),
    ],
)
def test_a_malformed_job_is_refused_in_words(body: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        job_spec(body, 0)


def test_a_job_without_a_name_gets_one() -> None:
    assert job_spec({}, 1).name != job_spec({}, 2).name
    assert job_spec({"name": "x", "size": None}, 1).name == "x"


def history(seed: int) -> list[tuple[str, str, str]]:
    """A workload on eight nodes that are simply kept up, with faults."""
    play = new_play(seed=seed, jitter=0.2)
    rates = {"node-dies-working": 0.2, "node-dies-booting": 0.1, "node-never-pings": 0.1}
    play.site.faults.set_rates(rates)
    for spec in make_workload(seed, 20, SIZES, window=300, duration=100):
        play.site.dispatcher.add(spec)
    for _ in range(60):
        for size in ("xlarge", "himem", "small", "medium", "large"):
            if len(play.site.cloud.alive()) < 8 and len(play.site.slots_taken()) < 8:
                play.boot(size)
        for row in list(play.site.store.nodes.values()):
            if row["info"].get("ec2_instance_id") not in {n.id for n in play.site.cloud.alive()} and row["ip_address"]:
                play.site.store.delete_node(row["uuid"])
        play.clock.advance(30)
    return [(str(h["kind"]), str(h["subject"]), str(h["text"])) for h in play.site.events.since(0)]


def test_the_same_seed_gives_the_same_history() -> None:
    first = history(5)
    assert first == history(5)
    assert first != history(6)
    assert {"fault", "node-vanished", "job-completed"} <= {kind for kind, _, _ in first}


def test_the_verdict_counts_what_ran_and_what_is_left() -> None:
    play = new_play()
    node, name = play.up()
    play.job("a", duration=50)
    play.clock.advance(60)
    play.job("b", duration=50)
    verdict = play.site.verdict()
    assert (verdict.jobs, verdict.ran_once, verdict.unfinished) == (2, 1, ("b",))
    assert (verdict.nodes_left, verdict.slots_left) == ((node.id,), (name,))
    assert not verdict.clean
    assert not verdict.quiet
    play.clock.advance(60)
    play.slurm("scontrol", "update", f"NodeName={name}", "State=DRAIN", "Reason=Node Manager shutdown (x)")
    assert play.site.verdict().drained_left == (name,)
    play.site.cloud.destroy(node.id)
    play.site.store.nodes.clear()
    verdict = play.site.verdict()
    assert (verdict.ran_once, verdict.lost, verdict.ran_again, verdict.drained_left) == (2, (), (), ())
    assert verdict.clean
    assert verdict.quiet
    assert 0 < verdict.mean_wait <= verdict.longest_wait < 10


def test_a_lost_job_and_one_run_twice_are_found() -> None:
    play = new_play()
    play.up()
    work = play.job("a", duration=500)
    play.clock.advance(10)
    play.site.slurm.jobs.clear()
    assert play.site.verdict().lost == ("a",)
    work.completions, work.state = 2, "completed"
    assert play.site.verdict().ran_again == ("a",)
    assert not play.site.verdict().clean


def test_a_job_of_the_old_queue_waits_in_arvados_alone() -> None:
    play = new_play(jobs_mode="1.4")
    play.job("a", old_queue=True, cores=3)
    assert [job["runtime_constraints"]["min_cores_per_node"] for job in play.site.store.queued_jobs()] == [3]
    assert play.slurm("squeue", "-h").stdout == ""


def test_containers_follow_their_jobs() -> None:
    play = new_play()
    play.up()
    work = play.job("a", duration=50)
    states = [play.site.store.containers["a"]["state"]]
    for seconds in (5, 60):
        play.clock.advance(seconds)
        states.append(play.site.store.containers["a"]["state"])
    assert states == ["Locked", "Running", "Complete"]
    assert work.state == "completed"


def test_jobs_of_every_kind_are_as_many() -> None:
    plain = make_workload(1, 40, SIZES)
    kinds = of_every_kind(plain)
    assert sum(spec.tasks for spec in kinds) == 40
    assert {spec.tasks for spec in kinds} == {1, 2}
    assert {spec.nodes for spec in kinds} == {1, 2}
    assert {(spec.tasks, spec.requeue) for spec in kinds} == {(1, False), (1, True), (2, False), (2, True)}
    assert sum(spec.tasks for spec in of_every_kind(plain[:3])) == 3


@pytest.mark.parametrize("job", [{"tasks": 2}, {"requeue": True}])
def test_the_double_takes_no_arrays_and_puts_nothing_back(job: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="for a real Slurm alone"):
        Control(new_play().site, lambda: None).post("jobs", "", {"jobs": [job]})
