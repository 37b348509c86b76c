"""Records that are names, which are given to one node after the other: the keeper is told who has them and where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from world import EPOCH, HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, DescribeRecord, PrepareRecord, ReleaseRecord, SetNodeDown, SyncFqdn
from arvnodeman.fleet.values.model import BootIntent, CloudNode, ErrorKind, JobShape, NodeRecord, NodeState, SizeSection
from arvnodeman.slurm.words import node_work


def name(text: str = "cloud1", **more: Any) -> NodeRecord:
    """A free name; or one that holds what is given."""
    base = NodeRecord(text, hostname=text, domain="", address=text, free=True)
    return replace(base, **more)


def given(text: str, instance: str, address: str, age: float = HOUR, **more: Any) -> NodeRecord:
    """A name that a node has, and that Slurm hears from."""
    heard = {"first_ping_at": EPOCH - age + MINUTE, "last_ping_at": EPOCH, "modified_at": EPOCH}
    return name(text, slot=1, free=False, instance_id=instance, address=address, **{**heard, **more})


def cloud(identity: str, hostname: str = "cloud1", address: str | None = "10.0.0.1", **more: Any) -> CloudNode:
    started = more.pop("start_time", EPOCH - HOUR)
    return CloudNode(
        identity, hostname, identity, fqdn=hostname, size_tag="small", address=address, start_time=started, **more
    )


def world(*records: NodeRecord, nodes: tuple[CloudNode, ...] = (), said: str = "idle", **options: Any) -> World:
    """A world of names. Every name is in Slurm: free ones down."""
    made = World(policy(**{"shutdown_windows": NEVER, **options}))
    made.records = {record.uuid: record for record in records}
    made.cloud = {node.id: node for node in nodes}
    feature = frozenset({"instancetype=small"})
    for record in records:
        state = said if record.instance_id else "down"
        assert made.slurm is not None
        made.slurm[record.uuid] = node_work(record.uuid, state, state != "down", 100, feature)
    return made


def told(made: World) -> list[tuple[str, str, str | None]]:
    return [(step.uuid, step.node.id, step.node.address) for step in made.open(DescribeRecord)]


def state(made: World) -> NodeState:
    return made.fleet.view.nodes["i-1"].state


# ---- names for boots -------------------------------------------------------------------------------------------------


def test_a_boot_takes_the_first_free_name_in_their_order() -> None:
    made = world(name("cloud10"), name("cloud2"), name("cloud1", free=False)).begin()
    made.cycle(*jobs(2), times=2)
    assert [step.reuse for step in made.open(PrepareRecord)] == ["cloud2", "cloud10"]


def test_a_name_that_a_listed_node_carries_is_not_free_whatever_slurm_says() -> None:
    made = world(name("cloud1"), nodes=(cloud("i-1", address=None, start_time=EPOCH),)).begin()
    made.cycle(*jobs(3), times=2)
    assert [step.reuse for step in made.open(PrepareRecord)] == [None, None]


def test_without_a_free_name_a_boot_asks_for_none_of_them_and_learns_the_limit() -> None:
    made = world(name("cloud1", free=False)).begin()
    made.cycle(*jobs(1), times=2)
    (step,) = made.open(PrepareRecord)
    assert step.reuse is None
    made.fail(step, ErrorKind.SLOTS)
    assert any("No free slot" in note.text for note in made.notes)


def test_a_size_takes_names_of_its_partitions_and_rests_when_there_are_none_while_others_go_on() -> None:
    sections = (
        SizeSection("small", cores=1, instance_type="small", partitions=("main",)),
        SizeSection("large", cores=4, instance_type="large", partitions=("gpu",)),
    )
    made = world(
        name("g1", partitions=("gpu",)),
        name("m1", partitions=("main",)),
        name("m2", partitions=("main",)),
        sections=sections,
    ).begin()
    gpu = jobs(2, JobShape(cores=1, partitions=("gpu",)), name="gpu")
    made.cycle(*gpu, *jobs(1, JobShape(partitions=("main",)), name="main"), times=2)
    asked = {step.reuse: step.intent.size for step in made.open(PrepareRecord)}
    assert asked == {"g1": "large", None: "large", "m1": "small"}
    made.fail(next(step for step in made.open(PrepareRecord) if step.reuse is None), ErrorKind.SLOTS)
    made.cycle(*gpu, *jobs(2, JobShape(partitions=("main",)), name="main"))
    assert [step.reuse for step in made.open(PrepareRecord) if step.intent.size == "small"] == ["m1", "m2"]


def test_a_size_takes_names_of_its_own_and_rests_when_there_are_none_while_others_go_on() -> None:
    sections = (
        SizeSection("small", cores=1, instance_type="small"),
        SizeSection("large", cores=4, instance_type="large", node_names="l[1-2]"),
    )
    names = name("l1", size="large"), name("c1"), name("c2"), name("l2", size="large", free=False)
    made = world(*names, sections=sections).begin()
    wide = jobs(2, JobShape(cores=4), name="wide")
    made.cycle(*wide, *jobs(1, name="small"), times=2)
    asked = {(step.intent.size, step.reuse) for step in made.open(PrepareRecord)}
    assert asked == {("large", "l1"), ("large", None), ("small", "c1")}
    made.fail(next(step for step in made.open(PrepareRecord) if step.reuse is None), ErrorKind.SLOTS)
    assert not any("No free slot" in note.text for note in made.notes)


def test_a_size_without_names_of_its_own_takes_none_of_anothers() -> None:
    sections = (
        SizeSection("small", cores=1, instance_type="small"),
        SizeSection("large", cores=4, instance_type="large", node_names="l[1-2]"),
    )
    made = world(name("l1", size="large"), name("l2", size="large"), sections=sections).begin()
    made.cycle(*jobs(1), times=2)
    assert [step.reuse for step in made.open(PrepareRecord)] == [None]


# ---- telling the keeper ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "address", "expected"),
    [
        (name(slot=1, free=False), "10.0.0.1", True),  # its boot's mark, or none at all
        (name(slot=1, free=False), None, True),  # the cloud shows no address yet: it is known whose it is
        (given("cloud1", "i-1", "10.0.0.1"), "10.0.0.1", False),
        (given("cloud1", "i-1", "10.0.0.1"), None, False),
        (given("cloud1", "i-1", "cloud1"), "10.0.0.1", True),  # lost: a restart of slurmctld
        (given("cloud1", "i-1", "10.0.0.9"), "10.0.0.1", True),
        (given("cloud1", "i-older", "10.0.0.9"), "10.0.0.1", True),  # that one is gone
    ],
)
def test_the_keeper_is_told_who_has_a_name_and_where_when_it_does_not_know(
    record: NodeRecord, address: str | None, expected: bool
) -> None:
    made = world(record, nodes=(cloud("i-1", address=address),), said="alloc").begin()
    made.cycle(times=2)
    assert told(made) == ([("cloud1", "i-1", address)] if expected else [])


def test_a_node_pairs_once_it_is_told_and_heard_of() -> None:
    made = world(name(slot=1, free=False), nodes=(cloud("i-1"),)).begin()
    made.cycle()
    assert state(made) is not NodeState.IDLE
    (step,) = made.open(DescribeRecord)
    made.done(step)
    made.records["cloud1"] = given("cloud1", "i-1", "10.0.0.1")
    made.slurm = {"cloud1": node_work("cloud1", "idle", True, 100, frozenset({"instancetype=small"}))}
    made.cycle()
    assert state(made) is NodeState.IDLE
    assert not made.open(SyncFqdn)  # the name stands alone


def test_what_an_earlier_node_under_the_name_was_heard_of_does_not_count() -> None:
    """Row B3: its slurmd had started long before."""
    made = world(given("cloud1", "i-1", "10.0.0.1", age=3 * HOUR), nodes=(cloud("i-1"),), said="down").begin()
    made.cycle(times=2)
    assert state(made) is not NodeState.IDLE


# ---- two nodes with one name -----------------------------------------------------------------------------------------


def test_of_two_nodes_with_a_name_that_one_has_it_that_slurm_finds_there() -> None:
    both = (cloud("i-1", address="10.0.0.1"), cloud("i-2", address="10.0.0.2"))
    made = world(name(slot=1, free=False, address="10.0.0.2"), nodes=both, said="alloc").begin()
    made.cycle(times=2)
    assert told(made) == [("cloud1", "i-2", "10.0.0.2")]


def test_a_node_whose_name_another_has_is_named_and_takes_nothing_from_it() -> None:
    both = (cloud("i-1", address="10.0.0.1"), cloud("i-2", address="10.0.0.2"))
    made = world(given("cloud1", "i-1", "10.0.0.1"), nodes=both, said="alloc").begin()
    made.cycle(times=3)
    assert told(made) == []
    assert sum("has the name of another" in note.text for note in made.notes) == 1
    assert state(made) is NodeState.BUSY
    made.cycle(times=60)
    assert not made.open(ReleaseRecord)
    assert {step.hostname for step in made.asked if isinstance(step, SetNodeDown)} == set()


# ---- what an earlier run left ----------------------------------------------------------------------------------------


def test_a_boot_of_an_earlier_run_counts_and_its_name_is_given_back_when_it_never_comes() -> None:
    intent = BootIntent("small", 0.1, "old-1", EPOCH - MINUTE)
    made = world(name(slot=1, free=False, intent=intent), name("cloud2"), max_nodes=1).begin()
    made.cycle(*jobs(1), times=3)
    assert not made.open(CreateNode)
    made.now += HOUR
    made.cycle(times=3)
    assert {step.uuid for step in made.asked if isinstance(step, ReleaseRecord)} | {
        step.hostname for step in made.asked if isinstance(step, SetNodeDown)
    } == {"cloud1"}


def test_a_node_found_by_its_token_is_told_of_before_anything_is_expected_of_it() -> None:
    intent = BootIntent("small", 0.1, "old-1", EPOCH - MINUTE)
    node = cloud("i-1", token="old-1", start_time=EPOCH - 30, tagged_price=0.07)
    made = world(name(slot=1, free=False, intent=intent), nodes=(node,)).begin()
    made.cycle(times=2)
    assert told(made) == [("cloud1", "i-1", "10.0.0.1")]
    made.records["cloud1"] = given("cloud1", "i-1", "10.0.0.1", age=0.0)
    made.cycle()
    assert made.fleet.view.nodes["i-1"].price == 0.07
