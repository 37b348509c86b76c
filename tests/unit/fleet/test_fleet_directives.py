"""Operators' words: hold, drain, run, kill (section 4 of the rules)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import HELD, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import CloudListed, DestroyNode, DrainNode, LookAtNode, ResumeNode, SetWord
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape, NodeState, OperatorDirective

SHUTDOWN = "Node Manager shutdown (i-compute1)"
REMOVAL = "Node Manager removal (i-compute1)"
SMALL = JobShape(size="small")


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


def resumed(world: World) -> bool:
    return any(isinstance(step, ResumeNode) for step in world.asked)


@pytest.mark.parametrize("name", ["i-compute1", "compute1.zzzzz", "compute1"])
def test_a_node_is_named_by_id_name_or_hostname(name: str) -> None:
    world = up()
    world.say(name, Directive.HOLD, "mine")
    assert world.status().directive == "hold: mine"


def test_a_word_on_no_node_is_a_warning() -> None:
    world = up()
    world.say("compute7", Directive.KILL)
    assert not world.steps
    assert "Operator kill on compute7, which is not a node" in world.log(30)


@pytest.mark.parametrize("directive", [Directive.HOLD, Directive.DRAIN, Directive.KILL])
def test_a_word_is_kept_in_the_tag_with_its_reason(directive: Directive) -> None:
    world = up("alloc")
    world.say("compute1", directive, "why")
    assert world.one(SetWord).directive == OperatorDirective(directive, "why")


def test_run_takes_the_tag_away() -> None:
    world = up()
    world.say("compute1", Directive.HOLD)
    world.say("compute1", Directive.RUN)
    world.obey(SetWord)
    assert world.cloud["i-compute1"].directive is None


# ---- hold ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["idle", "down", "fail", "drain"])
def test_a_held_node_is_never_shut_down(said: str) -> None:
    world = up(shutdown_windows=(0.0, 60.0))
    world.say("compute1", Directive.HOLD)
    world.obey()
    world.says("compute1", said)
    world.cycle(times=60)
    assert not world.drained()
    assert not world.destroyed()


def test_nor_when_its_size_is_not_known_or_it_never_paired() -> None:
    world = World()
    world.node("compute1", size="strange", directive=HELD)
    world.node("compute2", record=False, slurm=None, directive=HELD)
    world.begin()
    world.cycle(times=9)
    assert not world.drained()
    assert not world.destroyed()


def test_a_held_node_is_not_destroyed_because_the_cloud_lists_it_as_stopped() -> None:
    """Whatever the cause: an operator stops a broken node to look at its disk."""
    world = World()
    world.node(slurm="down", stopped=True, directive=HELD)
    world.begin()
    world.cycle(times=9)
    assert not world.destroyed()


def test_a_hold_takes_a_shutdown_back_and_resumes_the_node() -> None:
    for said in ("idle", "down"):
        world = World()
        world.node(slurm=said)
        world.begin()
        world.cycle(times=2)
        world.obey(DrainNode)
        world.say("compute1", Directive.HOLD)
        world.obey()
        assert resumed(world)
        assert not world.destroyed()


@pytest.mark.parametrize("reason", [SHUTDOWN, REMOVAL])
def test_a_held_node_that_we_had_drained_is_resumed(reason: str) -> None:
    """After a restart, with the tag there; and whatever the word of the drain."""
    world = World()
    world.node(slurm="drain", reason=reason, directive=HELD)
    world.begin()
    world.cycle(times=2)
    world.obey()
    assert resumed(world)
    assert not world.destroyed()


def test_a_hold_on_a_node_whose_destroy_failed_neither_resumes_nor_destroys_it() -> None:
    """What was sent may arrive all the same, whatever the answer was."""
    world = World()
    world.node()
    world.begin()
    world.cycle()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.REFUSED)
    world.cycle(every=1)
    world.say("compute1", Directive.HOLD)
    world.obey()
    world.cycle(times=2)
    world.obey()
    assert not resumed(world)
    assert world.destroyed() == ["i-compute1"]  # the one that was refused
    assert world.why() == "held by an operator (no reason given)"


@pytest.mark.parametrize("kind", [ErrorKind.REFUSED, ErrorKind.UNEXPECTED])
def test_a_hold_that_cannot_be_written_holds_all_the_same(kind: ErrorKind) -> None:
    world = up(shutdown_windows=(0.0, 60.0))
    world.say("compute1", Directive.HOLD)
    for _ in range(10):
        for step in world.open(SetWord):
            world.fail(step, kind, "not allowed")
        world.cycle()
    assert not world.drained()
    assert "not allowed" in world.log(40)
    assert len([step for step in world.asked if isinstance(step, SetWord)]) > 1


def test_a_list_that_was_asked_for_before_the_word_takes_nothing_back() -> None:
    world = up(shutdown_windows=(0.0, 60.0))
    old = list(world.cloud.values())
    asked = world.now
    world.now += 20
    world.say("compute1", Directive.HOLD)
    world.obey(SetWord)
    world.now += MINUTE
    world.tell(CloudListed(old, asked))
    world.poll_records()
    world.poll_queue()
    world.poll_records()
    assert world.status().directive == "hold: "
    assert not world.drained()


# ---- drain -----------------------------------------------------------------------------------------------------------


def test_drain_drains_at_once_and_the_node_goes_when_its_work_has_ended() -> None:
    world = up("alloc")
    world.say("compute1", Directive.DRAIN)
    assert world.one(DrainNode).reason == REMOVAL
    world.obey(DrainNode)
    world.wait(30)
    world.obey(LookAtNode)
    assert not world.destroyed()
    world.says("compute1", "drain", reason=REMOVAL)
    world.wait(10)
    world.obey(DrainNode, LookAtNode)
    assert world.destroyed() == ["i-compute1"]


@pytest.mark.parametrize("directive", [Directive.DRAIN, Directive.KILL])
def test_nodes_to_be_drained_or_killed_are_no_supply(directive: Directive) -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(directive=OperatorDirective(directive))
    world.begin(*jobs(1, SMALL))
    assert world.prepared() == ["small"]


def test_no_wish_takes_an_operators_drain_back() -> None:
    world = up()
    world.say("compute1", Directive.DRAIN)
    world.obey(DrainNode)
    world.cycle(*jobs(1, SMALL))
    assert world.prepared() == ["small"]
    assert world.state() is NodeState.SHUTDOWN


def test_a_shutdown_for_want_of_wishes_becomes_the_operators() -> None:
    world = up(shutdown_windows=(0.0, 60.0))
    world.cycle()
    world.obey(DrainNode)
    world.say("compute1", Directive.DRAIN)
    world.cycle(*jobs(1, SMALL))
    assert world.prepared() == ["small"]


def test_without_the_slurm_dispatcher_a_drain_waits_until_the_node_is_not_busy() -> None:
    world = up("alloc", slurm=False)
    world.say("compute1", Directive.DRAIN)
    world.cycle(times=3)
    assert not world.open(LookAtNode)
    world.says("compute1", "idle")
    world.cycle()
    world.obey()
    assert world.destroyed() == ["i-compute1"]


def test_without_slurm_a_drain_minds_the_record_after_lists_were_old() -> None:
    """A drain is obeyed on old lists too, up to the destroy; by then the node may work."""
    world = World(policy(slurm=False, asks_scheduler=False))
    world.slurm = None
    world.node(slurm=None)
    world.change_record("compute1", worker_state="idle")
    world.begin()
    world.now += 700
    world.say("compute1", Directive.DRAIN)
    world.change_record("compute1", worker_state="busy")
    world.cycle(every=1)
    world.wait(30)
    assert not world.destroyed()
    world.change_record("compute1", worker_state="idle")
    world.cycle(every=1)
    world.wait(30)
    assert world.destroyed() == ["i-compute1"]


@pytest.mark.parametrize("said", ["idle", "alloc"])
def test_a_drain_survives_a_restart(said: str) -> None:
    world = up(said)
    world.say("compute1", Directive.DRAIN)
    world.obey(SetWord)
    restarted(world)
    world.cycle()
    assert world.one(DrainNode).reason == REMOVAL


# ---- run -------------------------------------------------------------------------------------------------------------


def test_run_takes_a_drain_back_and_resumes_the_node() -> None:
    world = up("alloc")
    world.say("compute1", Directive.DRAIN)
    world.obey(DrainNode)
    world.say("compute1", Directive.RUN)
    world.wait(10)
    world.obey()
    world.cycle(times=3)
    assert resumed(world)
    assert world.state() is NodeState.BUSY
    assert not world.destroyed()


def test_run_takes_back_what_the_operator_made_of_a_shutdown_of_ours() -> None:
    """Its reason in Slurm is still that of the first kind."""
    world = up(shutdown_windows=(0.0, 60.0))
    world.cycle()
    world.obey(DrainNode)
    world.say("compute1", Directive.DRAIN)
    world.say("compute1", Directive.RUN)
    world.obey()
    assert resumed(world)
    assert not world.destroyed()


@pytest.mark.parametrize("said", ["drain", "drng"])
def test_run_takes_a_drain_back_after_a_restart(said: str) -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm=said, reason=REMOVAL, directive=OperatorDirective(Directive.DRAIN))
    world.begin()
    world.says("compute1", "drng", reason=REMOVAL)
    world.cycle()
    world.say("compute1", Directive.RUN)
    world.wait(30)
    world.obey()
    world.cycle(times=3)
    world.wait(30)
    world.obey()
    assert resumed(world)
    assert not world.destroyed()


def test_run_on_a_node_of_which_nothing_was_said_changes_nothing() -> None:
    world = up()
    world.say("compute1", Directive.RUN)
    world.obey()
    assert not world.drained()
    assert world.state() is NodeState.IDLE


def test_a_list_that_shows_an_older_tag_for_a_moment_takes_nothing_back() -> None:
    """Eventual consistency: the word that we wrote counts until a list has shown it."""
    world = up(shutdown_windows=(0.0, 60.0))
    world.say("compute1", Directive.HOLD)
    world.obey(SetWord)
    held = world.cloud["i-compute1"]
    world.cloud["i-compute1"] = replace(held, directive=None)
    world.cycle()
    assert not world.drained()
    world.cloud["i-compute1"] = held
    world.cycle()
    world.cloud["i-compute1"] = replace(held, directive=None)  # somebody has taken the tag away
    world.cycle(times=3)
    assert world.drained() == ["compute1"]


def test_a_held_node_serves_the_wish_and_another_goes() -> None:
    """It stays anyway."""
    world = World()
    world.node("compute1", directive=HELD)
    world.node("compute2")
    world.begin(*jobs(1))
    world.cycle(times=3)
    assert world.drained() == ["compute2"]


def test_hold_said_after_kill_spares_what_is_not_destroyed_yet() -> None:
    """The newest word replaces the older, also while the drain before a destroy is under way."""
    world = up(shutdown_windows=(0.0, 60.0))
    world.say("compute1", Directive.DRAIN)
    world.say("compute1", Directive.KILL)
    world.say("compute1", Directive.HOLD)
    world.obey(DrainNode, SetWord)
    world.cycle(times=3)
    assert not [step for step in world.steps if isinstance(step, DestroyNode)]


def test_a_held_node_that_was_stopped_and_is_gone_holds_no_place() -> None:
    """A hold keeps a node that is there; what no list shows any more is cleared, and its place is free."""
    world = up(shutdown_windows=(0.0, 60.0))
    world.say("compute1", Directive.HOLD)
    world.obey(SetWord)
    world.cloud["i-compute1"] = replace(world.cloud["i-compute1"], stopped=True)
    world.cycle(times=3)
    assert not [step for step in world.steps if isinstance(step, DestroyNode)]
    del world.cloud["i-compute1"]
    world.cycle(times=4)
    world.obey()
    world.cycle()
    assert not world.fleet.view.nodes


def test_a_held_node_that_no_list_ever_shows_is_not_destroyed() -> None:
    """Hold forbids every shutdown, of whatever cause; only its traces are cleared in the end."""
    world = World(policy(shutdown_windows=(0.0, 60.0)))
    world.begin(*jobs(1, SMALL))
    world.obey()
    (identity,) = world.cloud
    world.say(identity, Directive.HOLD)
    world.cloud.clear()
    world.jobs = ()
    for _ in range(40):
        world.obey()
        world.cycle()
    assert not [step for step in world.asked if isinstance(step, DestroyNode)]
    assert not world.fleet.view.nodes


def test_a_node_that_stops_while_its_shutdown_looks_at_it_is_destroyed() -> None:
    """It is listed, so clearing its traces alone would leave it to be paid for, for ever."""
    world = up()
    world.say("compute1", Directive.DRAIN)
    world.obey(DrainNode, SetWord)
    world.cloud["i-compute1"] = replace(world.cloud["i-compute1"], stopped=True)
    world.poll_cloud()
    world.poll_cloud()
    world.obey()
    assert world.destroyed() == ["i-compute1"]
