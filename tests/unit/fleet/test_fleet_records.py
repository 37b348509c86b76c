"""Records that no node stands behind: boots of an earlier run, slots to give back (sections 6 and 7 of the rules)."""

from __future__ import annotations

from typing import Any

import pytest
from world import EPOCH, HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import PrepareRecord, ReleaseRecord, SetNodeDown
from arvnodeman.fleet.values.model import BootIntent, CloudNode, ErrorKind, JobShape, NodeRecord

SMALL = JobShape(size="small")


def alone(said: str | None = "down", *, responding: bool = False, **fields: Any) -> World:
    """A record with a slot and no node; nothing has moved on it for two hours."""
    world = World(policy(shutdown_windows=NEVER))
    world.node(slurm=said, responding=responding)
    world.cloud.clear()
    old = EPOCH - 2 * HOUR
    stamps = {"created_at": old, "modified_at": old, "first_ping_at": old, "last_ping_at": old}
    world.change_record("compute1", **{**stamps, **fields})
    return world


def cleaned(world: World) -> bool:
    return world.records["r-compute1"].slot is None


# ---- slots never leak ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lists", "begun"), [(1, False), (2, True)])
def test_a_record_without_a_node_in_two_lists_is_cleaned(lists: int, begun: bool) -> None:
    """Row B6: across kills of the daemon, too."""
    world = alone().begin()
    world.cycle(times=lists - 1)
    assert bool(world.steps) is begun


def test_a_list_that_has_not_come_yet_lacks_nothing() -> None:
    """Row B6: after a start the records may come first, and the first list of the cloud may lie."""
    world = alone()
    world.sizes()
    for _ in range(2):
        world.poll_records()
        world.poll_cloud()
        world.poll_queue()
        world.now += MINUTE
    assert not world.steps
    world.poll_records()
    assert world.one(SetNodeDown).hostname == "compute1"


def test_its_slurm_node_is_set_down_first_with_a_reason_that_names_the_instance() -> None:
    world = alone().begin()
    world.cycle()
    down = world.one(SetNodeDown)
    assert (down.hostname, down.reason) == ("compute1", "Node Manager removal (i-compute1)")
    assert not world.open(ReleaseRecord)
    world.obey()
    assert cleaned(world)
    assert any("Cleaning node record r-compute1 (compute1): it has no node" in line for line in world.log())


@pytest.mark.parametrize(
    ("said", "responding", "cleans"),
    [
        ("alloc", True, False),
        ("mix", True, False),
        ("comp", True, False),
        ("drng", True, False),
        ("alloc", False, True),  # with a `*`
        ("idle", True, True),
        ("down", False, True),
        (None, True, True),  # Slurm does not know it
    ],
)
def test_not_while_slurm_calls_its_hostname_busy(said: str | None, responding: bool, cleans: bool) -> None:
    world = alone(said, responding=responding).begin()
    world.cycle(times=3)
    world.obey()
    assert cleaned(world) is cleans


@pytest.mark.parametrize("stamp", ["created_at", "modified_at", "last_ping_at"])
@pytest.mark.parametrize(("minutes", "cleans"), [(24, False), (31, True)])
def test_not_while_something_moved_within_boot_fail_after(stamp: str, minutes: float, cleans: bool) -> None:
    moved: dict[str, Any] = {stamp: EPOCH - minutes * MINUTE}
    world = alone(**moved).begin()
    world.cycle(times=4)
    world.obey()
    assert cleaned(world) is cleans


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param({"id": "i-compute1", "name": "x"}, id="by id, though it does not pair"),
        pytest.param({"id": "i-2", "name": "compute1.zzzzz"}, id="by name"),
    ],
)
def test_not_while_a_listed_node_is_its_by_id_or_name(listed: dict[str, str]) -> None:
    """Row B6."""
    world = alone(instance_id=listed["id"])
    world.cloud["x"] = CloudNode(
        listed["id"], listed["name"], listed["id"], size_tag="small", start_time=EPOCH - 60
    )  # fmt: skip
    world.begin()
    world.cycle(times=9)
    assert not world.steps


def test_a_record_without_a_slot_is_left_alone() -> None:
    world = alone(slot=None, hostname=None).begin()
    world.cycle(times=5)
    assert not world.steps


def test_a_name_that_another_node_goes_by_is_not_set_down() -> None:
    world = alone()
    world.records["r-twin"] = NodeRecord(
        "r-twin", "compute1", "zzzzz", 2, "i-twin", EPOCH, EPOCH, EPOCH, EPOCH
    )  # fmt: skip
    world.cloud["i-twin"] = CloudNode("i-twin", "twin", "i-twin", size_tag="small", start_time=EPOCH - 60)
    world.says("compute1", "down")
    world.begin()
    world.cycle(times=2)
    world.obey(ReleaseRecord)
    assert cleaned(world)
    assert not [step for step in world.asked if isinstance(step, SetNodeDown)]


@pytest.mark.parametrize(("kind", "later"), [(ErrorKind.TRANSIENT, False), (ErrorKind.REFUSED, True)])
def test_a_cleaning_that_fails_is_tried_again(kind: ErrorKind, later: bool) -> None:
    """At once when that makes sense, else at a later node poll."""
    world = alone().begin()
    world.cycle()
    world.fail(world.one(SetNodeDown), kind)
    if later:
        world.cycle(times=2)
    else:
        world.wait(2)
    world.obey()
    assert cleaned(world)


@pytest.mark.parametrize("sign", ["listed", "works"])
def test_a_cleaning_is_not_tried_again_when_the_node_turns_up(sign: str) -> None:
    world = alone()
    node = CloudNode("i-compute1", "compute1", "i-compute1", "compute1.zzzzz", "small", start_time=EPOCH - 3 * HOUR)
    world.begin()
    world.cycle()
    world.fail(world.one(SetNodeDown))
    if sign == "listed":
        world.cloud[node.id] = node
    world.says("compute1", "idle" if sign == "listed" else "alloc")
    world.now += 0.5
    world.poll_cloud()
    world.poll_records()
    world.wait(60)
    assert not world.open(SetNodeDown)
    assert not cleaned(world)


def test_what_slurm_does_not_know_any_more_needs_no_down() -> None:
    world = alone().begin()
    world.cycle()
    world.fail(world.one(SetNodeDown), ErrorKind.GONE)
    world.obey()
    assert cleaned(world)


def test_on_lists_that_are_old_nothing_is_cleaned() -> None:
    """Row A22."""
    world = alone().begin()
    world.now += 700  # the queue has not come since
    for _ in range(5):
        world.now += MINUTE
        world.poll_cloud()
        world.poll_records()
    assert not world.steps
    world.poll_queue()
    world.poll_records()
    assert world.open(SetNodeDown)


# ---- boots of an earlier run -----------------------------------------------------------------------------------------


def prepared(minutes: float, **fields: Any) -> World:
    """A record that an earlier run prepared for a small node, so long ago."""
    at = EPOCH - minutes * MINUTE
    intent = BootIntent("small", 0.1, "old-token", at)
    defaults: dict[str, Any] = {"created_at": at, "modified_at": at, "first_ping_at": None, "last_ping_at": None}
    return alone(**{**defaults, "instance_id": None, "intent": intent, **fields})


@pytest.mark.parametrize(("minutes", "counts"), [(1, True), (14, True), (15.1, False), (40, False)])
def test_a_record_prepared_within_15_minutes_counts_as_a_booting_node(minutes: float, counts: bool) -> None:
    """A restart knows what is coming."""
    world = prepared(minutes).begin(*jobs(1, SMALL))
    assert world.prepared() == ([] if counts else ["small"])
    assert world.fleet.view.states["booting"] == 1  # that one, or the new


def test_it_counts_for_the_limits_too() -> None:
    world = prepared(1)
    world.policy = policy(max_nodes=1)
    world.restart()
    world.begin(*jobs(1, JobShape(size="large")))
    assert not world.prepared()
    assert "max_nodes of 1" in world.reason(JobShape(size="large"))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"first_ping_at": EPOCH, "last_ping_at": EPOCH}, id="it has pinged"),
        pytest.param({"intent": None}, id="it tells no intent"),
    ],
)
def test_it_does_not_count_when(fields: dict[str, Any]) -> None:
    world = prepared(1, **fields).begin(*jobs(1, SMALL))
    assert world.prepared() == ["small"]


def test_when_its_node_is_listed_that_counts_and_nothing_twice() -> None:
    world = prepared(1)
    world.cloud["i-1"] = CloudNode(
        "i-1", "compute1.zzzzz", "i-1", size_tag="small", start_time=EPOCH, token="old-token"
    )
    world.begin(*jobs(2, SMALL))
    assert world.prepared() == ["small"]
    assert world.fleet.view.states["unpaired"] == 1


def test_when_it_never_comes_its_slot_is_given_back() -> None:
    """Row B6."""
    world = prepared(1).begin()
    world.cycle(times=28)
    assert not world.steps
    world.cycle(times=4)
    world.obey()
    assert cleaned(world)


def test_a_restart_in_the_middle_of_a_boot_makes_no_second_node() -> None:
    world = World(policy(shutdown_windows=NEVER)).begin(*jobs(1, SMALL))
    world.obey(PrepareRecord)
    world.now += 5
    world.restart()
    world.begin()
    world.cycle(times=5)
    assert world.prepared() == ["small"]


# ---- nodes that no list shows after a restart ------------------------------------------------------------------------


def pinging(times: int, *, pings: bool = True, said: str = "idle") -> World:
    """A node that pings, by its record, and that no list shows since the start."""
    world = World(policy(shutdown_windows=NEVER, max_nodes=1))
    world.node(slurm=said)
    world.cloud.clear()
    world.begin(*jobs(1, SMALL))
    for _ in range(times):
        if pings:
            world.change_record("compute1", last_ping_at=world.now + 50, modified_at=world.now + 50)
        world.cycle()
    return world


@pytest.mark.parametrize(
    ("pings", "said", "counts"), [(True, "idle", True), (False, "idle", False), (False, "alloc", True)]
)
def test_a_node_that_no_list_shows_and_that_lives_counts_for_every_limit(pings: bool, said: str, counts: bool) -> None:
    world = pinging(5, pings=pings, said=said)
    assert world.prepared() == ([] if counts else ["small"])


@pytest.mark.parametrize(
    ("pings", "said"),
    [
        (True, "idle"),
        pytest.param(False, "alloc"),
    ],
)
def test_and_it_is_a_warning(pings: bool, said: str) -> None:
    world = pinging(5, pings=pings, said=said)
    assert any("is not listed, but gives signs of life" in line for line in world.log(30))


def test_one_that_stops_pinging_is_cleaned_after_boot_fail_after() -> None:
    world = pinging(3)
    world.jobs = ()
    world.cycle(times=33)
    world.obey()
    assert cleaned(world)


def test_a_boot_waits_while_what_an_earlier_run_began_may_still_take_its_place() -> None:
    """max_nodes is kept: a node of somebody else's came in between."""
    world = prepared(1)
    world.policy = policy(max_nodes=2, shutdown_windows=NEVER)
    world.restart()
    world.begin(*jobs(2, SMALL))
    assert world.prepared() == ["small"]
    world.node("compute9", slurm="alloc")
    world.poll_cloud()
    world.obey()
    assert not world.created()
    world.cycle(times=15)
    world.obey()
    assert world.created() == ["small"]
