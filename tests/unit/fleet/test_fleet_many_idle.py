"""Many nodes that go at one time: what is asked for them is asked for in the same moment, so that one command can."""

from __future__ import annotations

from world import World, policy

from arvnodeman.fleet.messages import DestroyNode, DrainNode, LookAtNode, NodeSeen, ReleaseRecord, SetNodeDown, Step
from arvnodeman.fleet.operations.shutdown_stages import MANY
from arvnodeman.slurm.words import node_work

COUNT = MANY + 4


def idle(count: int = COUNT) -> World:
    """So many idle nodes that nobody wants, drained: the looks at them wait for their answers."""
    world = World(policy(max_nodes=count))
    for number in range(1, count + 1):
        world.node(f"compute{number}")
    world.begin()
    world.cycle()
    drains = world.open(DrainNode)
    assert len(drains) == count
    for drain in drains:
        world.done(drain)
    return world


def see(world: World, state: str, *, jobs: int = 0, seconds: float = 0.0) -> None:
    """Slurm's answer about each node, so many seconds apart."""
    for step in world.open(LookAtNode):
        reason = f"Node Manager shutdown (i-{step.hostname})"
        world.now += seconds
        world.done(step, NodeSeen(node_work(step.hostname, state, reason=reason), jobs if step.jobs else None))
    marked(world)


def marked(world: World) -> None:
    """Those that go are marked, and nothing has changed after that."""
    for mark in world.open(DrainNode):
        world.done(mark)
        (look,) = [step for step in world.open(LookAtNode) if step.op == mark.op]
        world.done(look, NodeSeen(node_work(mark.hostname, "drain", reason=mark.reason), 0))


def times_of(world: World, kind: type[Step], seconds: float) -> dict[float, int]:
    """When steps of a kind are sent in the next seconds, and how many."""
    begin, found, before = world.now, dict[float, int](), len(world.open(kind))
    while world.now < begin + seconds:
        world.wait(0.25)
        sent = len(world.open(kind)) - before
        if sent:
            found[world.now - begin] = sent
            before += sent
    return found


def test_nodes_that_work_still_are_asked_about_in_the_same_moment() -> None:
    """Whenever each was answered for the last time: one listing tells of all."""
    world = idle()
    see(world, "drng", seconds=0.3)
    found = times_of(world, LookAtNode, 20)
    assert list(found.values()) == [COUNT]
    assert 5 <= next(iter(found)) <= 10


def test_one_node_alone_is_asked_about_at_its_own_time() -> None:
    world = idle(1)
    see(world, "drng")
    assert times_of(world, LookAtNode, 25) == {10.0: 1}


def test_the_first_nodes_are_destroyed_while_others_work_or_drain() -> None:
    world = idle()
    first = world.open(LookAtNode)[0]
    world.done(first, NodeSeen(node_work(first.hostname, "drain"), 0))
    marked(world)
    assert world.one(DestroyNode).node.name == f"{first.hostname}.zzzzz"


def test_what_was_destroyed_in_one_second_is_set_down_together() -> None:
    world = idle()
    see(world, "drain")
    for destroy in world.open(DestroyNode)[:-1]:
        world.now += 0.01
        world.done(destroy)
    assert not world.open(SetNodeDown)
    assert list(times_of(world, SetNodeDown, 3).values()) == [COUNT - 1]
    for down in world.open(SetNodeDown):
        world.done(down)
    assert len(world.open(ReleaseRecord)) == COUNT - 1


def test_a_node_that_goes_with_few_others_is_set_down_at_once() -> None:
    world = idle(MANY)
    see(world, "drain")
    world.done(world.open(DestroyNode)[0])
    assert len(world.open(SetNodeDown)) == 1


def test_each_of_them_is_asked_about_after_its_own_drain_and_none_goes_while_it_works() -> None:
    world = idle()
    works, unknown, *others = world.open(LookAtNode)
    world.done(works, NodeSeen(node_work(works.hostname, "drain"), 1))
    world.done(unknown, NodeSeen(node_work(unknown.hostname, "unk"), 0))
    for step in others:
        world.done(step, NodeSeen(node_work(step.hostname, "drain"), 0))
    marked(world)
    gone = {step.node.name.partition(".")[0] for step in world.open(DestroyNode)}
    assert gone == {step.hostname for step in others}
