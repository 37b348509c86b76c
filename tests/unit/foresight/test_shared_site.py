"""A simulated site whose nodes several jobs share: which job begins where, what the lists say of it, and its cost."""

from __future__ import annotations

import math
import random

import pytest
from site_scene import Scene, calls

from arvnodeman.fleet.messages import (
    DescribeNode,
    DestroyNode,
    DrainNode,
    LookAtNode,
    NodeSeen,
    ResumeNode,
    SetNodeDown,
)
from arvnodeman.fleet.sizes.fit import fits_in, less
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.model import JobShape, ProviderSize
from arvnodeman.fleet.values.work import NodeWork
from arvnodeman.foresight.sim_jobs import SimGroup, SimJob
from arvnodeman.foresight.sim_kept import RESOLUTION
from arvnodeman.foresight.sim_room import SimName
from arvnodeman.foresight.sim_slurm import SimSlurm


def shape(cores: int = 1, ram: float = 0.0, **other: object) -> JobShape:
    """Of a job that shares its nodes."""
    return JobShape(cores, ram, takes=Footprint(cores, ram), **other)  # type: ignore[arg-type]


def shown(scene: Scene, hostname: str) -> NodeWork:
    slurm = scene.records().slurm
    assert slurm is not None
    return slurm[hostname]


def test_jobs_share_a_node_by_cores_and_memory() -> None:
    scene = Scene(share=True)
    jobs = [scene.site.submit(shape(3, 4000), 600.0) for _ in range(4)]
    _, hostname = scene.up("big")  # 8 cores, 16000 MB
    assert [bool(job.nodes) for job in jobs] == [True, True, False, False]
    assert scene.word(hostname) == "mix"
    node = shown(scene, hostname)
    assert node.has == Capacity(8, 16000)
    assert node.free == Capacity(2, 8000, jobs=2, whole=False)
    fat = scene.site.submit(shape(1, 9000), 600.0)
    thin = scene.site.submit(shape(2, 1), 600.0)
    assert (fat.nodes, thin.nodes) == ((), (hostname,))
    assert scene.word(hostname) == "alloc"
    (seen,) = scene.site.do((LookAtNode(1, hostname, jobs=True),))
    assert isinstance(seen, NodeSeen)
    assert seen.jobs == 3
    scene.advance(600)
    assert [job.done for job in jobs] == [True, True, False, False]
    assert jobs[3].nodes == (hostname,)
    assert not fat.nodes  # what is left of the memory is not enough
    scene.advance(600)
    assert fat.nodes == (hostname,)
    scene.advance(600)
    assert scene.word(hostname) == "idle"
    assert shown(scene, hostname).free == shown(scene, hostname).has


def test_a_job_that_has_its_node_to_itself_waits_until_it_is_empty_and_lets_none_beside_it() -> None:
    scene = Scene(share=True)
    small = scene.site.submit(shape(1), 300.0)
    _, hostname = scene.up("big")
    alone = scene.site.submit(JobShape(1), 300.0)
    hungry = scene.site.submit(JobShape(1, takes=Footprint(1, math.inf)), 300.0)
    assert small.nodes
    assert not alone.nodes
    assert not hungry.nodes
    scene.advance(300)
    assert alone.nodes == (hostname,)
    assert scene.word(hostname) == "alloc"
    late = scene.site.submit(shape(1), 300.0)
    assert alone.started is not None
    scene.advance(alone.started + 299 - scene.agenda.now)
    assert not late.nodes
    scene.advance(1)
    assert hungry.nodes == (hostname,)
    assert late.nodes == (hostname,)  # it asks for no memory, and CPUs are left


def test_a_job_gets_whole_cores() -> None:
    scene = Scene(share=True)
    scene.site.slurms.rules.threads = {"small": 2}
    jobs = [scene.site.submit(shape(1), 600.0) for _ in range(2)]
    _, hostname = scene.up("small")  # one core of two threads
    assert [bool(job.nodes) for job in jobs] == [True, False]
    assert shown(scene, hostname).has == Capacity(2, 4000, threads=2)


def test_gres_are_shared_by_type() -> None:
    scene = Scene(share=True)
    scene.site.slurms.rules.gres = {"big": (("gpu:a", 1), ("gpu:b", 1))}
    first, second, third = (scene.site.submit(shape(1, gres=(("gpu:b", 1),)), 600.0) for _ in range(3))
    any_type = scene.site.submit(shape(1, gres=(("gpu", 1),)), 6000.0)
    _, hostname = scene.up("big")
    assert [bool(job.nodes) for job in (first, second, third, any_type)] == [True, False, False, True]
    scene.advance(600)
    assert second.nodes == (hostname,)
    free = shown(scene, hostname).free
    assert free is not None
    assert free.gres == ()


def test_the_lightest_node_is_filled_first_and_of_two_alike_the_first() -> None:
    scene = Scene(share=True)
    _, heavy = scene.up("big", weight=9)
    _, light = scene.up("small", weight=5)
    _, other = scene.up("small", weight=5)
    jobs = [scene.site.submit(shape(1), 600.0) for _ in range(5)]
    assert [job.nodes for job in jobs] == [(light,), (light,), (other,), (other,), (heavy,)]
    scene.site.do((DescribeNode(1, heavy, "big", 1),))
    scene.advance(600)
    assert scene.site.submit(shape(1), 600.0).nodes == (heavy,)


def test_what_waits_keeps_nobody_from_a_node_and_the_first_in_turn_is_first() -> None:
    scene = Scene(share=True)
    _, hostname = scene.up("small")
    wide = scene.site.submit(shape(1, nodes=2), 600.0, priority=9)
    assert scene.site.submit(shape(2), 60.0).nodes
    late = scene.site.submit(shape(2), 60.0, priority=1)
    soon = scene.site.submit(shape(1), 600.0, priority=2)
    scene.advance(60)
    assert soon.nodes == (hostname,)
    assert not late.nodes
    _, other = scene.up("small")
    assert wide.nodes == (hostname, other)
    assert late.started is None
    scene.advance(1200)
    assert late.done


def test_a_drained_node_keeps_its_jobs_and_gets_no_more() -> None:
    scene = Scene(share=True)
    _, hostname = scene.up("big")
    runs = scene.site.submit(shape(1), 600.0)
    scene.site.do((DrainNode(1, hostname, "a test"),))
    assert scene.word(hostname) == "drng"
    waits = scene.site.submit(shape(1), 600.0)
    assert not waits.nodes
    scene.site.do((ResumeNode(1, hostname),))
    assert waits.nodes == (hostname,)
    assert runs.runs == 1


@pytest.mark.parametrize("names", [False, True])
def test_all_jobs_of_a_node_that_is_lost_wait_again(names: bool) -> None:
    scene = Scene(share=True, names=names)
    jobs = [scene.site.submit(shape(1), 600.0) for _ in range(3)]
    node, hostname = scene.boot("big", "compute1" if names else None)
    scene.advance(200)
    assert all(job.nodes == (hostname,) for job in jobs)
    scene.site.do((DestroyNode(1, node),))
    assert scene.site.tally.busy_destroyed == [node.id]
    assert scene.word(hostname) == "mix*"
    scene.site.do((SetNodeDown(1, hostname, "it is gone"),))
    assert scene.site.tally.requeued == 3
    assert not any(job.nodes for job in jobs)
    assert len(scene.queue().jobs) == 3
    _, there = scene.boot("small", "compute2" if names else None)
    scene.advance(200)
    assert [bool(job.nodes) for job in jobs] == [True, True, False]
    assert shown(scene, there).has == Capacity(2, 4000)


def test_the_jobs_of_an_earlier_node_wait_again_when_another_answers_under_its_name() -> None:
    scene = Scene(share=True, names=True)
    node, hostname = scene.boot("big", "compute1")
    scene.advance(200)
    jobs = [scene.site.submit(shape(1), 6000.0) for _ in range(4)]
    scene.site.do((DestroyNode(1, node),))
    name = scene.site.slurms.names[hostname]
    other, _ = scene.boot("small", "compute2")
    stranger = scene.site.clouds.node(other.id)
    stranger.up = True
    assert scene.site.slurms.registered(name, stranger) == 4
    assert name.has == Capacity(2, 4000)
    assert not any(job.nodes for job in jobs)


MENU = (
    ProviderSize("two", "two", ram=4000, disk=10, price=0.1, cores=2),
    ProviderSize("eight", "eight", ram=16000, disk=50, price=0.4, cores=8),
    ProviderSize("fat", "fat", ram=64000, disk=50, price=0.6, cores=8),
)


@pytest.mark.parametrize("seed", range(10))
def test_nobody_has_more_than_there_is_and_nobody_waits_who_could_begin(seed: int) -> None:
    """Whatever comes: nodes, jobs, ends, drains. Held against all names and all jobs, one by one."""
    rng = random.Random(seed)
    scene = Scene(share=True, offers=MENU, slots=12)
    slurm = scene.site.slurms
    slurm.rules.gres = {"eight": (("gpu:a", 1), ("gpu:b", 2))}
    slurm.rules.threads = {"fat": 2}
    for _ in range(9):
        scene.boot(rng.choice(MENU).id, weight=rng.randrange(3))
    for _ in range(250):
        chance = rng.random()
        hostname = f"compute{rng.randint(1, 9)}"
        if chance < 0.7:
            scene.site.submit(random_shape(rng), rng.uniform(30, 900), rng.randrange(3))
        elif chance < 0.75:
            scene.site.do((DrainNode(1, hostname, "a test"),))
        elif chance < 0.85:
            scene.site.do((ResumeNode(1, hostname),))
        elif chance < 0.87:
            scene.site.do((SetNodeDown(1, hostname, "a test"),))
            slurm.schedule()
        scene.advance(rng.uniform(0, 30))
        check(scene)
    assert sum(job.done for job in scene.site.jobs.values()) > 50


def random_shape(rng: random.Random) -> JobShape:
    cores, nodes = rng.choice([1, 1, 2, 3, 8]), rng.choice([1, 1, 1, 2])
    gres = rng.choice([(), (), (("gpu", 1),), (("gpu:b", 1),)])
    takes = rng.choice([Footprint(cores, 1500), Footprint(cores, 1500), Footprint(cores, math.inf), None])
    return JobShape(cores, 1500, gres=gres, nodes=nodes, takes=takes)


def check(scene: Scene) -> None:
    slurm = scene.site.slurms
    open_names = []
    for name in slurm.names.values():
        left = name.has
        for job in name.jobs:
            assert name.name in job.nodes
            assert left is not None
            assert fits_in(job.shape, left) or job.shape.gres or left.whole or job.shape.takes is not None
            left = less(left, job.shape)
        assert name.free == left
        assert left is None or (left.cpus >= 0 and left.ram >= 0)
        up = name.node is not None and name.node.up and not (name.drain or name.down)
        if left is not None and up and name not in slurm.kept:
            open_names.append(left)
    waiting: dict[JobShape, SimJob] = {job.shape: job for job in slurm.queue}
    for asked, job in waiting.items():
        assert sum(fits_in(asked, left) for left in open_names) < asked.nodes, job
    assert not slurm.kept or any(asked.nodes > 1 for asked in waiting)
    for job in waiting.values():
        if job.group is not None and job.shape.nodes > 1:
            check_wide(slurm, job.group)


def check_wide(slurm: SimSlurm, group: SimGroup) -> None:
    """What is found and kept for a job of several nodes, against all names looked at one by one."""
    nodes = group.shape.nodes
    up = [name for name in slurm.names.values() if slurm._may_use(group, name)]
    free = [
        name
        for name in up
        if name not in slurm.kept and name.free is not None and name.free.cpus and fits_in(group.shape, name.free)
    ]
    assert slurm._room.find(group) == sorted(free, key=lambda name: name.order)[:nodes]
    by = {name: math.ceil(max((job.ends_by for job in name.jobs), default=0.0) / RESOLUTION) for name in up}
    right: tuple[list[SimName], float] = [], 0.0
    if len(up) >= nodes:
        starts = sorted(by.values())[nodes - 1]
        then = sorted((name for name, step in by.items() if step <= starts), key=lambda name: name.order)
        right = then[:nodes], starts * RESOLUTION
    assert slurm.kept._to_be_kept(group) == right


def test_a_wide_job_keeps_what_is_free_also_where_too_few_nodes_have_cpus_left() -> None:
    """One of two is full: the other is kept for a job of two, and not given to one that came later and runs longer."""
    scene = Scene(share=True)
    _, full = scene.up("small")
    _, empty = scene.up("small")
    assert scene.site.submit(shape(2), 600.0, limit=600.0).nodes == (full,)
    wide = scene.site.submit(shape(1, nodes=2), 600.0, limit=600.0)
    scene.site.slurms.schedule()
    assert [name.name for name in scene.site.slurms.names.values() if name in scene.site.slurms.kept] == [empty]
    late = scene.site.submit(shape(1), 9000.0, limit=9000.0)
    soon = scene.site.submit(shape(1), 60.0, limit=60.0)
    scene.site.slurms.schedule()
    assert not late.nodes
    assert soon.nodes == (empty,)
    scene.advance(601)
    assert wide.nodes == (full, empty)


def test_a_job_costs_the_same_however_many_nodes_are_full_and_jobs_wait() -> None:
    def cost(nodes: int) -> int:
        scene = Scene(share=True, slots=nodes + 1)
        for _ in range(nodes):
            scene.boot("small", weight=1)
        scene.advance(200)
        for _ in range(3 * nodes):
            scene.site.submit(shape(1, 100), 1e6)
        scene.up("big", weight=2)
        for _ in range(5 * nodes):
            scene.site.submit(shape(2, 100), 1e6)

        def come() -> None:
            for number in range(20):
                scene.site.submit(shape(1, number), 60.0)
                scene.advance(60)

        scene.site.cancel(next(job for job in scene.site.jobs.values() if not job.nodes), "a test")
        return calls(come)

    assert cost(200) < 1.2 * cost(20)


def test_how_long_jobs_are_likely_to_run_is_told_by_those_that_ended() -> None:
    """The median of those alike; of others that of all. Where nobody shares, nobody asks."""
    scene = Scene(share=True)
    scene.up("big")
    for seconds in (100.0, 300.0, 200.0):
        scene.site.submit(shape(1), seconds)
    scene.site.submit(shape(2), 50.0)
    full = scene.site.submit(shape(1, 99_999), 1.0)
    like = scene.site.submit(shape(1, nodes=9), 1.0)
    assert scene.queue().run_times == {}
    scene.advance(400)
    for _ in range(8):
        scene.site.submit(shape(1), 1000.0)
    waits = scene.site.submit(shape(1), 1000.0)
    assert not waits.nodes
    assert scene.queue().run_times == {full.shape: 200.0, like.shape: 200.0, waits.shape: 200.0}
    alone = Scene()
    alone.up()
    alone.site.submit(JobShape(), 10.0)
    alone.advance(20)
    alone.site.submit(JobShape(cores=99), 10.0)
    assert alone.queue().run_times == {}


def test_what_a_node_has_is_not_told_of_the_next_one_under_its_name() -> None:
    scene = Scene(share=True, slots=1)
    node, hostname = scene.up("big")
    assert shown(scene, hostname).has is not None
    scene.site.do((DestroyNode(1, node),))
    (record,) = scene.records().records
    scene.boot("small", record.uuid)
    assert (shown(scene, hostname).has, shown(scene, hostname).free) == (None, None)
    scene.advance(200)
    assert shown(scene, hostname).has == Capacity(2, 4000)
