"""A back-off binds, and ends, whatever Slurm says and whatever is in the way of others."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from world import DAY, EPOCH, HOUR, MINUTE, ONE, World, jobs, policy

from arvnodeman.fleet.messages import QueueListed
from arvnodeman.fleet.outlook.ahead import Outlook, Reservation
from arvnodeman.fleet.plan.vain import MISLED, IdleNode, VainBoots
from arvnodeman.fleet.values.model import Directive, JobOwner, JobShape
from arvnodeman.slurm.foresee import kinds_of
from arvnodeman.slurm.words import node_work

USE_WITHIN = 180.0
SPENT = "QOSGrpCpuLimit"


def comes_up(world: World) -> None:
    """Nodes that the cloud has made ping, and are idle in Slurm."""
    assert world.slurm is not None
    for uuid, record in list(world.records.items()):
        node = next((node for node in world.cloud.values() if node.fqdn == record.fqdn), None)
        if node is not None and record.first_ping_at is None and record.hostname is not None:
            world.records[uuid] = replace(
                record, instance_id=node.id, first_ping_at=world.now, last_ping_at=world.now, modified_at=world.now
            )
            world.slurm[record.hostname] = node_work(
                record.hostname, "idle", features=frozenset({"instancetype=small"})
            )


def test_a_reason_that_goes_back_and_forth_does_not_end_each_back_off() -> None:
    """Slurm gives the reason of a limit where it looks at a job, and `Priority` where it did not come so far."""
    world = World(policy(use_within=USE_WITHIN)).begin()
    world.node(slurm="mix")
    waiting = jobs(3)
    refused = [replace(job, reason=SPENT) for job in waiting]
    for minute in range(240):
        world.now += MINUTE
        world.poll_cloud()
        world.poll_records()
        at = world.now - 1
        says_no = minute % 6 < 3
        world.tell(QueueListed([], at, refused={ONE: refused}) if says_no else QueueListed(waiting, at))
        world.obey()
        comes_up(world)
    assert 2 <= len(world.created()) <= 3 + 6


def test_such_a_reason_ends_it_later_each_time_and_at_once_after_a_start() -> None:
    vain, idle = VainBoots(first_wait=300.0), IdleNode("compute1", 0.0)
    t = 1000.0
    heard = []
    for _ in range(MISLED + 3):
        vain.in_vain(ONE, "Resources", idle, t)
        vain.groups[ONE].wait = 48 * 300.0  # the longest
        vain.groups[ONE].until = began = t + 48 * 300.0
        vain.refuse(ONE, SPENT, t)
        while not vain.welcome(ONE, t) and t < began:
            t += MINUTE
        heard.append(t)
        vain.refuse(ONE, SPENT, t)
    waits = [round((later - earlier) / 300) for earlier, later in pairwise(heard)]
    assert waits[:5] == [1, 3, 7, 15, 31]
    assert set(waits[5:]) == {48}  # the back-off itself
    vain.in_vain(ONE, "Resources", idle, t)
    for _ in range(2):  # one ends the back-off, and may have been cancelled; the other shows that it was not
        vain.started(ONE, t)
    vain.in_vain(ONE, "Resources", idle, t)
    vain.refuse(ONE, SPENT, t)
    assert vain.welcome(ONE, t)


@pytest.mark.parametrize("flags", [(), ("REPLACE",)])
def test_nodes_that_slurm_replaces_in_a_reservation_change_nothing_for_others(flags: tuple[str, ...]) -> None:
    """It does so by itself, with each of them that goes down: then no node would ever stand idle for long enough."""
    world = World(policy(use_within=USE_WITHIN))
    world.node()
    own = Reservation("theirs", EPOCH - HOUR, EPOCH + DAY, **kinds_of(flags), accounts=("others",))
    world.begin(*jobs(1))
    for number in range(20):
        world.outlook = Outlook({"theirs": replace(own, nodes=frozenset({f"node{number}"}))})
        world.cycle()
        world.obey()
    assert world.fleet.view.counters["boots_in_vain"] == 1
    assert world.destroyed() == ["i-compute1"]


def test_reservations_that_differ() -> None:
    one = Reservation("one", 0.0, 100.0, frozenset({"a", "b"}), ends="soon")
    floats = replace(one, **kinds_of({"TIME_FLOAT"}))

    def differ(before: Reservation, after: Reservation) -> bool:
        return Outlook({"one": before}).differs(Outlook({"one": after}))

    assert not differ(one, replace(one, nodes=frozenset({"a", "c"})))
    assert differ(one, replace(one, nodes=frozenset({"a"})))
    assert differ(one, replace(one, end=200.0))
    assert differ(one, replace(one, users=("ann",)))
    assert not differ(floats, replace(floats, start=1.0, end=101.0, ends="later"))
    assert Outlook({"one": one}).differs(Outlook())


@pytest.mark.parametrize("shape", [ONE, JobShape(owner=JobOwner("ann"))])
def test_nodes_that_are_held_and_never_came_up_do_not_stop_their_size_for_ever(shape: JobShape) -> None:
    """An operator wants to look at them, and the jobs of others wait."""
    world = World(policy(max_nodes=20, boot_fail_after=HOUR / 2)).begin()
    world.cycle(*jobs(8, shape))
    world.obey()
    held = list(world.cloud)
    assert len(held) == 5
    for node in held:
        world.say(node, Directive.HOLD, "to be looked at")
    world.obey()
    for _ in range(20):
        world.cycle()
        world.obey()
    assert len(world.created()) == 5
    for _ in range(20):
        world.cycle()
        world.obey()
    assert len(world.created()) > 5
    assert set(held) <= set(world.cloud)


def test_a_job_that_may_have_been_cancelled_ends_a_back_off_with_a_probe() -> None:
    """It left the queue, and a node turned busy for somebody else: four times as many nodes came for each such job."""
    vain, idle = VainBoots(first_wait=300.0), IdleNode("compute1", 0.0)
    vain.in_vain(ONE, "Resources", idle, 1000.0)
    memory = vain.groups[ONE]
    vain.started(ONE, 1010.0)
    assert (memory.until, memory.at_once) == (1010.0, 1)
    assert vain.in_vain(ONE, "Resources", idle, 1020.0).memory.until == 1020.0 + 600.0  # it goes on where it was
    vain.started(ONE, 1030.0)
    vain.started(ONE, 1040.0)  # and again, with a probe: Slurm does start them
    assert (memory.at_once, memory.wait) == (4, 0.0)


def test_cancelled_jobs_of_a_busy_cluster_cost_a_probe_each() -> None:
    world = World(policy(max_nodes=40, use_within=USE_WITHIN))
    world.node()
    world.begin(*jobs(12))
    world.cycle(times=4)
    world.obey()
    assert world.fleet.view.counters["boots_in_vain"] == 1
    before = len(world.prepared())
    world.node("compute2", slurm="alloc")  # for others
    world.cycle(*jobs(12)[1:], every=10)
    world.cycle(every=10)
    assert len(world.prepared()) - before <= 1


def test_a_node_that_was_resumed_since_the_last_node_poll_is_up() -> None:
    """What Slurm says then of jobs was missed, and the node was gone before the next queue poll: nodes came one after
    the other, and none in vain."""
    world = World(policy(use_within=USE_WITHIN))
    world.node(slurm="drain", reason="Node Manager shutdown (i-old)", age=HOUR / 12)
    world.begin(*jobs(2))
    world.cycle()
    world.obey()
    assert world.slurm is not None
    assert world.slurm["compute1"].state.said == "idle"  # it was resumed
    world.now += 1
    world.tell(QueueListed([], world.now, refused={ONE: [replace(job, reason=SPENT) for job in jobs(2)]}))
    (group,) = world.fleet.view.vain.values()
    assert group.said == SPENT
