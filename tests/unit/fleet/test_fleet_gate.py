"""The gate: what may go out, and why not; what is told is what binds."""

from __future__ import annotations

from world import World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, PrepareRecord, SafeMode, StopAsked
from arvnodeman.fleet.values.gate import OPEN, Bar, Gate, Shut


def bars(world: World) -> list[Bar]:
    return [shut.bar for shut in world.fleet.view.gate.boots]


def test_before_the_first_lists_it_is_shut() -> None:
    assert bars(World()) == [Bar.OLD_LISTS, Bar.NO_SIZES]


def test_every_reason_is_kept_and_the_first_is_told() -> None:
    world = World(policy()).begin()
    assert world.fleet.view.gate is OPEN
    world.tell(SafeMode(world.now + 600))
    world.tell(StopAsked())
    assert bars(world) == [Bar.SAFE_MODE, Bar.STOPPING]
    assert world.fleet.view.blocked == "safe mode, after a series of quick ends"
    assert (world.fleet.view.safe_mode, world.fleet.view.stopping) == (True, True)


def test_what_shuts_requests_alone_lets_boots_begin() -> None:
    gate = Gate(requests=(Shut(Bar.OLD_LISTS, "lists are old"),))
    assert (gate.lets_boots, gate.lets_requests, gate.words) == (True, False, "")
    assert not gate.is_shut_by(Bar.OLD_LISTS)


def test_a_boot_under_way_waits_at_the_gate() -> None:
    world = World(policy()).begin(*jobs(1))
    assert world.open(PrepareRecord)
    world.tell(SafeMode(world.now + 600))
    world.obey()
    assert not world.open(CreateNode)
