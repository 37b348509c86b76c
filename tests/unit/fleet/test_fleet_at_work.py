"""A node that somebody works on by way of Slurm: a reboot, or a word that we do not know: it is left alone."""

from __future__ import annotations

import pytest
from shutdown_world import going, looks
from world import HOUR, MINUTE, World, policy

from arvnodeman.fleet.messages import DrainNode, LookAtNode, NodeSeen
from arvnodeman.fleet.values.model import NodeState
from arvnodeman.slurm.words import node_work

BOOT = 30 * MINUTE  # boot_fail_after
WORDS = ("boot", "npc", "pow_up", "pow_dn", "blocked", "planned-by-a-slurm-to-come")


def at_work(word: str) -> World:
    """A node, idle so far and older than a boot takes, of which Slurm has said this once."""
    world = World(policy(boot_fail_after=BOOT, min_nodes=1))
    world.node(age=2 * HOUR)
    world.begin()
    world.cycle(times=3)
    world.says("compute1", word, reason="new kernel")
    world.cycle()
    return world


@pytest.mark.parametrize("word", WORDS)
def test_it_is_left_alone_for_as_long_as_a_boot_may_take(word: str) -> None:
    world = at_work(word)
    world.cycle(times=int(BOOT / MINUTE) - 1)
    assert world.state() is NodeState.RESERVED
    assert not world.steps
    assert not world.log(30)
    world.says("compute1", "idle")
    world.cycle()
    assert world.state() is NodeState.IDLE


@pytest.mark.parametrize("word", WORDS)
def test_then_it_counts_as_down_and_a_warning_names_the_word(word: str) -> None:
    world = at_work(word)
    world.cycle(times=int(BOOT / MINUTE) + 2)
    assert world.state() is NodeState.SHUTDOWN
    warnings = [line for line in world.log(30) if word in line]
    assert len(warnings) == 1
    assert "compute1" in warnings[0]


def test_work_that_ended_and_begins_again_has_its_full_time() -> None:
    world = at_work("boot")
    world.cycle(times=20)
    for word in ("alloc", "boot"):
        world.says("compute1", word)
        world.cycle(times=2)
    world.cycle(times=20)
    assert world.state() is NodeState.RESERVED


def test_many_that_reboot_at_once_have_not_turned_down() -> None:
    world = World(policy(boot_fail_after=BOOT))
    names = [f"compute{number}" for number in range(1, 9)]
    for name in names:
        world.node(name)
    world.begin()
    world.cycle()
    for name in names:
        world.says(name, "boot")
    world.cycle()
    assert not [line for line in world.log(30) if "went down at once" in line]


@pytest.mark.parametrize(("jobs", "gone"), [(0, True), (1, False)])
def test_one_that_is_lost_in_a_reboot_is_destroyed_when_no_job_is_on_it(jobs: int, gone: bool) -> None:
    """Else it would be paid for without end: Slurm's word may never become another."""
    world = at_work("boot")
    world.cycle(times=int(BOOT / MINUTE) + 2)
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "boot")))
    assert world.one(LookAtNode).jobs
    assert not world.destroyed()
    looks(world, "boot", jobs=jobs)
    assert bool(world.destroyed()) is gone


def test_one_that_is_rebooted_while_it_is_drained_waits() -> None:
    world = going()
    world.obey(DrainNode)
    looks(world, *["boot"] * 3, jobs=0)
    assert not world.destroyed()
