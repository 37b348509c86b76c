"""Boots in vain: what a node that Slurm does not use tells, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from world import EPOCH, HELD, HOUR, MINUTE, SECTIONS, World, jobs, policy

from arvnodeman.fleet.messages import (
    WARNING,
    Decided,
    Note,
    PolicyChanged,
    Poll,
    PrepareRecord,
    QueueListed,
    RetryAsked,
)
from arvnodeman.fleet.plan.vain import MOST, REMEMBERED, IdleNode, Memory, VainBoots, follow, group_name, words_of
from arvnodeman.fleet.values.model import Job, JobOwner, JobShape, Policy, ProviderSize
from arvnodeman.fleet.values.reasons_of_use import InVain, ProbeFirst
from arvnodeman.foresight.sim_jobs import SimJob
from arvnodeman.foresight.sim_slurm import MAINTENANCE
from arvnodeman.foresight.simulation import Pace, Simulation
from arvnodeman.slurm.job_reasons import wait_kind

NEVER = {"spent": "QOSGrpCpuLimit", "odd": "", "later": f"ReqNodeNotAvail, {MAINTENANCE}"}
POLL = MINUTE
OFFERS = (
    ProviderSize("small", "small", ram=2000, disk=10, price=0.1, cores=1),
    ProviderSize("large", "large", ram=8000, disk=40, price=0.4, cores=4),
)
FIRST = 300.0  # the first back-off
USE_WITHIN = 180.0


def asks(qos: str = "", nodes: int = 1, cores: int = 1) -> JobShape:
    """What a job of a QOS asks for."""
    return JobShape(cores=cores, nodes=nodes, owner=JobOwner("ann", "lab", qos))


def site(never: Mapping[str, str] = NEVER, **options: object) -> Simulation:
    """A site with a daemon, where Slurm never starts the jobs of some QOS."""
    run = Simulation(policy(use_within=USE_WITHIN, **options), OFFERS, seed=1, pace=Pace(poll=POLL))
    run.site.slurms.rules.never = never
    return run


def submit(run: Simulation, count: int, shape: JobShape, duration: float = 600.0, priority: int = 0) -> list[SimJob]:
    """Some jobs alike."""
    return [run.site.submit(shape, duration, priority) for _ in range(count)]


def standing(run: Simulation, shape: JobShape) -> str:
    """Why the next job of a group waits, in words."""
    cause = run.fleet.view.waiting[shape].cause
    return cause.words(run.fleet.view.t) if cause is not None else ""


def vain_lines(run: Simulation) -> list[str]:
    return [line for line in run.notes if "Slurm did not use it" in line]


# ---- what it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", ["spent", "odd"])
def test_jobs_that_slurm_never_starts_cost_one_round_and_then_single_probes(qos: str) -> None:
    run = site()
    submit(run, 5, asks(qos))
    run.advance(6 * MINUTE)
    assert run.site.tally.created == 5
    run.advance(12 * HOUR)
    # after 5, 10, 20, 40, 80, 160 and 240 minutes and a half; each probe takes some minutes to come up and be judged
    assert 5 + 6 <= run.site.tally.created <= 5 + 8
    assert not run.site.tally.busy_destroyed
    assert len(vain_lines(run)) == run.fleet.view.counters["boots_in_vain"] == run.site.tally.created - 4


@pytest.mark.parametrize("qos", ["spent", "odd", "later"])
def test_no_node_is_kept_for_them_for_longer_than_use_within(qos: str) -> None:
    """And none for good, whatever Slurm calls it: one that it plans for a job goes like one that is idle."""
    run = site()
    submit(run, 1, asks(qos))
    assert run.until(lambda: any(node.up for node in run.site.clouds.nodes.values()), HOUR)
    up = run.now
    assert run.until(lambda: not run.site.clouds.nodes, HOUR)
    assert run.now - up <= USE_WITHIN + 5 * POLL
    if qos == "later":
        assert run.now - up >= USE_WITHIN  # Slurm calls it busy: it is given the time


def test_a_planned_node_is_drained_first_and_not_counted_as_supply() -> None:
    run = site()
    submit(run, 1, asks("later"))
    run.advance(8 * MINUTE)
    assert run.steps["DrainNode"] == 2  # and its mark, just before the destroy
    assert run.steps["CreateNode"] == 1
    (line,) = vain_lines(run)
    assert MAINTENANCE in line
    assert "QOS later" in line


def test_a_planned_node_stays_while_a_job_that_may_have_it_waits() -> None:
    """Slurm fills the time before the maintenance with shorter jobs."""
    world = World(policy(max_nodes=1, use_within=USE_WITHIN))
    world.node(slurm="plnd")
    world.begin(*jobs(1))
    world.cycle(times=20)
    assert not world.drained()
    world.jobs = ()
    world.cycle(times=2)
    assert world.drained() == ["compute1"]
    assert "Slurm has kept it for" in world.why()


@pytest.mark.parametrize("option", ["no dispatcher", "window shut", "held"])
def test_a_planned_node_goes_only_by_the_ordinary_rules(option: str) -> None:
    windows = (1e9, 1.0) if option == "window shut" else (0.0, 60.0)
    world = World(policy(use_within=USE_WITHIN, shutdown_windows=windows, slurm=option != "no dispatcher"))
    world.node(slurm="plnd")
    world.begin()
    if option == "held":
        world.change_cloud("compute1", directive=HELD)
    world.cycle(times=20)
    assert not world.steps or not world.drained()
    assert not world.destroyed()


def test_groups_that_slurm_starts_are_served_as_before() -> None:
    """Jobs that it never starts, of higher priority and as many, take no place and no time from them."""
    waits: list[list[float]] = []
    for never in (0, 6):
        run = site(max_nodes=20)
        submit(run, never, asks("odd"), priority=3)
        submit(run, never, asks("spent", cores=4), priority=3)
        good: list[SimJob] = []
        for _ in range(8):
            run.advance(HOUR / 2)
            good += submit(run, 3, asks("good"))
        run.advance(HOUR)
        assert all(job.done for job in good)
        waits.append([(job.started or 0) - job.submitted for job in good])
    alone, among = waits
    assert max(among) <= max(alone) + 2 * POLL
    assert sum(among) <= sum(alone) + 2 * POLL * len(among)


def test_a_restart_costs_one_round_at_most() -> None:
    """What is remembered is not kept on the disk."""
    run = site()
    submit(run, 5, asks("spent"))
    run.advance(4 * HOUR)
    before = run.site.tally.created
    run.restart()
    run.advance(30 * MINUTE)
    assert before < run.site.tally.created <= before + 5 + 3


# ---- what is said ----------------------------------------------------------------------------------------------------


def test_the_reason_names_slurms_own_the_node_and_the_next_try() -> None:
    run = site()
    submit(run, 2, asks("odd"))
    assert run.until(lambda: bool(run.fleet.view.vain), HOUR)
    words = standing(run, asks("odd"))
    assert words.startswith("compute")
    assert "stood idle for it for" in words
    assert "Slurm did not use it: Slurm said Resources; tried again in" in words
    group = run.fleet.view.vain[group_name(asks("odd"))]
    assert group.words == "user ann, account lab, QOS odd, 1 core(s), 0 MB"
    assert group.until > run.fleet.view.t


def test_while_a_probe_is_out_the_others_say_so() -> None:
    run = site()
    submit(run, 3, asks("spent"))
    assert run.until(lambda: run.site.tally.created == 4, HOUR)
    run.advance(1)
    words = standing(run, asks("spent"))
    assert words == (
        "nodes for one job like it are there or on their way, to see whether Slurm uses them (it said QOSGrpCpuLimit)"
    )


def test_a_group_is_named_by_what_it_is() -> None:
    shape = JobShape(size="large", nodes=2, partitions=("a", "b"), reservation="night")
    assert words_of(shape) == "reservation night, partition a or b, size large, 2 nodes"
    assert group_name(shape) == group_name(JobShape(size="large", nodes=2, partitions=("a", "b"), reservation="night"))
    assert len({group_name(asks(str(number))) for number in range(100)}) == 100


# ---- what ends a back-off --------------------------------------------------------------------------------------------


def in_back_off(count: int = 5) -> Simulation:
    """A group of jobs has been booted for in vain, all nodes are gone, and nothing is tried for a while."""
    run = site()
    submit(run, count, asks("odd"))
    assert run.until(lambda: bool(run.fleet.view.vain), HOUR)
    assert run.until(lambda: not run.site.clouds.nodes, HOUR)
    return run


def begun(run: Simulation, seconds: float) -> int:
    """Nodes that are made in some time."""
    before = run.site.tally.created
    run.advance(seconds)
    return run.site.tally.created - before


def test_nothing_is_booted_in_a_back_off() -> None:
    run = in_back_off()
    left = next(iter(run.fleet.view.vain.values())).until - run.fleet.view.t
    assert left > 0
    assert begun(run, left - POLL) == 0
    assert begun(run, 3 * POLL) == 1


@pytest.mark.parametrize("meant", ["group", "job", "size"])
def test_an_operator_may_end_it(meant: str) -> None:
    run = in_back_off()
    target = {"group": group_name(asks("odd")), "job": next(iter(run.site.jobs)), "size": "small"}[meant]
    commands = run.tell(RetryAsked(target, "the limit is raised"))
    told = [command for command in commands if isinstance(command, Note) and command.kind is Decided.WORD]
    assert [note.text % note.args for note in told] == [f"Operator retry of {target}: the limit is raised"]
    assert begun(run, 2 * POLL) == 1


def test_a_word_on_something_else_ends_nothing() -> None:
    run = in_back_off()
    run.tell(RetryAsked("g00000000"))
    assert begun(run, POLL) == 0


def test_a_new_configuration_ends_it() -> None:
    run = in_back_off()
    run.tell(PolicyChanged(run.policy))
    assert begun(run, 2 * POLL) == 1


def test_when_slurm_starts_one_more_and_more_are_booted() -> None:
    run = in_back_off(20)
    run.site.slurms.rules.never = {}
    assert run.until(lambda: any(job.started for job in run.site.jobs.values()), HOUR)
    assert run.until(lambda: all(job.done for job in run.site.jobs.values()), 2 * HOUR)
    assert len(vain_lines(run)) == 1


def test_when_slurm_is_content_with_nodes_again_it_ends() -> None:
    """Told while a node that fits is up: with none up its reason says nothing."""
    world = World(policy(use_within=USE_WITHIN, consecutive_idle_count=99))
    shape, reason = asks("x"), "QOSGrpCpuLimit"
    world.begin(*jobs(1, shape))
    world.obey()
    (boot,) = world.cloud.values()
    name = boot.name.split(".")[0]
    world.records["r-new1"] = world.records["r-new1"].__class__(
        "r-new1", name, "zzzzz", 1, boot.id, world.now, world.now, world.now, world.now
    )
    world.says(name, "idle", size="small")
    (job,) = world.jobs
    refused = {shape: [Job(job.id, shape, 0, reason, waits=wait_kind(reason))]}
    for _ in range(2):
        world.now += MINUTE
        world.poll_cloud()
        world.poll_records()
        world.tell(QueueListed((), world.now, refused))
    assert [line for line in world.log(WARNING) if reason in line]
    assert isinstance(world.fleet.view.vain[group_name(shape)].cause, InVain)
    world.says(name, "alloc")
    world.cycle(job)
    assert isinstance(world.fleet.view.vain[group_name(shape)].cause, ProbeFirst)


# ---- what is no evidence ---------------------------------------------------------------------------------------------


def test_a_node_is_no_evidence_for_a_job_that_needs_more_of_them() -> None:
    world = World(policy(max_nodes=2, use_within=USE_WITHIN))
    world.node("compute1")
    world.begin(*jobs(1, JobShape(nodes=2)))
    world.cycle(times=10)  # the other one is on its way
    assert not world.fleet.view.vain
    assert not world.drained()
    world.node("compute2")
    world.steps.clear()
    world.cycle(times=10)
    assert world.fleet.view.vain


def test_jobs_that_come_and_go_are_no_evidence() -> None:
    """Slurm uses the node: each poll finds other jobs."""
    world = World(policy(use_within=USE_WITHIN))
    world.node()
    world.begin(*jobs(3, name="first"))
    for number in range(12):
        world.cycle(*jobs(3, name=f"job{number}-"))
    assert not world.fleet.view.vain
    world.cycle(times=6)
    assert world.fleet.view.vain


def test_time_without_slurm_is_no_evidence() -> None:
    world = World(policy(use_within=USE_WITHIN))
    world.node()
    world.begin(*jobs(1))
    for _ in range(10):
        world.cycle(times=2)
        world.poll_fails(Poll.RECORDS, slurm=True)
    assert not world.fleet.view.vain


@pytest.mark.parametrize("what", ["no Slurm", "Arvados' own queue", "silent"])
def test_where_slurm_does_not_decide_nothing_is_learnt(what: str) -> None:
    world = World(policy(use_within=USE_WITHIN, asks_scheduler=what != "no Slurm", slurm=what != "no Slurm"))
    world.node(responding=what != "silent")
    if what == "no Slurm":
        world.slurm = None
        world.change_record("compute1", worker_state="idle")
    world.begin(Job("j", JobShape(), in_slurm=what != "Arvados' own queue"))
    world.cycle(times=20)
    assert not world.fleet.view.vain
    assert not world.drained()


# ---- the memory ------------------------------------------------------------------------------------------------------


def test_back_offs_double_up_to_four_hours_and_begin_anew_after_a_start() -> None:
    vain, shape, t = VainBoots(FIRST), asks("x"), EPOCH
    waits = []
    for _ in range(8):
        verdict = vain.in_vain(shape, "Licenses", IdleNode("compute1", t - 60), t)
        waits.append(verdict.memory.until - t)
        t = verdict.memory.until
    assert waits == [300, 600, 1200, 2400, 4800, 9600, 14400, 14400]
    vain.started(shape, t)
    assert vain.groups[shape].at_once == 4
    assert vain.in_vain(shape, "Licenses", IdleNode("compute1", t), t).memory.until == t + FIRST


def test_after_a_day_all_its_nodes_may_be_booted_at_once_again() -> None:
    vain, shape = VainBoots(FIRST), asks("x")
    vain.in_vain(shape, "", IdleNode("compute1", EPOCH), EPOCH)
    vain.forget_old({shape}, EPOCH + FIRST + REMEMBERED - 1, HOUR)
    assert vain.limits({shape})
    vain.forget_old({shape}, EPOCH + FIRST + REMEMBERED + 1, HOUR)
    assert not vain.limits({shape})


def test_the_memory_is_bounded() -> None:
    vain = VainBoots(FIRST)
    for number in range(MOST + 500):
        vain.refuse(asks(str(number)), "Licenses", EPOCH + number)
    assert len(vain.groups) == MOST
    assert asks("0") not in vain.groups


def test_a_group_refused_while_a_node_is_up_begins_with_a_probe() -> None:
    vain, shape = VainBoots(FIRST), asks("x")
    vain.refuse(shape, "Licenses", EPOCH)
    memory = vain.groups[shape]
    assert memory.cause(EPOCH) is None
    assert memory.at_once == 1


def test_jobs_that_leave_the_queue_are_followed_by_the_first_of_them() -> None:
    memory = Memory()

    def left_after(ids: str, t: float) -> float | None:
        follow(memory, tuple(ids[:3]), lambda: ids, t - 1, t)
        return memory.left_after

    assert left_after("abc", 2.0) is None
    assert left_after("nabc", 3.0) is None
    assert left_after("ac", 4.0) == 3.0
    assert memory.left_at == 4.0


def test_the_boots_of_a_first_round_that_are_not_asked_for_yet_end_with_the_verdict() -> None:
    """And the policy of the tests says a day, so that nothing else in them is judged."""
    assert policy().use_within == 86400.0
    assert Policy(sections=SECTIONS, shutdown_windows=(0.0, 60.0)).use_within == USE_WITHIN
    run = site(max_nodes=8)
    submit(run, 20, asks("spent"))
    run.advance(20 * MINUTE)
    assert run.site.tally.created <= 8
    assert not [step for step in run.steps if step == PrepareRecord.__name__ and run.steps[step] > 10]


@pytest.mark.parametrize("windows", [(54.0, 5.0, 1.0), (0.0, 60.0)])
def test_nodes_that_slurm_plans_for_others_do_not_stay_as_a_probe_for_ever(windows: tuple[float, ...]) -> None:
    """They count as the probe of a group that is remembered, and as evidence against it."""
    run = site(shutdown_windows=windows, max_nodes=4)
    submit(run, 1, asks("odd", nodes=2))
    run.advance(90 * MINUTE)
    submit(run, 2, asks("later", nodes=2), priority=1)
    run.advance(3 * HOUR)
    assert run.until(lambda: not run.site.clouds.nodes, 4 * HOUR)
