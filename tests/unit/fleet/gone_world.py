"""A node that no list of the cloud shows any more, for the tests of what follows."""

from __future__ import annotations

from typing import Any

from world import MINUTE, NEVER, World, policy


def lost(said: str = "alloc", *, responding: bool = True, pings: bool = False, **options: Any) -> World:
    """A node that no list shows from now on."""
    world = World(policy(**{"shutdown_windows": NEVER, **options}))
    world.node(slurm=said)
    world.node("compute2", slurm="alloc")
    world.begin()
    world.cycle()
    world.says("compute1", said, responding=responding)
    if not pings:
        world.silent.add("r-compute1")
    return world


def without(world: World, *, times: int = 1, record: bool = True) -> None:
    """The cloud's list lacks compute1; a node poll follows a little later, which has its record or not."""
    for _ in range(times):
        world.now += MINUTE - 1
        world.poll_cloud(without=["i-compute1"])
        world.now += 1
        world.poll_records(without=() if record else ["r-compute1"])
        world.poll_queue()


def traces_cleared(world: World) -> bool:
    return world.records["r-compute1"].slot is None
