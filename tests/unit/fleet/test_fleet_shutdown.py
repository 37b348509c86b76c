"""One shutdown: drain, wait, ask again, destroy, DOWN, clean; and what can come between (section 7 of the rules)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from shutdown_world import MARK, REMOVAL, SHUTDOWN, failed, going, kinds, looks
from world import HELD, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    DestroyNode,
    DrainNode,
    Lane,
    LookAtNode,
    LookForNode,
    NodeSeen,
    PrepareRecord,
    ReleaseRecord,
    ResumeNode,
    SetNodeDown,
    Step,
)
from arvnodeman.fleet.values.model import ErrorKind, NodeState
from arvnodeman.slurm.words import node_work

# ---- the way that it goes --------------------------------------------------------------------------------------------


def test_drain_look_destroy_down_release() -> None:
    """Rows F1, F12 and B6: DOWN only after the destroy, or a node that still answers would be free again."""
    world = going()
    seen: list[Step] = []
    while world.steps:
        seen += world.steps
        world.obey(type(world.steps[0]))
    looks_at = [DrainNode, LookAtNode]
    assert [type(step) for step in seen] == [*looks_at, *looks_at, DestroyNode, SetNodeDown, ReleaseRecord]
    assert [step.reason for step in seen if isinstance(step, DrainNode | SetNodeDown)] == [SHUTDOWN, MARK, MARK]
    assert world.records["r-compute1"].slot is None
    world.cycle()
    assert not world.fleet.view.nodes


def test_what_saves_money_has_a_lane_of_its_own() -> None:
    for kind in (LookAtNode, DestroyNode, LookForNode, SetNodeDown, ReleaseRecord):
        assert kind.lane is Lane.DESTROY
    assert PrepareRecord.lane is Lane.ANY


def test_the_second_kind_has_its_own_reason() -> None:
    assert failed().one(DrainNode).reason == REMOVAL


@pytest.mark.parametrize("reason", ["disk full", "Node Manager shutdown (i-older)"])
def test_a_node_drained_by_somebody_else_keeps_its_reason(reason: str) -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="drain", reason=reason, directive=None, responding=False)
    world.begin()
    world.cycle(times=9)
    assert not world.drained()


def test_without_the_slurm_dispatcher_it_is_looked_at_and_not_drained() -> None:
    world = going(slurm=False)
    assert kinds(world) == ["LookAtNode"]
    looks(world, "idle")
    world.done(world.one(DestroyNode))
    assert kinds(world) == ["ReleaseRecord"]


def test_without_any_slurm_no_command_of_slurm_is_asked_for() -> None:
    """Row N5."""
    world = World(policy(slurm=False, asks_scheduler=False))
    world.slurm = None
    world.node(slurm=None)
    world.change_record("compute1", worker_state="idle")
    world.begin()
    world.cycle()
    world.obey()
    assert [type(step).__name__ for step in world.asked[1:]] == ["DestroyNode", "ReleaseRecord"]


def test_a_name_that_slurm_does_not_know_needs_no_drain() -> None:
    """Row F6."""
    world = World()
    world.node(slurm=None, record=False)
    world.begin()
    world.cycle(times=2)
    world.obey()
    assert world.destroyed() == ["i-compute1"]


# ---- waiting for its work --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", ["drng", "drng*", "comp", "failg", "plnd", "unk", "unk*", "resv", "maint", "who-knows"]
)  # fmt: skip
def test_it_waits_while_the_node_works_or_slurm_gives_no_answer(said: str) -> None:
    """Rows F1 and F3."""
    world = going()
    world.obey(DrainNode)
    looks(world, *[said] * 5)
    assert not world.destroyed()
    looks(world, "drain")
    assert world.destroyed() == ["i-compute1"]


@pytest.mark.parametrize("said", ["drain", "drain*", "down", "down*", "inval", None])
def test_it_is_destroyed_when_slurm_says_now_that_nothing_runs(said: str | None) -> None:
    """Row F2."""
    world = going()
    world.obey(DrainNode)
    looks(world, "drng", said)
    assert world.destroyed() == ["i-compute1"]


def test_it_is_looked_at_every_ten_seconds() -> None:
    """Row F1."""
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drng")))
    world.wait(9.5)
    assert not world.steps
    world.wait(1)
    assert kinds(world) == ["LookAtNode"]


@pytest.mark.parametrize("said", ["idle", "alloc", "mix", "idle*"])
def test_twice_without_a_drain_means_that_somebody_resumed_it(said: str) -> None:
    """Row F4: once is what `sinfo` says while the drain is on its way."""
    world = going()
    world.obey(DrainNode)
    looks(world, said)
    assert world.state() is NodeState.SHUTDOWN
    looks(world, said)
    world.says("compute1", said.rstrip("*"))
    world.cycle(every=1)
    assert not world.destroyed()
    assert not [op for op in world.fleet.view.operations if op.kind == "shutdown"]
    assert any("slurm state is not draining any more" in line for line in world.log())


def test_the_second_look_comes_after_drain_poll_time() -> None:
    """Row F4: the drain may be on its way all that time."""
    world = going()
    world.obey(DrainNode)
    looks(world, "alloc")
    world.wait(9.5)
    assert not world.steps
    world.wait(1)
    assert kinds(world) == ["LookAtNode"]


def test_the_two_must_follow_each_other() -> None:
    """Row F4."""
    world = going()
    world.obey(DrainNode)
    looks(world, "alloc", "drng", "alloc", "drng")
    assert world.state() is NodeState.SHUTDOWN


@pytest.mark.parametrize("said", ["alloc", "mix", "comp", "drng"])
def test_without_a_drain_work_cancels_it(said: str) -> None:
    """Row F4."""
    world = going(slurm=False)
    looks(world, said)
    world.says("compute1", said)
    world.cycle(every=1)
    assert world.state() is NodeState.BUSY
    assert not world.steps


def test_a_look_that_fails_is_no_answer() -> None:
    """Rows F7 and F8: ENOMEM for a moment, a Slurm that is away; it destroys nothing."""
    world = going()
    world.obey(DrainNode)
    for _ in range(20):
        world.fail(world.one(LookAtNode), text="Unable to contact slurm controller")
        world.cycle(every=300, times=1)
    assert not world.destroyed()
    world.obey()
    assert world.destroyed() == ["i-compute1"]


@pytest.mark.parametrize("said", ["drain", "fail", "inval"])
@pytest.mark.parametrize(("on_it", "destroyed"), [(1, False), (0, True)])
def test_a_node_that_may_hide_jobs_waits_until_none_is_on_it(said: str, on_it: int, destroyed: bool) -> None:
    """Row E17: Slurm shows a suspended job in drain, a running one in fail and inval, and only squeue tells."""
    world = failed("fail")
    world.obey(DrainNode)
    looks(world, said, jobs=on_it)
    assert bool(world.destroyed()) is destroyed


@pytest.mark.parametrize("said", ["idle", "drain", "inval"])
def test_a_suspended_job_keeps_its_node_without_the_slurm_dispatcher_too(said: str) -> None:
    world = going(slurm=False)
    looks(world, said, said, jobs=1)
    assert not world.destroyed()
    looks(world, said, jobs=0)
    assert world.destroyed() == ["i-compute1"]


def test_jobs_are_counted_when_fail_shows_up_only_then() -> None:
    """Row E17."""
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "fail")))
    assert world.one(LookAtNode).jobs
    assert not world.destroyed()


# ---- asked again before the destroy ----------------------------------------------------------------------------------


def test_window_and_idle_count_are_not_asked_again() -> None:
    """Row E2: the drain itself changes them."""
    world = World(policy(shutdown_windows=(54.0, 5.0)))
    world.node(age=56 * MINUTE)
    world.begin()
    world.cycle()
    world.obey(DrainNode)
    looks(world, *["drng"] * 2)
    world.cycle(times=5)
    looks(world, "drain")
    assert world.destroyed() == ["i-compute1"]


def test_a_hold_is_asked_again() -> None:
    """Row E2."""
    world = going()
    world.obey(DrainNode)
    world.change_cloud("compute1", directive=HELD)
    world.poll_cloud()
    looks(world, "drain")
    assert not world.destroyed()
    looks(world, "drain")
    assert kinds(world) == ["ResumeNode"]


@pytest.mark.parametrize(
    "order",
    [
        pytest.param("cqr", id="records last"),
        pytest.param("crqr", id="queue last"),
    ],
)
def test_whether_it_is_wanted_is_asked_again(order: str) -> None:
    """Rows E2 and E15: after a restart, and whatever the order of the polls."""
    world = World()
    world.node(slurm="drain", reason=SHUTDOWN)
    world.jobs = jobs(1)
    world.sizes()
    polls: dict[str, Callable[[], None]] = {"c": world.poll_cloud, "r": world.poll_records, "q": world.poll_queue}
    for poll in order:
        polls[poll]()
    for _ in range(3):
        world.wait(10)
        world.obey(LookAtNode)
    world.wait(10)
    world.obey()
    assert not world.destroyed()
    assert [step.hostname for step in world.asked if isinstance(step, ResumeNode)] == ["compute1"]


def test_a_wish_that_comes_while_lists_are_old_is_not_forgotten() -> None:
    """Row E2."""
    world = going()
    world.obey(DrainNode)
    look = world.one(LookAtNode)
    world.now += 700
    world.poll_queue(*jobs(1))
    world.poll_cloud()
    world.poll_records()
    world.done(look, NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    world.obey()
    assert not world.destroyed()
    assert [step.hostname for step in world.asked if isinstance(step, ResumeNode)] == ["compute1"]


@pytest.mark.parametrize("meanwhile", ["hold", "job without a drain"])
def test_a_destroy_that_was_throttled_asks_everything_again(meanwhile: str) -> None:
    """Rows E2 and A11."""
    world = going(slurm=meanwhile == "hold")
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.THROTTLED, retry_after=100.0)
    if meanwhile == "hold":
        world.change_cloud("compute1", directive=HELD)
    else:
        world.says("compute1", "alloc")
    world.cycle()
    world.wait(60)
    world.obey(LookAtNode)
    assert len(world.destroyed()) == 1


def test_a_destroy_that_was_throttled_is_sent_once_more() -> None:
    """Row A11: and once only."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.THROTTLED, retry_after=20.0)
    world.wait(30)
    world.obey(LookAtNode)
    assert len(world.destroyed()) == 2
    assert len(world.open(DestroyNode)) == 1
