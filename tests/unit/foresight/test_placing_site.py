"""The simulated site whose Slurm places jobs on names that are off: that Slurm's words, and what is noticed there."""

from __future__ import annotations

import random

import pytest

from arvnodeman.fleet.messages import CreateNode, DestroyNode, Poll, QueueListed, RecordsListed
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OpenNames, PowerUp, ReleaseJobs
from arvnodeman.fleet.values.model import (
    CloudNode,
    JobShape,
    NodeSize,
    Policy,
    ProviderSize,
    RemoteFailure,
    Secret,
    SizeSection,
)
from arvnodeman.fleet.values.placed import GivenBack, PlacedJob
from arvnodeman.fleet.values.work import Power
from arvnodeman.foresight.agenda import Agenda
from arvnodeman.foresight.placing_site import PlacingSite
from arvnodeman.foresight.sim_placed_jobs import PlacedSimJob
from arvnodeman.foresight.simulation import PlacingSimulation
from arvnodeman.slurm.job_marks import BACK, ONCE

OFFERS = (
    ProviderSize("s", "s", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("b", "b", ram=16000, disk=50, price=0.4, cores=8),
)
ONE = JobShape(cores=1)


class Stage:
    """A site without a daemon, two names of each size."""

    def __init__(self) -> None:
        self.agenda = Agenda(0.0)
        self.site = PlacingSite(self.agenda, OFFERS, random.Random(1), names=2)
        self.slurm = self.site.slurms

    def advance(self, seconds: float) -> None:
        end = self.agenda.now + seconds
        for _ in range(100_000):
            if self.agenda.next() > end:
                break
            self.agenda.turn()
        else:
            raise AssertionError(f"something happens again and again at {self.agenda.now:g} s")
        self.agenda.now = end

    def create(self, name: str, token: str = "t") -> CloudNode:
        """A machine for a name."""
        size = name.partition("-")[0]
        (listed,) = [self.site.list(Poll.RECORDS)]
        assert isinstance(listed, RecordsListed)
        (record,) = [record for record in listed.records if record.uuid == name]
        made_of = NodeSize(size, size, size, size, 2, 4000, 10, 0, 0.1)
        (node,) = self.site.do([CreateNode(1, made_of, record, token, Secret(""))])
        assert isinstance(node, CloudNode)
        return node

    def up(self, name: str) -> CloudNode:
        """A name whose machine has come for nobody."""
        self.site.do([PowerUp(1, (name,))])
        self.advance(5.0)
        node = self.create(name, f"of {name}")
        self.advance(200.0)
        assert self.slurm.names[name].word == "IDLE+CLOUD"
        return node

    def words(self) -> dict[str, str]:
        """Of names that are not simply off."""
        return {
            name.name: name.word.replace("+CLOUD", "").replace("+NOT_RESPONDING", "")
            for name in self.slurm.names.values()
            if name.word != "IDLE+CLOUD+POWERED_DOWN"
        }


@pytest.fixture
def stage() -> Stage:
    return Stage()


def placed_on(job: PlacedSimJob) -> tuple[str, ...]:
    """A call, for it changes between two looks."""
    return job.names


# ---- what its Slurm does ---------------------------------------------------------------------------------------------


def test_a_job_is_placed_on_a_cheap_name_that_is_off_and_begins_at_a_tick_after_its_node_has_come(stage: Stage) -> None:
    job = stage.site.submit(ONE, 100.0)
    stage.advance(1.0)
    assert placed_on(job) == ("s-1",)
    assert stage.words() == {"s-1": "MIXED+POWERED_DOWN"}
    stage.advance(3.0)
    assert stage.words() == {"s-1": "MIXED+POWERING_UP"}
    stage.create("s-1")
    stage.advance(150.0)
    assert (job.begun, stage.words()) == (True, {"s-1": "MIXED"})
    assert stage.agenda.now % 30 == pytest.approx(stage.agenda.now - 150)
    stage.advance(120.0)
    assert (job.done, stage.words()) == (True, {"s-1": "IDLE"})


def test_jobs_share_a_name_that_is_off_unless_they_want_it_alone(stage: Stage) -> None:
    jobs = [stage.site.submit(ONE, 100.0), stage.site.submit(ONE, 100.0), stage.site.submit(ONE, 100.0, alone=True)]
    stage.advance(1.0)
    assert [placed_on(job) for job in jobs] == [("s-1",), ("s-1",), ("s-2",)]
    assert stage.words() == {"s-1": "ALLOCATED+POWERED_DOWN", "s-2": "ALLOCATED+POWERED_DOWN"}


def test_a_dear_name_that_comes_up_for_nobody_is_taken_before_a_cheap_one_that_is_off(stage: Stage) -> None:
    stage.site.do([PowerUp(1, ("b-1",))])
    stage.advance(4.0)
    job = stage.site.submit(ONE, 100.0)
    stage.advance(1.0)
    assert placed_on(job) == ("b-1",)


def test_a_job_has_all_its_names_or_none(stage: Stage) -> None:
    whole = stage.site.submit(JobShape(cores=8, nodes=2), 100.0)
    more = stage.site.submit(JobShape(cores=8, nodes=2), 100.0)
    stage.advance(1.0)
    assert (placed_on(whole), placed_on(more)) == (("b-1", "b-2"), ())
    stage.site.cancel(more, "by its user")
    stage.advance(4.0)
    stage.site.do([GiveBack(1, ("b-2",), "")])
    assert (whole.names, whole.begin_at) == ((), stage.agenda.now + 121)
    assert stage.words() == {"b-1": "IDLE+POWERING_UP", "b-2": "IDLE+POWERING_DOWN"}


def test_a_job_that_may_begin_later_is_placed_then_though_nothing_else_happens(stage: Stage) -> None:
    job = stage.site.submit(ONE, 100.0)
    stage.advance(1803.0)
    while placed_on(job):
        stage.advance(1.0)
    stage.site.do([OpenNames(1, ("s-1",))])
    stage.advance(115.0)
    assert placed_on(job) == ()
    stage.advance(10.0)
    assert placed_on(job) == ("s-1",)


def test_what_does_not_come_is_given_up_after_its_time_and_may_come_late(stage: Stage) -> None:
    jobs = [stage.site.submit(ONE, 100.0), stage.site.submit(ONE, 100.0, requeue=False)]
    stage.advance(1805.0)
    assert stage.words()["s-1"] == "DOWN+POWERED_DOWN"
    assert [(job.lost, job.waits) for job in jobs] == [("", True), ("NODE_FAIL", False)]
    stage.create("s-1")
    stage.advance(115.0)
    node = next(iter(stage.site.clouds.nodes.values()))
    assert not node.up or stage.words()["s-1"] in ("IDLE", "MIXED")


def test_a_job_that_is_cancelled_meanwhile_leaves_a_name_that_comes_for_nobody(stage: Stage) -> None:
    job = stage.site.submit(ONE, 100.0)
    stage.advance(5.0)
    stage.site.cancel(job, "by its user")
    stage.advance(5.0)
    assert stage.words() == {"s-1": "IDLE+POWERING_UP"}
    stage.advance(1800.0)
    assert stage.words() == {"s-1": "DOWN+POWERED_DOWN"}


def test_what_is_powered_down_stays_so_while_its_slurmd_lives_and_a_late_one_is_heard(stage: Stage) -> None:
    stage.up("s-1")
    stage.slurm.update("s-1", "power_down")
    stage.advance(200.0)
    assert stage.words() == {}
    stage.create("s-2")
    stage.advance(200.0)
    assert stage.words() == {"s-2": "IDLE"}


def test_a_machine_from_before_is_not_heard_by_a_name_that_is_powered_up_anew(stage: Stage) -> None:
    stage.site.nature.boot = 1000.0
    stage.site.do([PowerUp(1, ("s-1",))])
    stage.advance(5.0)
    stage.create("s-1")
    stage.advance(600.0)
    stage.slurm.update("s-1", "power_down_force")
    stage.slurm.update("s-1", "resume")
    stage.site.do([PowerUp(1, ("s-1",))])
    stage.advance(800.0)
    assert stage.words() == {"s-1": "IDLE+POWERING_UP"}


def test_the_death_of_a_machine_is_noticed_in_time_unless_it_is_told(stage: Stage) -> None:
    node = stage.up("s-1")
    jobs = [stage.site.submit(ONE, 1e6), stage.site.submit(ONE, 1e6, requeue=False)]
    stage.advance(40.0)
    stage.site.vanish(node.id)
    stage.slurm.update("s-1", "power_down_force")
    stage.advance(10.0)
    assert stage.words() == {"s-1": "IDLE+COMPLETING+POWER_DOWN"}
    stage.slurm.update("s-1", "down")
    stage.advance(5.0)
    assert stage.words() == {"s-1": "DOWN+POWERING_DOWN"}
    assert [(job.lost, job.waits) for job in jobs] == [("", True), ("NODE_FAIL", False)]
    assert stage.slurm.harmed == []


def test_a_slurmd_that_has_fallen_silent_does_not_come_back_by_itself(stage: Stage) -> None:
    node = stage.up("s-1")
    stage.site.fall_silent(node.id)
    stage.advance(1200.0)
    assert stage.words() == {"s-1": "DOWN"}


def test_while_slurmctld_is_away_nothing_is_told_and_nothing_done(stage: Stage) -> None:
    stage.site.do([PowerUp(1, ("s-1",))])
    stage.advance(5.0)
    stage.create("s-1")
    stage.slurm.leave()
    stage.advance(3000.0)
    with pytest.raises(RemoteFailure):
        stage.site.list(Poll.QUEUE)
    with pytest.raises(RemoteFailure):
        stage.site.do([PowerUp(1, ("s-2",))])
    assert stage.site.list(Poll.CLOUD)
    stage.slurm.come_back()
    stage.advance(5.0)
    assert stage.words() == {"s-1": "IDLE"}


def test_a_drain_with_a_time_opens_by_itself(stage: Stage) -> None:
    stage.slurm.update("s-1", "drain", "a test", 45.0)
    stage.advance(44.0)
    assert stage.words() == {"s-1": "IDLE+DRAIN+POWERED_DOWN"}
    stage.advance(20.0)
    assert stage.words() == {}


# ---- what steps do ---------------------------------------------------------------------------------------------------


def test_jobs_are_given_back_and_released_as_their_users_had_them(stage: Stage) -> None:
    jobs = [stage.site.submit(ONE, 100.0), stage.site.submit(ONE, 100.0, requeue=False)]
    stage.advance(5.0)
    (given,) = stage.site.do([GiveBack(1, ("s-1",), "Node Manager return: no capacity")])
    placed = (PlacedJob(jobs[0].id), PlacedJob(jobs[1].id, requeue_off=True))
    assert given == GivenBack({"s-1": placed})
    assert [(job.requeue, job.comment, job.waits) for job in jobs] == [(True, BACK, True), (True, BACK + ONCE, True)]
    listed = stage.site.list(Poll.QUEUE)
    assert isinstance(listed, QueueListed)
    assert listed.returned == placed
    stage.site.do([CloseNames(1, ("s-1", "s-2"), "Node Manager closed: no capacity", 60.0), ReleaseJobs(1, placed)])
    stage.advance(3.0)
    stage.site.do([CloseNames(1, ("s-1", "s-2"), "Node Manager closed: no capacity", 3600.0)])
    assert [(job.requeue, job.comment, job.names) for job in jobs] == [(True, "", ("b-1",)), (False, "", ("b-1",))]
    stage.advance(150.0)
    closed = {"s-1": "IDLE+DRAIN+POWERED_DOWN", "s-2": "IDLE+DRAIN+POWERED_DOWN"}
    assert stage.words() == {**closed, "b-1": "MIXED+POWERING_UP"}
    stage.site.do([OpenNames(1, ("s-1", "s-2"))])
    assert stage.words() == {"b-1": "MIXED+POWERING_UP"}


def test_a_name_with_the_job_of_somebody_at_a_terminal_is_kept(stage: Stage) -> None:
    job = stage.site.submit(ONE, 100.0, batch=False)
    stage.advance(5.0)
    assert stage.site.do([GiveBack(1, ("s-1",), "")]) == [GivenBack({}, ("s-1",))]
    assert stage.words() == {"s-1": "MIXED+POWERING_UP"}
    stage.site.do([GiveBack(1, ("s-1",), "", interactive=True)])
    assert job.lost == "NODE_FAIL"


# ---- what it notices -------------------------------------------------------------------------------------------------


def test_a_machine_that_is_destroyed_while_jobs_may_begin_on_it_is_noticed(stage: Stage) -> None:
    node = stage.up("s-1")
    stage.advance(60.0)
    stage.site.do([DestroyNode(1, node)])
    assert len(stage.site.placing.killed) == 1


@pytest.mark.parametrize("state", ["power_down", "power_down_force"])
def test_one_whose_name_is_powered_down_may_go(stage: Stage, state: str) -> None:
    node = stage.up("s-1")
    stage.slurm.update("s-1", state)
    stage.advance(5.0)
    assert stage.slurm.names["s-1"].shown().flags == {"CLOUD", "POWERING_DOWN"}
    stage.site.do([DestroyNode(1, node)])
    assert stage.site.placing.killed == []


def test_a_second_machine_for_one_name_is_noticed(stage: Stage) -> None:
    stage.site.do([PowerUp(1, ("s-1",))])
    stage.advance(5.0)
    stage.create("s-1", "one")
    stage.create("s-1", "one")
    assert stage.site.placing.doubled == []
    stage.create("s-1", "two")
    assert len(stage.site.placing.doubled) == 1


@pytest.mark.parametrize(("state", "requeue"), [("power_down_force", True), ("drain", False)])
def test_a_command_that_ends_a_job_is_noticed(stage: Stage, state: str, requeue: bool) -> None:
    job = stage.site.submit(ONE, 1e6, requeue=requeue)
    stage.advance(5.0)
    if requeue:
        stage.create("s-1")
        stage.advance(200.0)
        assert job.begun
    stage.slurm.update("s-1", state, "a test")
    assert len(stage.slurm.harmed) == 1


def test_a_daemon_boots_for_what_slurm_has_placed_and_all_goes_afterwards() -> None:
    sections = tuple(SizeSection(offer.id, int(offer.cores or 0), offer.id) for offer in OFFERS)
    policy = Policy(sections=sections, shutdown_windows=(0.0, 60.0), max_nodes=4, slurm=True, places=True)
    run = PlacingSimulation(policy, OFFERS, 1, slots=2)
    run.site.clouds.no_capacity = {"s"}
    jobs = [run.site.submit(ONE, 100.0, requeue=number != 0) for number in range(3)]
    run.advance(1200.0)
    assert [(job.done, job.runs, job.requeue) for job in jobs] == [(True, 1, False), (True, 1, True), (True, 1, True)]
    assert run.site.tally.made == {"b": 1}
    assert (run.site.clouds.nodes, run.site.records.slots()) == ({}, 0)
    run.site.clouds.no_capacity = set()
    run.advance(1200.0)
    assert {name.shown().flags for name in run.site.slurms.names.values()} == {frozenset({"CLOUD", "POWERED_DOWN"})}
    assert run.fleet.view.nodes == {}
    assert Power.OFF in {work.power for work in run.site.records.listed()[1].values()}


def test_a_slurmd_that_lives_comes_back_by_itself_though_its_name_was_set_down(stage: Stage) -> None:
    stage.up("s-1")
    stage.slurm.update("s-1", "down")
    stage.advance(5.0)
    assert stage.words() == {"s-1": "DOWN"}
    stage.advance(60.0)
    assert stage.words() == {"s-1": "IDLE"}
