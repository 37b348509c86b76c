"""Scenes of the ends of nodes, by us, by operators and by themselves: what is said of them."""

from __future__ import annotations

from transcript import Written
from world import ALWAYS, HELD, MINUTE, NEVER, jobs, policy

from arvnodeman.fleet.messages import (
    DestroyNode,
    DrainNode,
    LookAtNode,
    LookForNode,
    NodeSeen,
    PrepareRecord,
    ReleaseRecord,
    ResumeNode,
    SafeMode,
    SetNodeDown,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind
from arvnodeman.slurm.words import node_work

HINT = "[Cloud Credentials] key"
SHUTDOWN = "Node Manager shutdown (i-compute1)"


def going(**options: object) -> Written:
    """The shutdown of an idle node begins; what follows is written down."""
    world = Written(policy(**options))
    world.node()
    world.begin()
    world.forget()
    world.cycle()
    return world


def a_shutdown_that_works() -> Written:
    world = going()
    world.obey()
    world.cycle(times=2)
    return world


def a_shutdown_that_is_taken_back() -> Written:
    world = going()
    world.obey(DrainNode)
    world.poll_queue(*jobs(1))
    world.done(world.one(LookAtNode), NodeSeen(node_work("compute1", "drain", reason=SHUTDOWN), 0))
    world.obey(LookAtNode, ResumeNode)
    world.cycle()
    return world


def drains_and_resumes_that_fail() -> Written:
    world = going()
    world.fail(world.one(DrainNode), ErrorKind.TRANSIENT, "no answer")
    world.wait(2)
    world.obey(DrainNode)
    world.fail(world.one(LookAtNode), ErrorKind.REFUSED, "scontrol: error")
    world.poll_queue(*jobs(1))
    world.wait(20)
    world.obey(LookAtNode)
    world.fail(world.one(ResumeNode), ErrorKind.REFUSED, "not allowed")
    world.cycle()
    return world


def a_destroy_that_fails() -> Written:
    world = going()
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.TRANSIENT, "no answer")
    world.fail(world.one(LookForNode), ErrorKind.TRANSIENT, "no answer")
    world.wait(2)
    world.fail(world.one(LookForNode), ErrorKind.REFUSED, "UnauthorizedOperation", hint=HINT)
    world.cycle(times=2)
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.UNEXPECTED, "KeyError: 'x'")
    world.obey(LookForNode)
    world.cycle()
    return world


def traces_that_cannot_be_cleared() -> Written:
    world = going(boot_attempts=2)
    world.obey(DrainNode, LookAtNode, DestroyNode)
    world.fail(world.one(SetNodeDown), ErrorKind.TRANSIENT, "no answer")
    world.wait(2)
    world.fail(world.one(SetNodeDown), ErrorKind.TRANSIENT, "no answer")
    world.fail(world.one(ReleaseRecord), ErrorKind.TRANSIENT, "no answer")
    world.wait(2)
    world.fail(world.one(ReleaseRecord), ErrorKind.REFUSED, "not allowed")
    world.cycle(times=2)
    return world


def a_node_that_somebody_resumes() -> Written:
    world = going()
    world.obey(DrainNode)
    for _ in range(3):
        for step in world.open(LookAtNode):
            world.done(step, NodeSeen(node_work("compute1", "idle"), 0))
        world.wait(10)
    world.cycle()
    return world


def nodes_that_do_not_work() -> Written:
    world = Written(policy(shutdown_windows=ALWAYS))
    world.node("compute1", slurm="down", reason="Not responding")
    world.node("compute2", slurm="fail")
    world.node("compute3", slurm=None, record=False)
    world.node("compute4", slurm="idle", size="gone")
    world.node("compute5", slurm=None)
    world.begin()
    world.cycle(times=2)
    world.obey()
    world.cycle()
    return world


def a_node_that_is_gone() -> Written:
    world = Written(policy(shutdown_windows=NEVER))
    for number in range(1, 5):
        world.node(f"compute{number}", slurm="alloc" if number == 2 else "down")
    world.begin()
    world.forget()
    world.silent.update({"r-compute1", "r-compute2"})
    del world.cloud["i-compute1"], world.cloud["i-compute2"]
    world.cycle(times=3)
    world.obey()
    world.cycle(every=10 * MINUTE, times=3)
    return world


def a_node_that_the_cloud_lists_for_ever() -> Written:
    world = going(boot_fail_after=300.0)
    cloud = dict(world.cloud)
    world.obey()
    world.cloud.update(cloud)
    world.cycle(times=7)
    return world


def nodes_that_stop_by_themselves() -> Written:
    world = Written(policy(shutdown_windows=NEVER))
    for number in (1, 2, 3):
        world.node(f"compute{number}", slurm="alloc")
    world.begin()
    world.forget()
    world.change_cloud("compute1", stopped=True)
    world.change_cloud("compute2", stopped=True, directive=HELD)
    world.cycle(times=2)
    world.obey()
    del world.cloud["i-compute3"]
    world.silent.add("r-compute3")
    world.says("compute3", "down", responding=False)
    world.cycle(times=3)
    world.obey()
    world.cycle()
    return world


def a_node_held_by_its_tag_at_the_last_moment() -> Written:
    world = going()
    world.obey(DrainNode)
    world.change_cloud("compute1", directive=HELD)
    world.poll_cloud()
    world.obey(LookAtNode, ResumeNode)
    world.cycle(times=2)
    return world


def a_drain_that_somebody_overwrote() -> Written:
    """It is taken back by us, and stays as somebody said."""
    world = going()
    world.obey(DrainNode)
    world.says("compute1", "drain", reason="a disk")
    world.poll_queue(*jobs(1))
    world.obey(LookAtNode)
    world.cycle(times=3)
    return world


def a_resume_that_finds_no_node() -> Written:
    world = going()
    world.obey(DrainNode)
    world.poll_queue(*jobs(1))
    world.obey(LookAtNode)
    world.fail(world.one(ResumeNode), ErrorKind.GONE, "no such node")
    world.cycle()
    return world


def a_hold_a_drain_and_a_kill_one_after_the_other() -> Written:
    world = going()
    world.say("compute1", Directive.HOLD, "mine")
    world.obey()
    world.cycle()
    world.say("compute1", Directive.DRAIN, "yours")
    world.say("compute1", Directive.KILL, "nobody's")
    world.obey()
    world.cycle(times=2)
    return world


def drained_before_a_restart_and_one_of_two_is_wanted() -> Written:
    world = Written(policy())
    for number in (1, 2):
        world.node(f"compute{number}", slurm="drain", reason=f"Node Manager shutdown (i-compute{number})")
    world.sizes()
    world.forget()
    world.poll_queue(*jobs(1))
    world.poll_cloud()
    world.poll_records()
    world.obey(LookAtNode, DrainNode, DestroyNode)
    return world


def answers_that_bring_nothing() -> Written:
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode))
    world.wait(10)
    world.obey(LookAtNode, DrainNode, DestroyNode, SetNodeDown, ReleaseRecord)
    world.poll_queue(*jobs(1))
    world.done(world.one(PrepareRecord))
    world.wait(10)
    return world


def a_kill_while_a_drain_is_taken_back() -> Written:
    world = going()
    world.obey(DrainNode)
    world.poll_queue(*jobs(1))
    world.obey(LookAtNode)
    world.say("compute1", Directive.KILL, "smoke")
    world.obey(ResumeNode, DestroyNode)
    return world


def an_earlier_runs_boot_while_safe_mode_lasts() -> Written:
    world = Written(policy(shutdown_windows=NEVER)).begin(*jobs(1))
    world.obey(PrepareRecord)
    world.restart()
    world.forget()
    world.begin()
    world.tell(SafeMode(world.now + 600))
    return world


SCENES = (
    a_shutdown_that_works,
    a_shutdown_that_is_taken_back,
    drains_and_resumes_that_fail,
    a_destroy_that_fails,
    traces_that_cannot_be_cleared,
    a_node_that_somebody_resumes,
    nodes_that_do_not_work,
    a_node_that_is_gone,
    a_node_that_the_cloud_lists_for_ever,
    nodes_that_stop_by_themselves,
    a_node_held_by_its_tag_at_the_last_moment,
    a_drain_that_somebody_overwrote,
    a_resume_that_finds_no_node,
    a_hold_a_drain_and_a_kill_one_after_the_other,
    drained_before_a_restart_and_one_of_two_is_wanted,
    answers_that_bring_nothing,
    a_kill_while_a_drain_is_taken_back,
    an_earlier_runs_boot_while_safe_mode_lasts,
)
