"""A node that has told Slurm that the cloud takes it back, or may do so soon."""

from __future__ import annotations

from dataclasses import replace

import pytest
from placed_world import PlacedWorld, places
from world import HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import DestroyNode, DrainNode, LookAtNode, NodeSeen, PrepareRecord, ResumeNode
from arvnodeman.fleet.values.model import Directive, NodeState
from arvnodeman.fleet.values.work import Power, WorkKind, WorkState
from arvnodeman.slurm.words import node_work

NOTICE, REBALANCE = "Node Manager notice (i-compute1)", "Node Manager rebalance (i-compute1)"
TOLD = "reports that the cloud takes it back"
BOOT = 30 * MINUTE  # boot_fail_after


def up(word: str = "alloc") -> World:
    """A node that Slurm has called idle and then this."""
    world = World(policy(boot_fail_after=BOOT, shutdown_windows=NEVER))
    world.node(age=2 * HOUR)
    world.begin()
    world.cycle(times=2)
    world.says("compute1", word)
    world.cycle(times=2)
    return world


def counted(world: World, name: str) -> int:
    return world.fleet.view.counters.get(name, 0)


def test_one_that_is_taken_back_is_removed_when_its_work_has_ended_and_never_resumed() -> None:
    world = up()
    world.says("compute1", "drng", reason=NOTICE)
    world.cycle(*jobs(1))
    assert world.state() is NodeState.SHUTDOWN
    assert not world.open(DestroyNode)
    assert world.open(PrepareRecord)  # it is no supply: another is booted for the job
    world.says("compute1", "drain", reason=NOTICE)
    for _ in range(3):
        world.cycle(*jobs(1))
        world.obey(DrainNode, LookAtNode)
    assert [step.node.id for step in world.open(DestroyNode)] == ["i-compute1"]
    assert not [step for step in world.asked if isinstance(step, ResumeNode)]
    (mark,) = [step for step in world.asked if isinstance(step, DrainNode)]
    assert mark.reason == "Node Manager destroy (i-compute1)"


def test_it_is_said_and_counted_once() -> None:
    world = up()
    world.says("compute1", "drng", reason=NOTICE)
    world.cycle(times=4)
    assert len([line for line in world.log(30) if TOLD in line]) == 1
    assert counted(world, "reclaim_notices") == 1


@pytest.mark.parametrize("word", ["alloc", "idle"])
def test_one_that_the_cloud_destroys_first_is_gone_and_its_record_is_freed(word: str) -> None:
    world = up(word)
    world.says("compute1", "drng" if word == "alloc" else "drain", reason=NOTICE)
    world.cycle()
    del world.cloud["i-compute1"]
    world.silent.add("r-compute1")
    world.says("compute1", "down", reason="Not responding", responding=False)
    for _ in range(6):
        for look in world.open(LookAtNode):
            world.done(look, NodeSeen(node_work("compute1", "down", responding=False)))
        world.obey()
        world.cycle()
    assert not world.fleet.view.nodes
    assert world.records["r-compute1"].instance_id is None
    assert counted(world, "boot_failures") == 0


def test_one_that_is_taken_back_before_it_is_up_is_no_failed_boot() -> None:
    world = World(policy(boot_fail_after=BOOT, max_price_factor=1.0))
    world.begin(*jobs(1))
    world.obey()
    world.cycle(*jobs(1))
    ((identity, node),) = world.cloud.items()
    hostname = (node.fqdn or "").partition(".")[0]
    (uuid,) = [uuid for uuid, record in world.records.items() if record.hostname == hostname]
    world.records[uuid] = replace(world.records[uuid], instance_id=identity, first_ping_at=world.now)
    world.says(hostname, "drain", reason=f"Node Manager notice ({identity})")
    world.cycle(*jobs(1), times=2)
    assert world.fleet.view.nodes[identity].state is NodeState.SHUTDOWN
    world.obey()
    world.cycle(*jobs(1), times=2)
    assert (counted(world, "reclaim_notices"), counted(world, "boot_failures")) == (1, 0)


@pytest.mark.parametrize("directive", [Directive.HOLD, Directive.RUN])
def test_no_word_of_an_operator_brings_new_work_to_it(directive: Directive) -> None:
    world = up("idle")
    world.say("compute1", directive)
    world.says("compute1", "drain", reason=NOTICE)
    world.cycle(times=3)
    world.say("compute1", directive)
    world.cycle(times=3)
    assert not [step for step in world.asked if isinstance(step, ResumeNode)]


def test_the_notice_of_the_node_before_it_is_taken_back() -> None:
    world = World(policy(boot_fail_after=BOOT, shutdown_windows=NEVER))
    world.node(age=5 * MINUTE, slurm="drain", reason="Node Manager notice (i-another)")
    world.begin()
    world.cycle(times=2)
    assert [step.hostname for step in world.asked if isinstance(step, ResumeNode)]
    assert counted(world, "reclaim_notices") == 0


# ---- rebalance -------------------------------------------------------------------------------------------------------


def test_one_that_may_be_taken_back_is_left_alone_and_is_no_supply() -> None:
    world = up("idle")
    world.says("compute1", "drain", reason=REBALANCE)
    world.cycle(*jobs(1), times=3)
    assert world.state() is NodeState.RESERVED
    assert "may take it back soon" in world.why()
    assert not [step for step in world.asked if isinstance(step, DestroyNode | DrainNode | ResumeNode)]
    assert [step for step in world.asked if not isinstance(step, LookAtNode)]  # another is booted for the job
    world.says("compute1", "idle")
    world.cycle(times=2)
    assert world.state() is NodeState.IDLE
    assert counted(world, "reclaim_notices") == 0


def test_its_work_goes_on_however_long_it_takes() -> None:
    world = up()
    world.says("compute1", "drng", reason=REBALANCE)
    world.cycle(times=3 * int(BOOT / MINUTE))
    assert world.state() is NodeState.BUSY
    assert not world.steps


def test_one_that_does_not_take_it_back_counts_as_down_in_the_end() -> None:
    """Its unit has died: the node would be paid for without end, and take no work."""
    world = up("idle")
    world.says("compute1", "drain", reason=REBALANCE)
    world.cycle(times=int(BOOT / MINUTE) + 3)
    assert world.state() is NodeState.SHUTDOWN


def test_after_the_rebalance_comes_the_notice() -> None:
    world = up()
    world.says("compute1", "drng", reason=REBALANCE)
    world.cycle(times=2)
    world.says("compute1", "drng", reason=NOTICE)
    world.cycle(times=2)
    assert world.state() is NodeState.SHUTDOWN
    assert counted(world, "reclaim_notices") == 1


# ---- where Slurm decides ---------------------------------------------------------------------------------------------

DRNG, DRAINED = WorkState(WorkKind.DRAINING, "drng"), WorkState(WorkKind.DRAINED, "drain")


def placed(reason: str, state: WorkState) -> PlacedWorld:
    """A machine whose name Slurm shows so."""
    world = PlacedWorld(places(boot_fail_after=BOOT, shutdown_windows=NEVER))
    world.machine("small-1", Power.ON)
    world.begin()
    world.cycle(times=2)
    world.word("small-1", Power.ON, state, reason=reason, placed=state is DRNG)
    world.cycle(times=2)
    return world


def test_where_slurm_decides_it_is_removed_when_its_work_has_ended() -> None:
    world = placed("Node Manager notice (i-small-1)", DRNG)
    assert world.state("small-1") is NodeState.BUSY
    world.word("small-1", Power.ON, DRAINED, reason="Node Manager notice (i-small-1)")
    world.cycle(times=3)
    assert world.state("small-1") is NodeState.SHUTDOWN
    assert counted(world, "reclaim_notices") == 1


def test_where_slurm_decides_one_that_may_be_taken_back_is_left_alone_for_a_while() -> None:
    world = placed("Node Manager rebalance (i-small-1)", DRAINED)
    world.cycle(times=5)
    assert world.state("small-1") is NodeState.RESERVED
    world.cycle(times=int(BOOT / MINUTE))
    assert world.state("small-1") is NodeState.SHUTDOWN
