"""Nodes are kept in order: feature and weight in Slurm, FQDN, old drains (sections 6 to 8 of the rules)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from world import EPOCH, HELD, HOUR, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import DescribeNode, ResumeNode, Step, SyncFqdn
from arvnodeman.fleet.values.model import BootIntent, ErrorKind, JobShape, NodeState
from arvnodeman.slurm.words import node_work

OLD_REASONS = ("Node Manager shutdown (i-older)", "Node Manager removal (i-older)", "Node Manager shutdown")


def kept(said: str = "alloc", *, options: dict[str, Any] | None = None, **node: Any) -> World:
    """One node, windows shut; the second node poll sees to it."""
    world = World(policy(**{"shutdown_windows": NEVER, **(options or {})}))
    world.node(slurm=said, **node)
    return world


def asked(world: World, kind: type[Step]) -> int:
    return len([step for step in world.asked if isinstance(step, kind)])


# ---- FQDN ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_cloud", "hostname", "domain", "written"),
    [
        ("compute1.zzzzz", "compute1", "zzzzz", None),
        ("other.zzzzz", "compute1", "zzzzz", "compute1.zzzzz"),
        (None, "compute1", "zzzzz", "compute1.zzzzz"),
        ("x", "compute1", None, "compute1.dynamic.compute"),
        ("x", None, "zzzzz", None),  # a record without a hostname
    ],
)
def test_the_fqdn_is_written_to_the_cloud_when_it_differs(
    at_cloud: str | None, hostname: str | None, domain: str | None, written: str | None
) -> None:
    """Row B5."""
    world = kept()
    world.change_cloud("compute1", fqdn=at_cloud)
    world.change_record("compute1", hostname=hostname, domain=domain)
    world.begin()
    world.cycle()
    assert [step.fqdn for step in world.open(SyncFqdn)] == ([written] if written else [])
    world.obey(SyncFqdn)
    world.cycle(times=5)
    assert asked(world, SyncFqdn) == (1 if written else 0)


def test_nothing_is_written_to_a_node_that_is_still_being_made() -> None:
    """The cloud would refuse it, once a minute."""
    world = kept()
    world.change_cloud("compute1", fqdn="other", building=True)
    world.begin()
    world.cycle(times=5)
    assert asked(world, SyncFqdn) == 0
    world.change_cloud("compute1", building=False)
    world.cycle()
    assert len(world.open(SyncFqdn)) == 1


def test_a_write_that_fails_backs_off_and_costs_no_other_node_its_own() -> None:
    """Row A14."""
    world = kept()
    world.node("compute2", slurm="alloc")
    for name in ("compute1", "compute2"):
        world.change_cloud(name, fqdn="other")
    world.begin()
    world.cycle()
    first, second = world.open(SyncFqdn)
    world.fail(first, ErrorKind.UNEXPECTED, "it broke")
    world.done(second)
    world.change_cloud("compute2", fqdn="compute2.zzzzz")
    tries = []
    for _ in range(60):
        world.cycle(every=20)
        for step in world.open(SyncFqdn):
            tries.append(world.now)
            world.fail(step, ErrorKind.TRANSIENT, "it broke")
    waits = [later - earlier for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)
    assert 30 <= waits[0] < waits[-1] <= 320
    assert "it broke" in world.log(40)


# ---- feature and weight ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "weight", "described"),
    [
        ({"instancetype=small"}, 100, False),
        ({"instancetype=small", "ssd"}, 100, False),  # those of others
        (set(), 100, True),  # a restart of slurmctld forgets it, row F18
        ({"instancetype=large"}, 100, True),
        ({"instancetype=small"}, 1, True),
    ],
)
def test_feature_and_weight_are_applied_again_only_when_one_is_lost(
    features: set[str], weight: int, described: bool
) -> None:
    """Rows F11 and F18."""
    world = kept().begin()
    assert world.slurm is not None
    world.slurm["compute1"] = node_work("compute1", "alloc", True, weight, frozenset(features))
    world.cycle()
    steps = world.open(DescribeNode)
    assert bool(steps) is described
    if steps:
        assert (steps[0].hostname, steps[0].size, steps[0].weight) == ("compute1", "small", 100)
        world.obey(DescribeNode)
        world.cycle(times=3)
        assert asked(world, DescribeNode) == 1


def test_the_weight_follows_the_price_in_the_record() -> None:
    """Rows F11 and B14."""
    world = kept()
    world.change_record("compute1", intent=BootIntent("small", 0.25, "t", EPOCH))
    world.begin()
    world.cycle()
    assert world.one(DescribeNode).weight == 250


@pytest.mark.parametrize(
    ("options", "node"),
    [
        pytest.param({"slurm": False}, {}, id="without the slurm dispatcher, row N5"),
        pytest.param({}, {"record": False, "age": 60.0}, id="unpaired"),
        pytest.param({}, {"size": "strange", "directive": HELD}, id="of no known size"),
    ],
)
def test_nothing_is_applied(options: dict[str, Any], node: dict[str, Any]) -> None:
    world = kept(options=options, **node)
    world.says("compute1", "alloc")
    world.begin()
    assert world.slurm is not None
    world.slurm["compute1"] = node_work("compute1", "alloc")
    world.cycle(times=3)
    assert not world.open(DescribeNode)


# ---- drains of an earlier node ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", OLD_REASONS)
@pytest.mark.parametrize("said", ["drain", "drng", "down"])
def test_a_drain_or_down_of_ours_for_an_earlier_node_is_taken_back(said: str, reason: str) -> None:
    """The classic's reason named no instance."""
    world = kept(said, reason=reason).begin()
    world.cycle()
    assert world.one(ResumeNode).hostname == "compute1"


@pytest.mark.parametrize(
    "node",
    [
        pytest.param({"reason": "admin: disk"}, id="of somebody else"),
        pytest.param(
            {"reason": "Node Manager shutdown (i-older)", "record": False, "age": 60.0}, id="before it has pinged"
        ),
    ],
)
def test_not_a_drain(node: dict[str, Any]) -> None:
    world = kept("drng", **node).begin()
    world.cycle(times=3)
    assert not world.open(ResumeNode)


def test_a_name_whose_slurmd_does_not_answer_is_resumed_twice_at_most() -> None:
    """RESUME of a node without slurmd shows `idle*`, then `down*` again."""
    world = kept("down", reason=OLD_REASONS[0], responding=False, age=60.0, directive=HELD).begin()
    for _ in range(9):
        world.cycle()
        for step in world.open(ResumeNode):
            world.done(step)
    assert asked(world, ResumeNode) == 2


def test_a_node_that_waits_for_our_resume_is_not_down() -> None:
    """Or each node under that name would be removed before it could work."""
    world = World()
    world.node(slurm="drain", reason=OLD_REASONS[0], age=200.0)
    world.change_cloud("compute1", fqdn="other")
    world.begin(*jobs(1, JobShape(size="small")))
    world.cycle()
    world.obey(SyncFqdn)
    world.cycle()
    world.obey()
    world.cycle(times=3)
    assert world.state() is NodeState.IDLE
    assert not world.drained()
    assert not world.prepared()


def test_one_that_cannot_be_resumed_is_down_at_last() -> None:
    """No endless try."""
    world = World()
    world.node(slurm="drain", reason=OLD_REASONS[0], age=200.0)
    world.begin(*jobs(1, JobShape(size="small")))
    for _ in range(60):
        world.cycle()
        for step in world.open(ResumeNode):
            world.fail(step, ErrorKind.REFUSED)
    assert world.state() in (NodeState.DOWN, NodeState.SHUTDOWN)
    assert world.prepared() == ["small"]


def test_what_cannot_be_written_at_the_cloud_holds_up_nothing_in_slurm() -> None:
    """Row A14: tags are forbidden; the node gets its feature and its resume all the same."""
    world = kept("drain", reason=OLD_REASONS[0], age=200.0)
    world.change_cloud("compute1", fqdn="other")
    assert world.slurm is not None
    world.slurm["compute1"] = node_work("compute1", "drain", reason=OLD_REASONS[0])
    world.begin()
    for _ in range(6):
        world.cycle()
        for step in world.open(SyncFqdn):
            world.fail(step, ErrorKind.REFUSED)
        world.obey(ResumeNode, DescribeNode)
    assert asked(world, ResumeNode) == 1
    assert asked(world, DescribeNode) == 1


def test_a_late_resume_of_ours_and_a_shutdown_never_race() -> None:
    """Row E7."""
    world = World()
    world.node(slurm="drain", reason=OLD_REASONS[0], age=9 * HOUR)
    world.begin(*jobs(1, JobShape(size="small")))
    world.cycle()
    resume = world.one(ResumeNode)
    world.jobs = ()
    world.cycle(times=9)
    assert world.state() is NodeState.IDLE
    world.done(resume)
    world.says("compute1", "idle")
    world.cycle(times=3)
    assert world.drained() == ["compute1"]


def test_a_node_in_shutdown_is_left_alone() -> None:
    world = kept("fail")
    world.begin()
    world.cycle()
    world.change_record("compute1", domain="other")
    world.cycle(times=3)
    assert not world.open(SyncFqdn)


def test_on_old_lists_nothing_is_done() -> None:
    """Row A22."""
    world = kept().begin()
    world.change_cloud("compute1", fqdn="other")
    world.now += 700
    world.poll_cloud()
    world.poll_records()
    assert not world.steps


@pytest.mark.parametrize("said", ["down", "drain"])
def test_one_whose_slurmd_never_comes_is_a_failed_boot(said: str) -> None:
    """Row D2: every name that was used before is DOWN with a reason of ours."""
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm=said, reason=OLD_REASONS[0], responding=False, age=200.0)
    world.begin(*jobs(1, JobShape(size="small")))
    for _ in range(90):
        world.cycle()
        for step in world.open(ResumeNode):
            world.done(step)
    assert world.state() is NodeState.SHUTDOWN
    assert world.prepared() == ["small"]
