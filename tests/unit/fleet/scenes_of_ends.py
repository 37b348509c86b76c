"""Scenes of the ends of nodes, of operators, of lists that lie, and of limits: what is said of them."""

from __future__ import annotations

from transcript import Written
from world import ALWAYS, EPOCH, HELD, MINUTE, NEVER, OFFERS, SECTIONS, jobs, policy

from arvnodeman.fleet.messages import (
    DescribeNode,
    DestroyNode,
    DrainNode,
    ListSizes,
    LookAtNode,
    LookForNode,
    NodeSeen,
    PolicyChanged,
    Poll,
    PrepareRecord,
    ReleaseRecord,
    ResumeNode,
    SafeMode,
    SetNodeDown,
    SetWord,
    SyncFqdn,
)
from arvnodeman.fleet.model import ErrorKind, JobShape, SizeSection, SlurmNode, Word

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


# ---- the end of a node -----------------------------------------------------------------------------------------------


def a_shutdown_that_works() -> Written:
    world = going()
    world.obey()
    world.cycle(times=2)
    return world


def a_shutdown_that_is_taken_back() -> Written:
    world = going()
    world.obey(DrainNode)
    world.poll_queue(*jobs(1))
    world.done(world.one(LookAtNode), NodeSeen(SlurmNode("compute1", "drain", reason=SHUTDOWN), 0))
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
            world.done(step, NodeSeen(SlurmNode("compute1", "idle"), 0))
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
        world.node(f"compute{number}", slurm="alloc" if number == 2 else "down*")
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
    world.change_cloud("compute2", stopped=True, word=HELD)
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
    world.change_cloud("compute1", word=HELD)
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
    world.say("compute1", Word.HOLD, "mine")
    world.obey()
    world.cycle()
    world.say("compute1", Word.DRAIN, "yours")
    world.say("compute1", Word.KILL, "nobody's")
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
    world.obey(LookAtNode, DestroyNode)
    return world


def answers_that_bring_nothing() -> Written:
    world = going()
    world.obey(DrainNode)
    world.done(world.one(LookAtNode))
    world.wait(10)
    world.obey(LookAtNode, DestroyNode, SetNodeDown, ReleaseRecord)
    world.poll_queue(*jobs(1))
    world.done(world.one(PrepareRecord))
    world.wait(10)
    return world


# ---- words, lists and modes ------------------------------------------------------------------------------------------


def operators_words() -> Written:
    world = Written(policy(shutdown_windows=ALWAYS))
    for number in (1, 2, 3, 4):
        world.node(f"compute{number}", slurm="alloc")
    world.begin()
    world.forget()
    world.say("compute1", Word.HOLD, "mine")
    world.say("compute2", Word.DRAIN, "a disk")
    world.say("compute3", Word.KILL, "smoke")
    world.say("compute9", Word.RUN)
    for step in world.open(SetWord):
        world.fail(step, ErrorKind.REFUSED, "no tags for you: 100 %s")
    world.cycle()
    world.obey()
    world.say("compute2", Word.RUN)
    world.say("compute1", Word.RUN)
    world.cycle()
    world.obey()
    return world


def small_things_that_fail() -> Written:
    """Feature and name of a node are told again, each after a wait of its own."""
    world = Written(policy(shutdown_windows=NEVER))
    world.node(slurm="alloc", size="large", fqdn="other.zzzzz")
    world.says("compute1", "alloc", size="small")
    world.begin()
    for _ in range(4):
        for kind in (DescribeNode, SyncFqdn):
            for step in world.open(kind):
                world.fail(step, ErrorKind.TRANSIENT, f"{kind.__name__} broke: 100 %s")
        world.cycle()
    world.obey()
    world.cycle()
    world.obey()
    return world


def lists_that_lie() -> Written:
    world = Written(policy(shutdown_windows=NEVER))
    for number in range(1, 7):
        world.node(f"compute{number}", slurm="alloc")
    world.begin()
    world.forget()
    world.poll_cloud(without=[f"i-compute{number}" for number in range(1, 6)], offset=90.0)
    world.poll_records(without=[f"r-compute{number}" for number in range(1, 6)], offset=-40.0)
    world.poll_queue()
    world.cycle()
    world.poll_fails(Poll.CLOUD)
    world.poll_fails(Poll.CLOUD)
    world.poll_fails(Poll.RECORDS, slurm=True)
    world.poll_fails(Poll.QUEUE)
    for number in range(1, 7):
        world.says(f"compute{number}", "down", responding=False)
    world.cycle()
    world.now += 700
    world.poll_queue()
    return world


def records_without_nodes() -> Written:
    world = Written(policy(shutdown_windows=NEVER))
    world.node("compute1", slurm="alloc")
    world.node("compute2", slurm="down*")
    world.node("compute3", slurm="alloc")
    del world.cloud["i-compute2"], world.cloud["i-compute3"]
    world.silent.add("r-compute2")
    world.now += 3600
    world.begin()
    world.cycle(times=2)
    world.obey()
    world.cycle()
    return world


def nodes_not_heard_of() -> Written:
    world = Written(policy(shutdown_windows=NEVER))
    world.node("compute1", slurm="alloc", word=HELD)
    world.node("compute2", slurm="mix")
    world.begin()
    world.forget()
    world.silent.update({"r-compute1", "r-compute2"})
    world.says("compute2", "mix", responding=False)
    world.cycle(every=10 * MINUTE, times=14)
    world.cycle()
    return world


def safe_mode_and_other_options() -> Written:
    world = Written(policy(shutdown_windows=ALWAYS))
    world.node()
    world.sizes()
    world.tell(SafeMode(EPOCH + 200))
    world.cycle(*jobs(2, JobShape(cores=4)), times=3)
    world.tell(PolicyChanged(policy(max_nodes=1, sections=(*SECTIONS, SizeSection("new", 1, "new")))))
    world.offers = OFFERS
    world.wait(1)
    world.obey(ListSizes)
    world.cycle(times=2)
    return world


def limits_on_price_and_number() -> Written:
    world = Written(policy(shutdown_windows=NEVER, max_total_price=0.5))
    world.begin(*jobs(1, JobShape(cores=4)), *jobs(3), *jobs(2, JobShape(cores=2), name="next"))
    world.obey()
    world.cycle()
    world.tell(PolicyChanged(policy(shutdown_windows=NEVER, max_nodes=2)))
    world.cycle()
    return world


def room_made_for_another_size() -> Written:
    world = Written(policy(shutdown_windows=NEVER, max_nodes=2, min_nodes=1))
    world.node("compute1")
    world.node("compute2")
    world.begin()
    world.cycle(times=2)
    world.forget()
    world.cycle(*jobs(1, JobShape(cores=4)), times=2)
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
    drained_before_a_restart_and_one_of_two_is_wanted,
    answers_that_bring_nothing,
    a_hold_a_drain_and_a_kill_one_after_the_other,
    operators_words,
    small_things_that_fail,
    lists_that_lie,
    records_without_nodes,
    nodes_not_heard_of,
    safe_mode_and_other_options,
    limits_on_price_and_number,
    room_made_for_another_size,
)
