"""One boot: a record with a slot, Slurm told, the cloud node, its last touches; and all that can fail on the way
(section 6 of the rules)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import BIG, EPOCH, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    FindNode,
    FinishNode,
    PrepareRecord,
    ReleaseRecord,
    Step,
    StepDone,
    StopAsked,
)
from arvnodeman.fleet.values.model import CloudNode, ErrorKind, JobShape, NodeState

TO_CREATE: tuple[type[Step], ...] = (PrepareRecord, DescribeNode)


def booting(count: int = 1, *, obey: tuple[type[Step], ...] = (), **options: Any) -> World:
    """Boots for small jobs, as far as these steps bring them."""
    world = World(policy(shutdown_windows=NEVER, **options)).begin(*jobs(count))
    if obey:
        world.obey(*obey)
    return world


def kinds(world: World) -> list[str]:
    return [type(step).__name__ for step in world.steps]


# ---- the way that it goes --------------------------------------------------------------------------------------------


def test_record_first_then_slurm_then_the_cloud_then_the_last_touches() -> None:
    """Row B9: slot and hostname are there before the cloud is asked."""
    world = booting()
    seen = []
    while world.steps:
        seen += kinds(world)
        world.obey(type(world.steps[0]))
    assert seen == ["PrepareRecord", "DescribeNode", "CreateNode", "FinishNode"]
    assert world.fleet.boots_at_the_cloud == 0
    create = next(step for step in world.asked if isinstance(step, CreateNode))
    assert (create.record.hostname, create.record.slot, create.size.id) == ("compute1", 1, "small")
    assert create.ping_secret.reveal() == "secret"
    assert "secret" not in repr(create).replace("ping_secret", "")


def test_the_intent_tells_size_price_token_and_time() -> None:
    """Row B14."""
    world = World().begin(*jobs(2), *jobs(1, BIG))
    intents = [step.intent for step in world.open(PrepareRecord)]
    assert [(intent.size, intent.price, intent.at) for intent in intents] == [
        ("small", 0.1, EPOCH), ("small", 0.1, EPOCH), ("large", 0.4, EPOCH)
    ]  # fmt: skip
    assert len({intent.token for intent in intents}) == 3


def test_the_same_token_names_the_create_request_and_what_looks_for_it() -> None:
    """Rows D7 and D8."""
    world = booting(obey=TO_CREATE)
    token = world.one(CreateNode).token
    intent = world.records["r-new1"].intent
    assert intent is not None
    assert intent.token == token
    world.fail(world.one(CreateNode))
    world.wait(1)
    assert world.one(FindNode).token == token
    world.done(world.one(FindNode), None)
    assert (world.one(CreateNode).token, world.one(CreateNode).attempt) == (token, 2)


def test_slurm_learns_feature_and_weight_before_the_node_exists() -> None:
    """Rows F11 and F17: the feature is the id of the size."""
    world = booting(obey=(PrepareRecord,))
    step = world.one(DescribeNode)
    assert (step.hostname, step.size, step.weight) == ("compute1", "small", 100)
    assert not world.open(CreateNode)


def test_without_the_slurm_dispatcher_slurm_is_not_told() -> None:
    """Row N5."""
    world = booting(obey=(PrepareRecord,), slurm=False)
    assert kinds(world) == ["CreateNode"]


def test_a_failure_to_tell_slurm_is_only_logged() -> None:
    """Row F19."""
    world = booting(obey=(PrepareRecord,))
    world.fail(world.one(DescribeNode), ErrorKind.REFUSED, "Invalid user id")
    assert kinds(world) == ["CreateNode"]
    assert "SLURM update compute1 failed: Invalid user id" in world.log(40)


# ---- which record ----------------------------------------------------------------------------------------------------


def with_old_records(*changes: dict[str, Any]) -> World:
    """Records that nobody has touched for longer than node_stale_after (10 minutes, here)."""
    world = World(policy(node_stale_after=600, shutdown_windows=NEVER))
    for number, change in enumerate(changes, start=50):
        world.node(f"compute{number}", slurm="down", responding=False)
        del world.cloud[f"i-compute{number}"]
        fields = {
            "instance_id": None,
            "first_ping_at": None,
            "last_ping_at": None,
            "modified_at": EPOCH - 300,
            **change,
        }
        world.change_record(f"compute{number}", **fields)
    world.begin()
    world.cycle(times=12)
    return world


def test_a_stale_record_is_taken_before_a_new_one_is_made() -> None:
    world = with_old_records({})
    world.cycle(*jobs(2))
    assert [step.reuse for step in world.open(PrepareRecord)] == ["r-compute50", None]


def test_one_that_still_has_a_slot_is_taken_first() -> None:
    """Row B7."""
    world = with_old_records({"slot": None, "hostname": None}, {}, {"slot": None, "hostname": None})
    world.cycle(*jobs(2))
    assert [step.reuse for step in world.open(PrepareRecord)] == ["r-compute51", "r-compute50"]


def test_no_record_is_given_to_two_boots() -> None:
    """Row B8."""
    world = with_old_records({})
    world.cycle(*jobs(1))
    world.cycle(*jobs(3), times=3)
    reused = [step.reuse for step in world.asked if isinstance(step, PrepareRecord)]
    assert reused.count("r-compute50") == 1


def test_a_record_used_a_short_while_ago_is_not_stale() -> None:
    """Row B8."""
    world = with_old_records({})
    world.cycle(*jobs(1))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY)
    world.obey(ReleaseRecord)
    world.cycle(*jobs(1, JobShape(size="large")), times=3)
    assert [step.reuse for step in world.open(PrepareRecord)] == [None]


@pytest.mark.parametrize(
    ("change", "listed", "said"),
    [
        pytest.param({"modified_at": EPOCH + 9 * MINUTE}, None, "down", id="modified lately"),
        pytest.param({"instance_id": "i-x"}, {"id": "i-x", "name": "other"}, "down", id="of a listed node, by id"),
        pytest.param({}, {"id": "i-y", "name": "compute50.zzzzz"}, "down", id="of a listed node, by its name"),
        pytest.param({}, None, "alloc", id="Slurm calls its hostname busy"),
    ],
)  # fmt: skip
def test_a_record_is_not_stale_when(change: dict[str, Any], listed: dict[str, str] | None, said: str) -> None:
    """Row B8: a live node whose ping secret changes halts itself."""
    world = with_old_records(change)
    if listed is not None:
        world.cloud["x"] = CloudNode(listed["id"], listed["name"], listed["id"], size_tag="small", start_time=world.now)
    world.says("compute50", said)
    world.cycle(times=2)
    world.cycle(*jobs(2, JobShape(size="large")))
    assert world.open(PrepareRecord)
    assert "r-compute50" not in [step.reuse for step in world.open(PrepareRecord)]


def test_a_prepare_that_failed_and_had_worked_is_found_by_its_token() -> None:
    """Row A7: the retry uses that record again, and makes no second one."""
    world = booting()
    step = world.one(PrepareRecord)
    world._prepare(step)
    world.fail(step)
    world.poll_records()
    world.wait(1)
    assert world.one(PrepareRecord).reuse == "r-new1"


# ---- created and listed ----------------------------------------------------------------------------------------------


def test_a_created_node_counts_as_booting_until_it_has_been_listed() -> None:
    """Row B1: and no second one is booted."""
    world = booting(obey=(*TO_CREATE, CreateNode, FinishNode))
    (identity,) = world.cloud
    for _ in range(5):
        world.now += MINUTE
        world.poll_cloud(without=[identity])
        world.poll_records()
        world.poll_queue()
    assert world.fleet.view.nodes[identity].state is NodeState.BOOTING
    assert world.prepared() == ["small"]
    world.cycle()
    assert world.fleet.view.nodes[identity].state is NodeState.UNPAIRED
    assert len(world.fleet.view.nodes) == 1


def test_one_that_is_never_listed_counts_for_boot_fail_after_and_is_then_destroyed() -> None:
    """Row B1: nothing leaks, if it is there after all."""
    world = booting(obey=(*TO_CREATE, CreateNode, FinishNode))
    (identity,) = world.cloud
    for minute in range(1, 33):
        world.now += MINUTE
        world.poll_cloud(without=[identity])
        world.poll_records()
        world.poll_queue()
        if minute == 29:
            assert world.prepared() == ["small"]
    world.obey()
    assert world.destroyed() == [identity]
    assert world.prepared() == ["small", "small"]


def test_a_node_that_is_listed_before_its_create_request_answers_is_the_same() -> None:
    """Row B1."""
    world = booting(obey=TO_CREATE)
    step = world.one(CreateNode)
    node = world._create(step)
    world.cycle()
    assert world.fleet.view.states["unpaired"] == 1
    assert world.fleet.view.states["booting"] == 0
    world.done(step, node)
    world.obey()
    world.cycle()
    assert len(world.fleet.view.nodes) == 1
    assert not world.fleet.view.operations


def test_the_size_is_the_one_that_was_asked_for() -> None:
    """Row D9: whatever the cloud's answer hangs on the node."""
    world = booting(obey=TO_CREATE)
    step = world.one(CreateNode)
    node = replace(world._create(step), size_tag=None, provider_size="something else")
    world.cloud[node.id] = node
    world.done(step, node)
    world.obey()
    world.poll_cloud()
    assert world.fleet.view.nodes[node.id].size == "small"
    assert world.fleet.view.nodes[node.id].price == 0.1


@pytest.mark.parametrize("named", [True, False])
def test_its_record_is_its_own_while_it_has_not_pinged(named: bool) -> None:
    """Row B6: also when the cloud does not show its name yet."""
    world = booting(obey=(*TO_CREATE, CreateNode, FinishNode))
    (identity,) = world.cloud
    if not named:
        world.cloud[identity] = replace(world.cloud[identity], name="", fqdn=None)
    world.cycle(times=10)
    assert not world.steps
    assert world.records["r-new1"].slot == 1


# ---- it ends once ----------------------------------------------------------------------------------------------------


def test_a_late_answer_to_an_operation_that_has_ended_changes_nothing() -> None:
    """Rows D6 and E9."""
    world = booting(obey=TO_CREATE)
    create = world.one(CreateNode)
    world.obey()
    world.cycle()
    before = (dict(world.fleet.view.states), world.fleet.view.operations)
    for step in [*world.asked, create]:
        world.tell(StepDone(step, None))
    world.cycle(every=0)
    assert (dict(world.fleet.view.states), world.fleet.view.operations) == before
    assert not world.steps


def test_a_result_of_the_wrong_kind_is_a_failure_and_raises_nothing() -> None:
    world = booting()
    world.done(world.one(PrepareRecord), None)
    world.cycle()
    assert any("brought no result" in line for line in world.log(40))


@pytest.mark.parametrize(
    ("reached", "left"),
    [
        pytest.param((), 0, id="before its record"),
        pytest.param((PrepareRecord,), 0, id="before Slurm is told"),
        pytest.param(TO_CREATE, 1, id="the cloud has been asked"),
        pytest.param((*TO_CREATE, CreateNode), 1, id="created"),
    ],
)
def test_an_orderly_stop_lets_boots_finish_that_have_reached_the_cloud(
    reached: tuple[type[Step], ...], left: int
) -> None:
    """Row D14: no node is lost, and nothing is begun."""
    world = booting(obey=reached)
    world.tell(StopAsked())
    assert world.fleet.boots_at_the_cloud == left
    world.obey()
    world.cycle(*jobs(5))
    assert world.fleet.boots_at_the_cloud == 0
    assert len(world.cloud) == left
    assert not world.steps
    assert world.fleet.view.stopping
    assert sum(record.slot is not None for record in world.records.values()) == left


def test_boots_are_held_when_the_room_is_gone_meanwhile() -> None:
    """Nodes that an earlier run began may yet appear."""
    world = booting(2, max_nodes=2, obey=(PrepareRecord,))
    world.node("compute9", slurm="alloc")
    world.node("compute8", slurm="alloc")
    world.poll_cloud()
    world.obey()
    assert len(world.cloud) == 2
    assert {record.slot for uuid, record in world.records.items() if "new" in uuid} == {None}


@pytest.mark.parametrize("answer", ["the node", "broken", "refused"])
def test_a_node_that_vanishes_before_its_create_request_answers_ends_the_boot(answer: str) -> None:
    """Rows D5 and D7: and no second node is asked for under its token."""
    world = booting(obey=TO_CREATE)
    step = world.one(CreateNode)
    node = world._create(step)
    world.cycle()
    world.cloud.clear()
    world.cycle(times=3)
    if answer == "the node":
        world.done(step, node)
    else:
        world.fail(step, ErrorKind.TRANSIENT if answer == "broken" else ErrorKind.REFUSED)
    world.jobs = ()
    for _ in range(40):
        world.obey()
        world.cycle()
    world.obey()
    assert not world.fleet.view.operations
    assert not world.fleet.view.nodes
    assert world.created() == ["small"]
    assert [record.slot for record in world.records.values()] == [None]


@pytest.mark.parametrize("failing", [PrepareRecord, ReleaseRecord])
def test_a_boot_that_is_being_stopped_ends_whatever_fails_then(failing: type[Step]) -> None:
    """Row N3."""
    world = booting(obey=(PrepareRecord,) if failing is ReleaseRecord else ())
    if failing is ReleaseRecord:
        world.done(world.one(DescribeNode))
        world.fail(world.one(CreateNode), ErrorKind.CAPACITY)
    world.jobs = ()
    world.cycle(every=1)
    world.fail(world.one(failing), ErrorKind.REFUSED)
    world.cycle(every=1)
    assert not [op for op in world.fleet.view.operations if op.kind == "boot"]


def test_a_boot_that_is_stopped_before_a_retry_sends_nothing_more() -> None:
    """Row N3."""
    world = booting()
    world.fail(world.one(PrepareRecord))
    world.jobs = ()
    world.cycle(every=0.5)
    world.poll_records()
    world.wait(60)
    world.poll_cloud()
    assert not world.steps
    assert not world.fleet.view.operations


def test_a_create_that_fails_for_a_node_that_is_listed_leaves_it_its_record() -> None:
    """Row B6."""
    world = booting(obey=TO_CREATE)
    step = world.one(CreateNode)
    world._create(step)
    world.cycle()
    world.fail(step, ErrorKind.REFUSED)
    world.cycle(times=3)
    assert not world.steps
    assert not world.fleet.view.operations
    assert world.fleet.view.states["unpaired"] == 1
    assert world.records["r-new1"].slot == 1
