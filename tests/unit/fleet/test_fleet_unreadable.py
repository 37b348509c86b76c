"""A create whose answer cannot be read may have made a node: one, and not seven for one job."""

from __future__ import annotations

import pytest
from world import MINUTE, ONE, World, jobs, policy

from arvnodeman.fleet.messages import ERROR, CreateNode, Decided, FindNode, FinishNode, ReleaseRecord
from arvnodeman.fleet.values.model import CloudNode, ErrorKind

SAID = "the cloud's answer to the create request cannot be read, and it may have made a node: it names no node: []"
REST = "the cloud's answers to create requests for it cannot be read"


def answer_badly(world: World, *, made: bool = True) -> None:
    """Creates are answered with what nobody understands; looking for a node finds none."""
    while True:
        world.obey(*[kind for kind in {type(step) for step in world.steps} if kind not in (CreateNode, FindNode)])
        for create in world.open(CreateNode):
            if made:
                world._create(create)
            world.fail(create, ErrorKind.UNREADABLE, SAID)
        for find in world.open(FindNode):
            world.done(find, None)
        if not world.steps:
            return


def up_to_create(world: World) -> None:
    """All is done but the creates."""
    while others := {type(step) for step in world.steps} - {CreateNode}:
        world.obey(*others)


def blind(count: int = 1, **options: float) -> World:
    """Jobs, and a cloud that makes nodes, and neither its answers nor its lists can be read."""
    world = World(policy(**{"max_price_factor": 9.0, **options}))
    world.begin(*jobs(count))
    answer_badly(world)
    return world


def polls(world: World, minutes: float) -> None:
    """Lists come, and show nothing."""
    for _ in range(int(minutes)):
        world.now += MINUTE
        world.poll_cloud(without=world.cloud)
        world.poll_records()
        world.poll_queue()
        answer_badly(world)


def test_no_second_one_is_asked_for_before_boot_fail_after() -> None:
    """Neither of its size nor of another: the job's node may be there."""
    world = blind()
    polls(world, 29)
    assert world.created() == ["small"]
    polls(world, 3)
    assert len(world.created()) == 2
    polls(world, 28)
    assert len(world.created()) == 2


def test_it_is_said_everywhere() -> None:
    world = blind()
    polls(world, 1)
    errors = world.log(ERROR)
    assert f"Actor error {SAID}" in errors
    assert any(REST in line and "rests for 1800 seconds" in line for line in errors)
    decided = {(note.kind, note.subject) for note in world.notes if note.level >= ERROR}
    assert decided >= {(Decided.BOOT_FAILED, "small"), (Decided.REST, "small")}
    view = world.fleet.view
    assert view.troubles["small"].words == SAID
    assert REST in view.backing_off["small"].words(view.t)
    (boot,) = view.operations
    assert "cannot be read" in boot.stage
    assert view.counters["boots_refused_unreadable"] == view.counters["create_node_errors"] == 1


def test_other_jobs_wait_with_the_reason() -> None:
    """Further creates of the size stop; those that wait for the cloud's turn, too."""
    world = blind(max_price_factor=1.0)
    world.jobs = jobs(4)
    polls(world, 5)
    assert world.created() == ["small"]
    assert REST in world.reason()


def test_boots_that_wait_for_their_turn_are_stopped() -> None:
    world = World(policy(max_price_factor=1.0))
    world.begin(*jobs(3))
    up_to_create(world)
    first = world.open(CreateNode)[0]
    for create in world.open(CreateNode)[1:]:
        world.fail(create, ErrorKind.TRANSIENT)
    world.fail(first, ErrorKind.UNREADABLE, SAID)
    for find in world.open(FindNode):
        world.done(find, None)
    world.wait(5)
    for find in world.open(FindNode):
        world.done(find, None)
    world.obey(ReleaseRecord)
    assert not world.open(CreateNode)
    assert [note.args for note in world.notes if note.kind is Decided.BOOT_STOPPED] == [(f"{REST} ({SAID})",)] * 2


def test_a_list_that_shows_its_node_ends_the_wait() -> None:
    """Then all goes on as if the answer had been read."""
    world = blind()
    polls(world, 3)
    world.cycle()
    (boot,) = world.fleet.view.operations
    assert world.one(FinishNode).node.id in world.cloud
    assert boot.node is not None
    world.obey()
    world.cycle()
    assert not world.fleet.view.operations
    assert not world.fleet.view.backing_off
    assert world.created() == ["small"]


def test_a_search_that_finds_its_node_is_as_good_as_an_answer() -> None:
    world = World()
    world.begin(*jobs(1))
    up_to_create(world)
    create = world.one(CreateNode)
    made: CloudNode = world._create(create)
    world.fail(create, ErrorKind.UNREADABLE, SAID)
    world.done(world.one(FindNode), made)
    world.obey()
    world.cycle()
    assert not world.fleet.view.backing_off
    assert world.created() == ["small"]


@pytest.mark.parametrize("kind", [ErrorKind.TRANSIENT, ErrorKind.UNEXPECTED, ErrorKind.REFUSED])
def test_a_search_that_fails_asks_for_no_second_one_either(kind: ErrorKind) -> None:
    world = World(policy(boot_attempts=2))
    world.begin(*jobs(1))
    up_to_create(world)
    world.fail(world.one(CreateNode), ErrorKind.UNREADABLE, SAID)
    for _ in range(20):
        for find in world.open(FindNode):
            world.fail(find, kind)
        polls(world, 1)
    assert world.created() == ["small"]


def test_what_may_be_there_counts_for_the_limits() -> None:
    world = blind(max_nodes=1)
    world.jobs = jobs(1, name="other")
    polls(world, 10)
    assert world.created() == ["small"]


def test_a_stop_does_not_wait_for_it() -> None:
    world = blind()
    assert world.fleet.boots_at_the_cloud == 0


def test_its_record_is_given_back_in_the_end() -> None:
    world = blind()
    world.jobs = ()
    polls(world, 29)
    assert [record.slot for record in world.records.values()] == [1]
    polls(world, 3)
    assert [record.slot for record in world.records.values()] == [None]
    assert not world.fleet.view.operations


def test_a_node_that_was_told_of_and_is_in_no_list_is_destroyed_and_its_size_rests() -> None:
    """As where [Cloud List] asks for what [Cloud Create] does not make: one is enough, and not five in a row."""
    world = World(policy(max_price_factor=1.0))
    world.begin(*jobs(1))
    world.obey()
    (identity,) = world.cloud
    for _ in range(40):
        world.now += MINUTE
        world.poll_cloud(without=world.cloud)
        world.poll_records()
        world.poll_queue()
        world.obey()
        if world.destroyed():
            break
    assert world.destroyed() == [identity]
    world.poll_queue()
    assert world.created() == ["small"]
    assert "no list of the cloud shows its nodes" in world.reason(ONE)
    assert any("does it match [Cloud List]?" in line for line in world.log(ERROR))
