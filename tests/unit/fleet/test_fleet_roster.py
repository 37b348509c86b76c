"""Which record belongs to which node, and which name in Slurm (section 3 of the rules, and what it rests upon)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import EPOCH, HOUR, MINUTE, NEVER, World, policy

from arvnodeman.fleet.messages import CloudListed, PrepareRecord, SetNodeDown
from arvnodeman.fleet.values.model import BootIntent, CloudNode, NodeRecord, NodeState

UUID = "zzzzz-7ekkf-000000000000001"


def world_of(*nodes: CloudNode, records: tuple[NodeRecord, ...] = (), **options: Any) -> World:
    world = World(policy(**{"shutdown_windows": NEVER, "boot_fail_after": 99 * HOUR, **options}))
    world.cloud = {node.id: node for node in nodes}
    world.records = {record.uuid: record for record in records}
    world.begin()
    return world


def cloud(identity: str = "i-1", **fields: Any) -> CloudNode:
    fields = {"name": "x", "report_id": identity, "size_tag": "small", "start_time": EPOCH - HOUR, **fields}
    return CloudNode(identity, **fields)


def record(uuid: str = UUID, **fields: Any) -> NodeRecord:
    fields = {"hostname": "compute1", "domain": "zz", "slot": 1, "instance_id": "i-1", "first_ping_at": EPOCH, **fields}
    return NodeRecord(uuid, last_ping_at=EPOCH, modified_at=EPOCH, **fields)


@pytest.mark.parametrize(
    ("start", "first_ping", "pairs"),
    [
        (EPOCH, EPOCH + 100, True),
        (EPOCH, EPOCH, True),
        (EPOCH + 0.75, EPOCH + 0.75, True),  # in one second, fractions kept: row A18
        (EPOCH + 0.75, EPOCH + 0.25, True),
        (EPOCH, EPOCH - 299.9, True),  # clocks differ
        (EPOCH, EPOCH - 300, True),
        (EPOCH, EPOCH - 300.1, False),
        (EPOCH, EPOCH - 5 * HOUR, False),  # row B3
        (None, EPOCH - 5 * HOUR, True),
        (EPOCH, None, False),
    ],
)
def test_a_record_pairs_when_its_first_ping_is_of_this_node(
    start: float | None, first_ping: float | None, pairs: bool
) -> None:
    """Rows B3 and A18."""
    world = world_of(cloud(start_time=start), records=(record(first_ping_at=first_ping),))
    assert bool([line for line in world.log() if "is now paired with" in line]) is pairs


@pytest.mark.parametrize(
    ("cloud_clock", "record_clock", "first_ping", "pairs"),
    [
        (600.0, 0.0, EPOCH - 590, True),  # started at EPOCH by a clock that is ahead
        (600.0, 0.0, EPOCH - 5 * HOUR, False),  # row B3
        (0.0, -600.0, EPOCH - 590, True),  # the clock by which it was heard from is behind
        (600.0, 600.0, EPOCH - 590, False),  # one clock, as far as it matters
        (-600.0, -600.0, EPOCH - 590, False),
        (None, -600.0, EPOCH - 590, False),  # the cloud shows no clock
        (-600.0, 0.0, EPOCH - 290, True),  # what the stamps themselves allow stays allowed
    ],
)
@pytest.mark.parametrize("records_first", [False, True])
def test_clocks_that_are_known_to_differ_do_not_keep_a_node_from_its_record(
    cloud_clock: float | None, record_clock: float, first_ping: float, pairs: bool, records_first: bool
) -> None:
    world = world_of()
    node, mine = cloud(start_time=EPOCH), record(first_ping_at=first_ping)
    world.cloud, world.records = {node.id: node}, {mine.uuid: mine}
    if records_first:
        world.poll_records(offset=record_clock)
    world.poll_cloud(offset=cloud_clock)
    if not records_first:
        world.poll_records(offset=record_clock)
    assert bool([line for line in world.log() if "is now paired with" in line]) is pairs


@pytest.mark.parametrize(
    ("reported", "pairs"), [("i-1", True), ("i-2", False), (None, False), ("", False), ("x", False)]
)
def test_pairing_goes_by_the_id_that_the_node_reports(reported: str | None, pairs: bool) -> None:
    """Row B4: never by name or address."""
    world = world_of(cloud(), records=(record(instance_id=reported),))
    assert bool([line for line in world.log() if "is now paired with" in line]) is pairs


def test_the_reported_id_need_not_be_the_drivers() -> None:
    """Row B4: on Azure a node reports its name."""
    world = world_of(cloud("/subscriptions/1/vm", report_id="compute-1"), records=(record(instance_id="compute-1"),))
    assert any("Cloud node x is now paired with Arvados node" in line for line in world.log())


def test_of_two_records_for_one_id_the_newest_first_ping_pairs() -> None:
    old = record("zzzzz-7ekkf-000000000000009", hostname="compute9", first_ping_at=EPOCH - 60)
    world = world_of(cloud(), records=(record(first_ping_at=EPOCH), old))
    assert world.fleet.view.nodes["i-1"].hostname == "compute1"
    world = world_of(cloud(), records=(old, record(first_ping_at=EPOCH)))
    assert world.fleet.view.nodes["i-1"].hostname == "compute1"


def test_a_pair_lasts_until_its_node_is_gone() -> None:
    """Row B15: a record that was taken from it leaves it the last one."""
    world = world_of(cloud(), records=(record(),))
    world.slurm = {}
    world.says("compute1", "alloc")
    world.cycle()
    world.records[UUID] = record(instance_id="i-other")
    world.cycle(times=3)
    assert world.fleet.view.nodes["i-1"].hostname == "compute1"


def test_when_its_node_is_gone_a_record_can_pair_again() -> None:
    """Row B2."""
    world = world_of(cloud(), records=(record(),))
    world.cloud = {"i-2": cloud("i-2", start_time=EPOCH + MINUTE)}
    world.cycle(times=3)
    world.obey()
    world.records[UUID] = record(instance_id="i-2", first_ping_at=world.now)
    world.cycle()
    assert world.fleet.view.nodes["i-2"].hostname == "compute1"
    assert list(world.fleet.view.nodes) == ["i-2"]


# ---- before it has pinged --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "made"),
    [
        pytest.param({"name": "compute1.zz"}, True, id="by its name"),
        pytest.param({"fqdn": "compute1.zz"}, True, id="by the FQDN that the cloud keeps"),
        pytest.param({"name": "compute-000000000000001-zzzzz"}, True, id="by the uuid in its name (GCE, Azure)"),
        pytest.param({"token": "t-1"}, True, id="by the token of its boot"),
        pytest.param({"name": "compute2.zz"}, False, id="another name"),
        pytest.param({"name": "compute1.zz", "token": "t-2"}, False, id="a name used again"),
        pytest.param({"name": "compute-000000000000002-zzzzz"}, False, id="another uuid"),
    ],
)
def test_the_record_that_a_node_was_made_for_is_known_before_it_pings(node: dict[str, Any], made: bool) -> None:
    """Row B9: so its name in Slurm is known, and its record is not taken for another."""
    intent = BootIntent("small", 0.07, "t-1", EPOCH)
    waiting = record(instance_id=None, first_ping_at=None, intent=intent)
    world = world_of(cloud(**node), records=(waiting,))
    world.cycle()
    assert (world.fleet.view.nodes["i-1"].price == 0.07) is made


def test_the_record_of_another_instance_was_not_made_for_it() -> None:
    world = world_of(cloud(name="compute1.zz"), cloud("i-2", name="y"), records=(record(instance_id="i-2"),))
    assert world.fleet.view.nodes["i-1"].hostname is None
    assert world.fleet.view.nodes["i-2"].hostname == "compute1"


@pytest.mark.parametrize(
    ("fqdn", "name", "hostname"),
    [
        ("compute7.zz", "vm-1", "compute7"),
        (None, "compute7.zz", "compute7"),
        (None, "compute7", "compute7"),
        (None, "", None),
    ],
)
def test_an_unpaired_node_goes_by_its_fqdn_at_the_cloud(fqdn: str | None, name: str, hostname: str | None) -> None:
    world = world_of(cloud(fqdn=fqdn, name=name))
    assert world.fleet.view.nodes["i-1"].hostname == hostname


def test_a_name_that_a_record_has_by_now_is_not_an_old_nodes() -> None:
    """Its Slurm node works for another: no drain, no DOWN under that name. Where Slurm looks for it is not known here,
    so the old node stays while the name works."""
    world = world_of(
        cloud("i-old", name="compute1.zz", start_time=EPOCH - 100 * HOUR),
        cloud("i-1"),
        records=(record(),),
        boot_fail_after=1800.0,
    )
    world.says("compute1", "alloc", size="small")
    world.cycle(times=4)
    world.obey()
    assert world.destroyed() == []
    world.says("compute1", "idle", size="small")
    world.cycle()
    world.obey()
    assert world.destroyed() == ["i-old"]
    assert not world.drained()
    assert not [step for step in world.asked if isinstance(step, SetNodeDown)]


# ---- the lists themselves --------------------------------------------------------------------------------------------


def test_a_node_that_is_listed_twice_is_taken_once() -> None:
    world = world_of(cloud())
    world.tell(CloudListed([cloud(), cloud()], world.now))
    assert len(world.fleet.view.nodes) == 1
    assert "The cloud lists node i-1 twice: the second is ignored" in world.log(30)


def test_what_the_cloud_says_anew_is_taken() -> None:
    world = world_of(cloud(size_tag="small"))
    world.cloud["i-1"] = cloud(size_tag="large", address="10.0.0.1")
    world.cycle()
    assert world.fleet.view.nodes["i-1"].size == "large"


@pytest.mark.parametrize(
    ("intent", "size", "provider", "price"),
    [
        (0.33, "small", 0.9, 0.33),  # as written into its record
        (None, "small", 0.9, 0.1),
        (None, "unknown", 0.9, 0.9),  # the provider's
        (None, "unknown", None, 0.0),
    ],
)
def test_the_price_of_a_node(intent: float | None, size: str, provider: float | None, price: float) -> None:
    """Rows C25 and B14."""
    kept = BootIntent("small", intent, "t", EPOCH) if intent is not None else None
    world = world_of(
        cloud(size_tag=size, price=provider, provider_size="other"), records=(replace(record(), intent=kept),)
    )
    assert world.fleet.view.nodes["i-1"].price == price


def test_the_record_of_a_node_is_kept_from_boots_however_it_came_to_it() -> None:
    """Row B8."""
    world = world_of(cloud(name="compute1.zz"), records=(record(instance_id=None, first_ping_at=None),))
    world.cycle(times=200)
    assert not [step for step in world.asked if isinstance(step, PrepareRecord) and step.reuse == UUID]
    assert world.fleet.view.nodes["i-1"].state is NodeState.UNPAIRED


def test_the_price_of_a_node_follows_its_record() -> None:
    """Row B14."""
    world = world_of(cloud(), records=(record(),))
    assert world.fleet.view.nodes["i-1"].price == 0.1
    world.records[UUID] = replace(record(), intent=BootIntent("small", 0.5, "t", EPOCH))
    world.cycle()
    assert world.fleet.view.nodes["i-1"].price == 0.5
