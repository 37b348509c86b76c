"""Who pays for containers, as pollers hand it on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from unittest.mock import Mock

import pytest
from actor_doubles import HandClock

from arvnodeman.actors.container_payers import ContainerPayers
from arvnodeman.actors.fetch import QueueFetch
from arvnodeman.actors.runs import RunsFetch
from arvnodeman.fleet.values.budgets import Budget, Period
from arvnodeman.fleet.values.model import Job, JobOwner, JobShape
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.money.payers import Payer, payer_of_shape
from arvnodeman.money.runs import JobRun, JobsOnNodes, RunsListed
from arvnodeman.scheduler.base import WaitingJobs

DISPATCHER = JobShape(cores=2, owner=JobOwner("crunch", "arvados", "normal"), partitions=("compute",))
ONE, TWO, THREE = (f"zzzzz-dz642-00000000000000{n}" for n in (1, 2, 3))
CLOCK = HandClock().clock


class Users:
    """Knows these."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self.users = users

    def fetch(self, jobs: Collection[str]) -> Mapping[str, str]:
        return {name: self.users[name] for name in jobs if name in self.users}


def payers(**users: str) -> tuple[ContainerPayers, Users]:
    known = Users({{"one": ONE, "two": TWO, "three": THREE}[name]: user for name, user in users.items()})
    return ContainerPayers(known), known  # type: ignore[arg-type]  # a double of the one method


def waiting(*names: str, shape: JobShape = DISPATCHER) -> WaitingJobs:
    return WaitingJobs(Queue([Job(name, shape) for name in names]), {}, run_times={shape: 60.0})


def test_the_user_of_arvados_pays_and_slurm_s_user_stays_the_dispatcher() -> None:
    told = payers(one="alice", two="bob")[0].of_waiting(waiting(ONE, TWO, "17"))
    shapes = {job.id: job.shape for job in told.jobs}
    assert payer_of_shape(shapes[ONE]) == Payer("alice", "arvados", "normal", "compute")
    assert payer_of_shape(shapes["17"]) == Payer("crunch", "arvados", "normal", "compute")
    assert {shape.owner.user for shape in shapes.values()} == {"crunch"}
    alone = Budget("alice", 5.0, Period.DAY, users=("alice",))
    assert [alone.covers(shapes[name]) for name in (ONE, TWO, "17")] == [True, False, False]


def test_jobs_of_one_user_are_one_group_and_run_as_long_as_before() -> None:
    told = payers(one="alice", two="alice", three="bob")[0].of_waiting(waiting(ONE, TWO, THREE))
    assert sorted(len(places) for places in told.jobs.places.values()) == [1, 2]
    assert {told.run_times[shape] for shape in told.jobs.places} == {60.0}


def test_the_same_queue_again_is_the_same_object_and_what_is_new_alone_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    of, users = payers(one="alice", two="bob")
    listed = waiting(ONE, TWO)
    before = of.of_waiting(listed).jobs
    with monkeypatch.context() as watched:
        watched.setattr(ContainerPayers, "_told", lambda *_: pytest.fail("a job is looked at again"))
        assert of.of_waiting(replace(listed, run_times={})).jobs is before
    users.users = {ONE: "alice", TWO: "carol"}
    after = of.of_waiting(listed).jobs
    assert after[0] is before[0]
    assert payer_of_shape(after[1].shape).user == "carol"
    assert of.of_waiting(waiting(ONE, TWO)).jobs[0] is not before[0]


def test_what_slurm_refuses_is_told_of_the_shapes_that_wait() -> None:
    refused = Job(TWO, DISPATCHER)
    queue = WaitingJobs(Queue([Job(ONE, DISPATCHER)]), {}, refused={DISPATCHER: [refused]})
    told = payers(one="alice", two="alice")[0].of_waiting(queue)
    ((shape, (job,)),) = told.refused.items()
    assert job.id == TWO
    assert shape is job.shape is told.jobs[0].shape


def test_without_containers_the_queue_is_the_scheduler_s_own() -> None:
    listed = waiting("17")
    assert payers()[0].of_waiting(listed) is listed


def test_the_queue_s_poller_hands_it_on() -> None:
    slurm = Mock()
    slurm.queue.return_value = waiting(ONE)
    listed = QueueFetch(slurm, None, CLOCK, payers=payers(one="alice")[0])()
    assert [payer_of_shape(job.shape).user for job in listed.jobs] == ["alice"]


def test_jobs_on_nodes_are_paid_for_likewise() -> None:
    runs = [JobRun(job, Payer("crunch", "arvados"), ("n1",), 5.0) for job in (ONE, "17")]
    slurm, on_nodes = Mock(), JobsOnNodes()
    slurm.runs.return_value = runs
    RunsFetch(on_nodes, 60.0, CLOCK, payers(one="al\nice")[0]).fetch(slurm)
    assert isinstance(on_nodes.listed, RunsListed)
    assert [run.payer.user for run in on_nodes.listed.runs] == ["al\N{REPLACEMENT CHARACTER}ice", "crunch"]
    assert on_nodes.listed.runs[1] is runs[1]
