"""Scenes of operators, of lists that lie, and of limits: what is said of them."""

from __future__ import annotations

from transcript import Written
from world import ALWAYS, EPOCH, HELD, MINUTE, NEVER, OFFERS, SECTIONS, jobs, policy

from arvnodeman.fleet.messages import (
    DescribeNode,
    ListSizes,
    PolicyChanged,
    Poll,
    SafeMode,
    SetWord,
    SyncFqdn,
)
from arvnodeman.fleet.values.model import Directive, ErrorKind, JobShape, SizeSection

HINT = "[Cloud Credentials] key"


def operators_words() -> Written:
    world = Written(policy(shutdown_windows=ALWAYS))
    for number in (1, 2, 3, 4):
        world.node(f"compute{number}", slurm="alloc")
    world.begin()
    world.forget()
    world.say("compute1", Directive.HOLD, "mine")
    world.say("compute2", Directive.DRAIN, "a disk")
    world.say("compute3", Directive.KILL, "smoke")
    world.say("compute9", Directive.RUN)
    for step in world.open(SetWord):
        world.fail(step, ErrorKind.REFUSED, "no tags for you: 100 %s")
    world.cycle()
    world.obey()
    world.say("compute2", Directive.RUN)
    world.say("compute1", Directive.RUN)
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
    world.node("compute2", slurm="down")
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
    world.node("compute1", slurm="alloc", directive=HELD)
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
    operators_words,
    small_things_that_fail,
    lists_that_lie,
    records_without_nodes,
    nodes_not_heard_of,
    safe_mode_and_other_options,
    limits_on_price_and_number,
    room_made_for_another_size,
)
