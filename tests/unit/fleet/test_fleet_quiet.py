"""Which rows no pass looks at, and what wakes them. That nothing else is decided so, tests/properties hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from world import HELD, HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import PolicyChanged
from arvnodeman.fleet.values.model import Directive, NodeState, OperatorDirective
from arvnodeman.fleet.values.work import NodeWork


def quiet(world: World) -> int:
    """How many rows no pass looks at."""
    return world.fleet._state.roster.quiet


def at_work(nodes: int = 2) -> World:
    """Nodes that have worked for some polls."""
    world = World(policy(shutdown_windows=NEVER))
    for number in range(1, nodes + 1):
        world.node(f"compute{number}", slurm="alloc")
    world.begin()
    world.cycle(times=3)
    return world


@pytest.mark.parametrize("slurm", ["alloc", "mix", "comp"])
def test_a_node_that_works_steadily_is_quiet(slurm: str) -> None:
    world = at_work()
    world.says("compute1", slurm)
    world.cycle(times=2)
    assert quiet(world) == 2
    assert world.state() is NodeState.BUSY


def words(world: World) -> dict[str, NodeWork]:
    """What Slurm says."""
    assert world.slurm is not None
    return world.slurm


def pinged_before(world: World) -> None:
    """The record of a node is another's, older one."""
    world.silent.add("r-compute1")
    world.change_record("compute1", last_ping_at=1.0)


CHANGES: dict[str, Callable[[World], object]] = {
    "another word": lambda world: world.says("compute1", "idle"),
    "silence": lambda world: world.says("compute1", "alloc", responding=False),
    "drained by somebody": lambda world: world.says("compute1", "drng", reason="disk"),
    "a reason": lambda world: world.says("compute1", "alloc", reason="disk"),
    "another weight": lambda world: words(world).update(compute1=replace(words(world)["compute1"], weight=7)),
    "unknown to Slurm": lambda world: words(world).pop("compute1"),
    "another record": lambda world: world.change_record("compute1", slot=7, instance_id=None),
    "a record that is gone": lambda world: world.records.pop("r-compute1"),
    "an older ping": pinged_before,
    "another entry": lambda world: world.change_cloud("compute1", fqdn="elsewhere.zzzzz"),
    "a failure": lambda world: world.change_cloud("compute1", failed=True),
    "stopped": lambda world: world.change_cloud("compute1", stopped=True),
    "not listed": lambda world: world.cloud.pop("i-compute1"),
    "held by its tag": lambda world: world.change_cloud("compute1", directive=HELD),
    "its name again": lambda world: world.records.update(x=replace(world.records["r-compute1"], uuid="x")),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_wakes_it(change: str) -> None:
    world = at_work()
    assert quiet(world) == 2
    CHANGES[change](world)
    world.now += MINUTE
    world.poll_cloud()
    world.poll_records()
    assert quiet(world) < 2


def test_new_stamps_alone_do_not_wake_it_and_are_shown() -> None:
    world = at_work()
    before = world.status().record
    world.cycle()
    after = world.status().record
    assert before is not None
    assert after is not None
    assert after.last_ping_at == world.now
    assert before.last_ping_at == world.now - MINUTE
    assert quiet(world) == 2


def test_stamps_that_become_old_wake_it() -> None:
    """It is busy and has not been heard from for two hours: that is a warning."""
    world = at_work()
    world.silent.add("r-compute1")
    world.cycle(times=100)
    assert quiet(world) == 2
    assert not world.status().doubtful
    world.cycle(times=25)
    assert quiet(world) == 1
    assert world.status().doubtful
    assert not world.status("compute2").doubtful
    assert "compute1" in "\n".join(world.log(30))


def test_pings_that_come_again_in_time_put_the_alarm_off() -> None:
    world = at_work(1)
    for _ in range(6):
        world.silent.add("r-compute1")
        world.cycle(times=100)
        world.silent.clear()
        world.cycle()
        assert quiet(world) == 1
    assert len(world.fleet._state.alarms._heap) <= 2


def test_an_operators_word_wakes_it_at_once() -> None:
    world = at_work()
    world.say("compute1", Directive.HOLD, "mine")
    assert quiet(world) == 1
    assert world.status().cloud.directive == OperatorDirective(Directive.HOLD, "mine")


def test_other_options_wake_all() -> None:
    world = at_work()
    world.tell(PolicyChanged(replace(world.policy, node_stale_after=HOUR)))
    assert quiet(world) == 0
    world.cycle(every=2 * MINUTE)
    assert quiet(world) == 0, "what has just changed may change again"
    world.cycle(every=2 * MINUTE)
    assert quiet(world) == 2


def test_slurm_that_is_asked_no_more_wakes_all() -> None:
    world = at_work()
    world.slurm = None
    world.cycle()
    assert quiet(world) == 0


def test_the_time_in_which_it_was_quiet_counts_as_work() -> None:
    """A third of the polls of the last boot_fail_after found it down: but it worked within these."""
    world = at_work(1)
    world.cycle(times=30)
    world.says("compute1", "idle", reason="x")
    world.cycle()
    node = world.fleet._state.roster.nodes["i-compute1"]
    assert node.busy_at == world.now - MINUTE


def test_a_row_that_is_gone_is_no_longer_counted() -> None:
    world = at_work(3)
    world.cloud.pop("i-compute1")
    world.records.pop("r-compute1")
    words(world).pop("compute1")
    world.cycle(times=10)
    world.obey()
    world.cycle(times=3)
    assert set(world.fleet.view.nodes) == {"i-compute2", "i-compute3"}
    assert world.fleet.view.states == {"busy": 2, "booting": 0}
    assert quiet(world) == 2


def test_a_job_that_needs_a_new_node_gets_one_beside_quiet_rows() -> None:
    world = at_work(2)
    world.cycle(*jobs(1))
    assert world.prepared() == ["small"]


def waiting_for_work() -> World:
    """Two idle nodes that waiting jobs want, for some polls."""
    world = World(policy(shutdown_windows=NEVER))
    world.node("compute1")
    world.node("compute2")
    world.begin(*jobs(2))
    world.cycle(times=5)
    return world


def test_idle_nodes_that_jobs_want_are_quiet() -> None:
    world = waiting_for_work()
    assert quiet(world) == 2
    assert world.state() is NodeState.IDLE
    assert "a waiting job wants a node" in world.why()


def test_an_idle_node_that_no_job_wants_any_more_is_awake() -> None:
    world = waiting_for_work()
    world.poll_queue(*jobs(1))
    world.now += MINUTE
    world.poll_records()
    assert quiet(world) == 1


def test_polls_in_which_it_was_quiet_count_as_idle() -> None:
    """Its last reason says for how many polls it was idle."""
    world = World(policy())
    world.node("compute1")
    world.begin(*jobs(1))
    world.cycle(times=9)
    assert quiet(world) == 1
    world.jobs = ()
    world.cycle()
    world.cycle()
    assert "idle for 12 node polls in a row and not wanted" in "\n".join(world.log()).replace("poll(s)", "polls")


def test_when_nothing_may_be_begun_idle_nodes_say_so() -> None:
    world = waiting_for_work()
    world.now += HOUR
    world.poll_records()  # the other lists are too old
    assert "a waiting job wants" not in world.why()


def test_a_job_gets_no_second_node_while_one_waits_quietly_for_it() -> None:
    world = waiting_for_work()
    world.cycle(times=5)
    assert not world.prepared()
    world.cycle(*jobs(3))
    assert len(world.prepared()) == 1


def test_a_quiet_idle_node_that_slurm_does_not_use_is_evidence() -> None:
    """Its polls are counted, though nobody looks at it."""
    world = World(policy(shutdown_windows=NEVER, use_within=20 * MINUTE))
    world.node("compute1")
    world.begin(*jobs(1))
    world.cycle(times=10)
    assert quiet(world) == 1
    world.cycle(times=15)
    assert any("stood idle" in line for line in world.log())
