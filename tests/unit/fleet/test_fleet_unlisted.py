"""An error of the cloud that is in no table of ours is counted, and logged once."""

from __future__ import annotations

from world import World, jobs

from arvnodeman.fleet.messages import CreateNode, Poll, PollFailed
from arvnodeman.fleet.values.model import ErrorKind, RemoteError

BRAND_NEW = RemoteError(ErrorKind.TRANSIENT, "BrandNew: what is this", unlisted="BrandNew")


def told(world: World) -> list[str]:
    return [line for line in world.log(30) if "in none of our tables" in line]


def test_it_is_counted_each_time_and_logged_once() -> None:
    world = World()
    world.begin(*jobs(1))
    while others := {type(step) for step in world.steps} - {CreateNode}:
        world.obey(*others)
    world.fail(world.one(CreateNode), ErrorKind.REFUSED, BRAND_NEW.text, unlisted="BrandNew")
    for _ in range(3):
        world.tell(PollFailed(Poll.CLOUD, BRAND_NEW))
    world.cycle()
    said = "The cloud's error 'BrandNew' is in none of our tables, and counts as refused: BrandNew: what is this"
    assert told(world) == [said]
    assert world.fleet.view.counters["unknown_cloud_errors"] == 4
    assert world.fleet.view.unknown_errors == {"BrandNew": 4}


def test_each_has_its_line_and_they_do_not_fill_the_log() -> None:
    world = World().begin()
    for number in range(300):
        world.tell(PollFailed(Poll.CLOUD, RemoteError(ErrorKind.TRANSIENT, "odd", unlisted=f"New{number}")))
    assert len(told(world)) == len(world.fleet.view.unknown_errors) == 200


def test_one_that_is_known_is_neither() -> None:
    world = World().begin()
    world.tell(PollFailed(Poll.CLOUD, RemoteError(ErrorKind.TRANSIENT, "503")))
    world.cycle()
    assert not told(world)
    assert "unknown_cloud_errors" not in world.fleet.view.counters
