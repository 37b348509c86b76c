"""The word kill, and words that follow one another (section 4 of the rules)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import NEVER, World, policy

from arvnodeman.fleet.messages import DestroyNode, DrainNode, LookAtNode, NodeSeen, ResumeNode, SetWord
from arvnodeman.fleet.values.model import Directive, ErrorKind, NodeState, OperatorDirective
from arvnodeman.slurm.words import node_work

SHUTDOWN = "Node Manager shutdown (i-compute1)"
REMOVAL = "Node Manager removal (i-compute1)"


def up(said: str = "idle", **options: Any) -> World:
    """One node; windows shut, so that it goes by words alone."""
    world = World(policy(**{"shutdown_windows": NEVER, **options}))
    world.node(slurm=said)
    world.begin()
    return world


def restarted(world: World) -> World:
    """The daemon starts anew, some seconds later."""
    world.now += 5
    world.restart()
    world.begin()
    return world


# ---- kill ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["alloc", "idle", "down", "resv"])
def test_kill_destroys_now_busy_or_not_without_drain_or_window(said: str) -> None:
    world = up(said)
    world.say("compute1", Directive.KILL)
    assert world.destroyed() == ["i-compute1"]
    world.obey()
    assert not world.drained()
    assert world.records["r-compute1"].slot is None


def test_a_kill_that_the_cloud_throttles_is_sent_again_without_a_look() -> None:
    world = up("alloc")
    world.say("compute1", Directive.KILL)
    world.fail(world.one(DestroyNode), ErrorKind.THROTTLED)
    world.wait(5)
    assert world.one(DestroyNode).node.id == "i-compute1"
    assert not world.open(LookAtNode)


@pytest.mark.parametrize("in_flight", [True, False])
@pytest.mark.parametrize("directive", [Directive.RUN, Directive.DRAIN, Directive.HOLD])
def test_a_newer_word_spares_what_the_cloud_did_not_destroy_yet(directive: Directive, in_flight: bool) -> None:
    """Also one that is said while the request is on its way."""
    world = up("alloc")
    world.say("compute1", Directive.KILL)
    if in_flight:
        world.say("compute1", directive)
    world.fail(world.one(DestroyNode), ErrorKind.THROTTLED)
    if not in_flight:
        world.say("compute1", directive)
    world.wait(60)
    assert not world.open(DestroyNode)
    for _ in range(4):
        world.obey()
        world.cycle()
    assert bool(world.drained()) is (directive is Directive.DRAIN)
    assert world.destroyed() == ["i-compute1"]  # the one that was throttled


@pytest.mark.parametrize("directive", [Directive.RUN, Directive.HOLD])
def test_a_drain_taken_back_while_its_destroy_is_on_its_way_is_not_taken_back_when_the_cloud_refused(
    directive: Directive,
) -> None:
    """A hold holds it as it is: neither destroyed nor given to jobs."""
    world = up()
    world.say("compute1", Directive.DRAIN)
    while not world.open(DestroyNode):
        world.obey(DrainNode, LookAtNode)
        world.wait(10)
    world.say("compute1", directive)
    world.fail(world.one(DestroyNode), ErrorKind.THROTTLED)
    for _ in range(4):
        world.obey()
        world.cycle()
    assert len(world.destroyed()) == (1 if directive is Directive.HOLD else 2)  # the first was throttled
    assert not [step for step in world.asked if isinstance(step, ResumeNode)]


def test_kill_works_on_stale_lists() -> None:
    world = up("alloc")
    world.now += 9999
    world.say("compute1", Directive.KILL)
    assert world.destroyed() == ["i-compute1"]


@pytest.mark.parametrize("stage", ["drain sent", "waiting", "look sent", "resume sent"])
def test_kill_cuts_a_shutdown_short(stage: str) -> None:
    world = up("alloc")
    world.say("compute1", Directive.DRAIN)
    if stage != "drain sent":
        world.obey(DrainNode, LookAtNode)
    if stage == "look sent":
        world.wait(10)
    if stage == "resume sent":
        world.say("compute1", Directive.RUN)
        world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drng", reason=REMOVAL)))
        assert world.open(ResumeNode)
    world.say("compute1", Directive.KILL)
    for step in [step for step in world.steps if not isinstance(step, DestroyNode | SetWord)]:
        world.fail(step)
    assert world.destroyed() == ["i-compute1"]


def test_a_kill_survives_a_restart() -> None:
    world = up("alloc")
    world.change_cloud("compute1", directive=OperatorDirective(Directive.KILL))
    restarted(world)
    world.cycle()
    assert world.destroyed() == ["i-compute1"]


def test_kill_is_obeyed_for_a_node_that_is_still_listed_after_its_destroy() -> None:
    world = up()
    listed = dict(world.cloud)
    world.say("compute1", Directive.KILL)
    world.obey()
    world.cloud = {key: replace(node, directive=None) for key, node in listed.items()}
    world.cycle(times=35)
    world.say("compute1", Directive.KILL)
    assert len(world.destroyed()) == 2


# ---- the newest word -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ([Directive.HOLD, Directive.DRAIN], Directive.DRAIN),
        ([Directive.DRAIN, Directive.HOLD], Directive.HOLD),
        ([Directive.HOLD, Directive.DRAIN, Directive.HOLD], Directive.HOLD),
        ([Directive.DRAIN, Directive.RUN, Directive.DRAIN], Directive.DRAIN),
        ([Directive.DRAIN, Directive.RUN], None),
    ],
)
def test_the_newest_word_replaces_the_older(words: list[Directive], last: Directive | None) -> None:
    """Also while the older is being written."""
    world = up("alloc")
    for directive in words:
        world.say("compute1", directive)
    world.wait(30)
    world.obey()
    world.cycle(times=2)
    world.wait(30)
    world.obey()
    written = world.cloud["i-compute1"].directive
    assert (written.directive if written is not None else None) is last
    assert (world.state() is NodeState.SHUTDOWN) is (last is Directive.DRAIN)


def test_a_newer_word_is_written_though_the_older_could_not_be() -> None:
    world = up("alloc")
    world.say("compute1", Directive.HOLD)
    world.say("compute1", Directive.RUN)
    world.fail(world.one(SetWord), ErrorKind.REFUSED)
    world.cycle(times=3)
    world.obey(SetWord)
    assert world.cloud["i-compute1"].directive is None
    assert world.status().directive == ""


def test_a_word_that_fails_for_a_moment_is_written_again() -> None:
    world = up("alloc")
    world.say("compute1", Directive.HOLD)
    world.fail(world.one(SetWord))
    world.wait(2)
    world.obey(SetWord)
    assert world.cloud["i-compute1"].directive == OperatorDirective(Directive.HOLD)
