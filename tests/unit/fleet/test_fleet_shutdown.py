"""One shutdown: drain, wait, ask again, destroy, DOWN, clean; and what can come between (section 7 of the rules)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
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
from arvnodeman.fleet.model import ErrorKind, JobShape, NodeState, SlurmNode

SHUTDOWN = "Node Manager shutdown (i-compute1)"
REMOVAL = "Node Manager removal (i-compute1)"
SMALL = JobShape(size="small")


def going(**options: Any) -> World:
    """An idle node that nobody wants: its shutdown has begun."""
    world = World(policy(**options))
    world.node()
    world.begin()
    world.cycle()
    return world


def failed(said: str = "down", **options: Any) -> World:
    """A node that does not work: its shutdown has begun, and no wish cancels it."""
    world = World(policy(**options))
    world.node(slurm=said)
    world.begin()
    world.cycle(times=2)
    return world


def looks(world: World, *answers: str | None, jobs: int | None = None, reason: str = SHUTDOWN) -> None:
    """Slurm's answers when it is asked of the node, one after the other, ten seconds apart."""
    for answer in answers:
        world.wait(10)
        node = (
            None
            if answer is None
            else SlurmNode("compute1", answer.rstrip("*"), not answer.endswith("*"), reason=reason)
        )
        world.done(world.one(LookAtNode), NodeSeen(node, jobs))


def kinds(world: World) -> list[str]:
    return [type(step).__name__ for step in world.steps]


# ---- the way that it goes --------------------------------------------------------------------------------------------


def test_drain_look_destroy_down_release() -> None:
    """Rows F1, F12 and B6: DOWN only after the destroy, or a node that still answers would be free again."""
    world = going()
    seen: list[Step] = []
    while world.steps:
        seen += world.steps
        world.obey(type(world.steps[0]))
    assert [type(step) for step in seen] == [DrainNode, LookAtNode, DestroyNode, SetNodeDown, ReleaseRecord]
    assert [getattr(step, "reason", SHUTDOWN) for step in seen] == [SHUTDOWN] * 5
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
    world.node(slurm="drain", reason=reason, word=None, responding=False)
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
    world = World(policy(slurm=False, sinfo=False))
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
    world.done(world.one(LookAtNode), NodeSeen(SlurmNode("compute1", "drng")))
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


@pytest.mark.parametrize(("running", "destroyed"), [(1, False), (0, True)])
def test_a_node_in_fail_waits_until_no_job_is_on_it(running: int, destroyed: bool) -> None:
    """Row E17: a node in fail may be running a job that only squeue shows."""
    world = failed("fail")
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(SlurmNode("compute1", "fail"), running))
    assert bool(world.destroyed()) is destroyed


def test_jobs_are_counted_when_fail_shows_up_only_then() -> None:
    """Row E17."""
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode), NodeSeen(SlurmNode("compute1", "fail")))
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
    world.change_cloud("compute1", word=HELD)
    world.poll_cloud()
    looks(world, "drain")
    assert not world.destroyed()
    looks(world, "drain")
    assert kinds(world) == ["ResumeNode"]


@pytest.mark.parametrize(
    "order",
    [
        pytest.param("cqr", id="records last"),
        pytest.param(
            "crqr",
            id="queue last",
            marks=pytest.mark.xfail(
                strict=True, reason="a boot begins at the queue poll, before the old shutdown is known"
            ),
        ),
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
    assert not world.destroyed()


def test_a_wish_that_comes_while_lists_are_old_is_not_forgotten() -> None:
    """Row E2."""
    world = going()
    world.obey(DrainNode)
    look = world.one(LookAtNode)
    world.now += 700
    world.poll_queue(*jobs(1))
    world.poll_cloud()
    world.poll_records()
    world.done(look, NodeSeen(SlurmNode("compute1", "drain", reason=SHUTDOWN)))
    assert not world.destroyed()


@pytest.mark.parametrize("meanwhile", ["hold", "job without a drain"])
def test_a_destroy_that_was_throttled_asks_everything_again(meanwhile: str) -> None:
    """Rows E2 and A11."""
    world = going(slurm=meanwhile == "hold")
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.THROTTLED, retry_after=100.0)
    if meanwhile == "hold":
        world.change_cloud("compute1", word=HELD)
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


# ---- the destroy itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "there", "gone"),
    [
        (ErrorKind.TRANSIENT, False, True),  # it had worked, row E11
        (ErrorKind.TRANSIENT, True, False),  # also what a driver makes of libcloud's False, row E1
        (ErrorKind.UNEXPECTED, False, True),
        (ErrorKind.UNEXPECTED, True, False),
        (ErrorKind.GONE, False, True),
        (ErrorKind.REFUSED, True, False),
    ],
)
def test_a_destroy_that_fails_may_have_worked(kind: ErrorKind, there: bool, gone: bool) -> None:
    """Rows E1, E4 and E11: look; a failure ends the attempt, and the node counts as down."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    node = world.cloud["i-compute1"]
    world.fail(world.one(DestroyNode), kind)
    for look in world.open(LookForNode):
        world.done(look, node if there else None)
    if gone:
        assert kinds(world) == ["SetNodeDown"]
    else:
        world.cycle(every=1)
        assert not world.steps
        assert world.state() is NodeState.DOWN
        assert world.fleet.view.counters["destroy_node_errors"] == 1


def test_a_look_after_a_failed_destroy_is_tried_again() -> None:
    """Row E11."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode))
    world.fail(world.one(LookForNode))
    world.wait(2)
    assert kinds(world) == ["LookForNode"]


def test_attempts_at_one_node_are_a_minute_apart_and_more() -> None:
    """Row E4."""
    world = going(max_poll_time=200.0)
    times = []
    for _ in range(240):
        world.obey(DrainNode, LookAtNode)
        for step in world.open(DestroyNode):
            times.append(world.now)
            world.fail(step, ErrorKind.REFUSED)
        world.cycle(every=10)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert min(waits) >= 60
    assert 3 <= len(times) <= 20
    assert max(waits) <= 240


# ---- afterwards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SetNodeDown, ReleaseRecord])
def test_what_is_left_to_clear_is_tried_again_and_then_left_to_the_orphans(kind: type[Step]) -> None:
    """Row B6."""
    world = going(boot_attempts=3)
    world.obey(DrainNode, LookAtNode, DestroyNode)
    world.obey(SetNodeDown) if kind is ReleaseRecord else None
    for _ in range(3):
        world.fail(world.one(kind))
        world.wait(10)
    assert not world.open(kind)
    world.obey()
    world.cycle(times=2)
    assert not world.fleet.view.nodes
    world.cycle(times=35)
    world.obey()
    assert world.records["r-compute1"].slot is None


@pytest.mark.parametrize("kind", [SetNodeDown, ReleaseRecord])
def test_what_is_gone_already_is_cleared(kind: type[Step]) -> None:
    """Row E8."""
    world = going()
    world.obey(DrainNode, LookAtNode, DestroyNode)
    world.obey(SetNodeDown) if kind is ReleaseRecord else None
    world.fail(world.one(kind), ErrorKind.GONE)
    world.obey()
    world.cycle()
    assert not world.fleet.view.operations


# ---- drains that fail ------------------------------------------------------------------------------------------------


def test_a_drain_of_a_name_that_slurm_does_not_know_goes_on() -> None:
    """Row F6."""
    world = going()
    world.fail(world.one(DrainNode), ErrorKind.GONE)
    assert kinds(world) == ["LookAtNode"]


def test_a_drain_that_gets_no_answer_is_tried_again() -> None:
    """Row F7."""
    world = going()
    world.fail(world.one(DrainNode))
    world.wait(2)
    assert kinds(world) == ["DrainNode"]


def test_a_drain_that_is_refused_ends_the_attempt() -> None:
    world = going()
    world.fail(world.one(DrainNode), ErrorKind.REFUSED, "Invalid user id")
    world.cycle(every=1)
    assert not world.steps
    assert any("Invalid user id" in line for line in world.log(40))
    world.cycle(times=3)
    assert kinds(world) == ["DrainNode"]


# ---- taken back ------------------------------------------------------------------------------------------------------


def test_a_wanted_node_is_kept_rather_than_another_booted() -> None:
    """Row E15."""
    world = going()
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    assert not world.prepared()
    world.obey()
    assert world.slurm is not None
    assert world.slurm["compute1"].state == "idle"
    world.cycle()
    assert world.state() is NodeState.IDLE
    assert "Shutdown cancelled: Node size is in wishlist." in world.log()


def test_its_idle_count_starts_anew() -> None:
    world = going(consecutive_idle_count=3)
    world.cycle(times=2)
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    world.obey()
    world.jobs = ()
    world.cycle(times=2)
    assert world.state() is NodeState.IDLE
    world.cycle()
    assert world.state() is NodeState.SHUTDOWN


@pytest.mark.parametrize("said", ["down", "drain", "fail"])
def test_the_second_kind_is_not_taken_back(said: str) -> None:
    """Rows D1 and E15."""
    world = failed(said)
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    assert world.prepared() == ["small"]
    assert world.state() is NodeState.SHUTDOWN


def test_nothing_is_taken_back_after_the_destroy_request() -> None:
    """Row E15."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.cycle(*jobs(1, SMALL))
    assert world.prepared() == ["small"]


def test_a_second_cancel_is_none() -> None:
    """Row E16."""
    world = going()
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL), every=1)
    world.cycle(every=1, times=3)
    assert len([line for line in world.log() if line.startswith("Shutdown cancelled")]) == 1
    world.obey()
    world.cycle(every=1)
    assert not world.fleet.view.operations


def test_what_is_not_drained_by_us_any_more_is_not_resumed() -> None:
    """Rows E7 and F5: an admin took the node meanwhile."""
    world = going()
    world.obey(DrainNode)
    world.says("compute1", "drain", reason="admin: memory test")
    world.cycle(*jobs(1, SMALL))
    world.obey()
    assert not [step for step in world.asked if isinstance(step, ResumeNode)]


@pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.GONE, ErrorKind.REFUSED])
def test_a_resume_that_fails(kind: ErrorKind) -> None:
    """Row F5."""
    world = going()
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    world.obey(LookAtNode)
    for look in world.open(LookAtNode):
        world.done(look, NodeSeen(SlurmNode("compute1", "drain", reason=SHUTDOWN)))
    world.fail(world.one(ResumeNode), kind)
    world.wait(5)
    assert bool(world.steps) is (kind is ErrorKind.TRANSIENT)


def test_a_cancel_waits_for_the_drain_that_is_under_way() -> None:
    world = going()
    world.cycle(*jobs(1, SMALL))
    assert kinds(world) == ["DrainNode"]
    world.obey()
    assert world.slurm is not None
    assert world.slurm["compute1"].state == "idle"


def test_a_drain_without_answer_is_undone_when_it_is_taken_back() -> None:
    """It may have worked."""
    world = going()
    world.cycle(*jobs(1, SMALL))
    world.says("compute1", "drain", reason=SHUTDOWN)
    world.fail(world.one(DrainNode))
    world.wait(5)
    world.obey()
    assert world.slurm is not None
    assert world.slurm["compute1"].state == "idle"


def test_the_newest_shutdown_is_taken_back_first() -> None:
    world = World()
    world.node("compute1")
    world.begin()
    world.cycle()
    world.node("compute2")
    world.cycle(times=2)
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    world.obey()
    assert world.destroyed() == ["i-compute1"]


# ---- after a restart -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "said"), [(SHUTDOWN, "drain"), (SHUTDOWN, "drng"), (REMOVAL, "drain")])
def test_a_drain_of_ours_for_this_instance_goes_on(reason: str, said: str) -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm=said, reason=reason)
    world.begin()
    world.cycle()
    assert world.state() is NodeState.SHUTDOWN
    looks(world, "drain", reason=reason)
    assert world.destroyed() == ["i-compute1"]


def test_it_is_resumed_when_a_node_of_its_size_is_wanted_and_no_supply_before() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="drng", reason=SHUTDOWN)
    world.begin()
    world.cycle()
    world.cycle(*jobs(1, SMALL))
    world.wait(10)
    world.obey()
    assert [step.hostname for step in world.asked if isinstance(step, ResumeNode)] == ["compute1"]


def test_the_second_kind_is_never_resumed_while_that_instance_lives() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm="drng", reason=REMOVAL)
    world.begin()
    world.cycle(*jobs(1, SMALL), times=3)
    world.wait(30)
    world.obey(LookAtNode)
    assert world.prepared() == ["small"]
    assert not [step for step in world.asked if isinstance(step, ResumeNode)]


# ---- gone meanwhile --------------------------------------------------------------------------------------------------


def test_a_node_that_leaves_the_list_in_the_middle_ends_the_operation() -> None:
    """Rows E3, E8 and N17: and its traces are cleared."""
    world = going()
    world.obey(DrainNode)
    looks(world, "drng")
    world.silent.add("r-compute1")
    world.says("compute1", "drng", reason=SHUTDOWN, responding=False)
    del world.cloud["i-compute1"]
    world.cycle(times=4)
    world.obey()
    world.cycle()
    assert not world.fleet.view.nodes
    assert not world.fleet.view.operations
    assert world.records["r-compute1"].slot is None


def test_a_destroy_that_ends_after_the_node_has_left_the_list() -> None:
    """Row E12."""
    world = going()
    world.obey(DrainNode, LookAtNode)
    step = world.one(DestroyNode)
    del world.cloud["i-compute1"]
    world.silent.add("r-compute1")
    world.cycle(times=4)
    world.done(step)
    world.obey()
    world.cycle()
    assert not world.fleet.view.nodes
    assert not world.fleet.view.operations
