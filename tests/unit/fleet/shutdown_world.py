"""A node whose shutdown has begun, for the tests that follow it to its end."""

from __future__ import annotations

from typing import Any

from world import World, policy

from arvnodeman.fleet.messages import DrainNode, LookAtNode, NodeSeen
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.slurm.words import node_work

SHUTDOWN = "Node Manager shutdown (i-compute1)"
REMOVAL = "Node Manager removal (i-compute1)"
MARK = "Node Manager destroy (i-compute1)"
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


def looks(world: World, *answers: str | None, jobs: int = 0, reason: str = SHUTDOWN) -> None:
    """Slurm's answers when it is asked of the node, one after the other, ten seconds apart; with the jobs on it, where
    it is asked for those too. Where the node is marked because of that, it is so, and nothing has changed after it."""
    for answer in answers:
        world.wait(10)
        seen = None
        if answer is not None:
            seen = node_work("compute1", answer.rstrip("*"), not answer.endswith("*"), reason=reason)
        step = world.one(LookAtNode)
        world.done(step, NodeSeen(seen, jobs if step.jobs and seen is not None else None))
        for again in world.open(LookAtNode):
            if again.jobs and not step.jobs:
                world.done(again, NodeSeen(seen, jobs))
        for mark in world.open(DrainNode):
            if mark.reason == MARK:
                world.done(mark)
                world.done(world.one(LookAtNode), NodeSeen(seen, jobs if seen is not None else None))


def kinds(world: World) -> list[str]:
    """The kinds of the steps that wait for an answer."""
    return [type(step).__name__ for step in world.steps]
