"""A node whose name in Slurm another node has: Slurm may look for the name at either, and so neither is destroyed while
Slurm calls the name busy, unless it is certain that it finds the other there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_fleet_names import cloud, given, name, world
from world import EPOCH, HOUR, NEVER, World, policy

from arvnodeman.fleet.messages import DescribeRecord, DrainNode, LookAtNode, NodeSeen, ReleaseRecord, SetNodeDown
from arvnodeman.fleet.values.model import Directive, NodeRecord, Policy
from arvnodeman.slurm.words import node_work, state_of

BOTH = ("10.0.0.1", "10.0.0.2")  # of i-1, which has the name, and of i-2


def named(slurm_looks_at: str | None, second: str | None = "10.0.0.2", said: str = "alloc") -> World:
    """i-1 has the name cloud1; i-2, which is as old, carries it too. Where does Slurm look for it?"""
    nodes = (cloud("i-1", address=BOTH[0]), cloud("i-2", address=second))
    made = world(given("cloud1", "i-1", slurm_looks_at or "cloud1"), nodes=nodes, said=said).begin()
    made.cycle(times=5)
    return made


@pytest.mark.parametrize(
    ("slurm_looks_at", "second", "goes"),
    [
        ("10.0.0.1", "10.0.0.2", True),  # it finds the first there, for certain
        ("10.0.0.2", "10.0.0.2", False),  # it finds the second there: a hand, or the DNS after a restart of slurmctld
        ("cloud1", "10.0.0.2", False),  # whom the DNS shows it is not known
        ("10.0.0.9", "10.0.0.2", False),  # nor who is there
        ("10.0.0.1", None, False),  # nor where the second is
    ],
)
def test_a_second_node_of_a_busy_name_goes_only_where_slurm_finds_the_first(
    slurm_looks_at: str, second: str | None, goes: bool
) -> None:
    made = named(slurm_looks_at, second)
    made.cycle(times=60)
    made.obey()
    assert made.destroyed() == (["i-2"] if goes else [])
    warned = [line for line in made.log(30) if "i-2" in line and "which may be this node" in line]
    assert bool(warned) is not goes
    assert len(warned) <= 2  # once an hour
    assert made.fleet.view.nodes["i-2"].doubtful is not goes
    if not goes:
        why = made.fleet.view.nodes["i-2"].why.words(made.now)
        assert why.endswith("Slurm says alloc of cloud1, which may be this node")


def test_it_goes_when_the_name_works_no_more_and_the_name_is_left_alone() -> None:
    made = named("10.0.0.2")
    made.slurm = {"cloud1": replace((made.slurm or {})["cloud1"], state=state_of("idle"))}
    made.cycle()
    look = made.one(LookAtNode)
    assert (look.hostname, look.jobs) == ("cloud1", True)
    busy = node_work("cloud1", "alloc")
    for seen in (
        NodeSeen(busy, 1),
        NodeSeen(replace(busy, state=state_of("idle")), 1),
        NodeSeen(replace(busy, state=state_of("unk")), 0),
    ):
        made.done(made.one(LookAtNode), seen)  # asked in the last moment, Slurm says that it works after all
        made.wait(60)
        assert made.destroyed() == []
    made.done(made.one(LookAtNode), NodeSeen(replace(busy, state=state_of("idle")), 0))
    made.obey()
    assert made.destroyed() == ["i-2"]
    assert not [step for step in made.asked if isinstance(step, DrainNode | SetNodeDown | ReleaseRecord)]


@pytest.mark.parametrize(
    ("slurm_looks_at", "said", "expected"),
    [
        ("10.0.0.2", "alloc", False),  # at the second one: its jobs would be lost
        ("10.0.0.2", "drng", False),
        ("10.0.0.2", "idle", True),
        ("cloud1", "alloc", True),  # at nobody of ours: lost in a restart of slurmctld
        ("10.0.0.9", "alloc", True),
    ],
)
def test_slurm_is_not_led_away_from_a_node_where_jobs_of_the_name_are(
    slurm_looks_at: str, said: str, expected: bool
) -> None:
    made = named(slurm_looks_at, said=said)
    assert bool(made.open(DescribeRecord)) is expected
    assert {step.node.id for step in made.open(DescribeRecord)} <= {"i-1"}


def test_operators_words_on_it() -> None:
    """A drain waits for the work under the name, a kill does not."""
    made = named("10.0.0.2")
    made.say("i-2", Directive.DRAIN)
    made.obey()
    made.cycle(times=3)
    assert made.destroyed() == []
    assert made.drained() == []
    made.say("i-2", Directive.KILL)
    made.obey()
    assert made.destroyed() == ["i-2"]


def test_one_that_is_gone_is_forgotten_though_the_name_works() -> None:
    made = named("10.0.0.2")
    del made.cloud["i-2"]
    made.cycle(times=8)
    made.obey()
    assert "i-2" not in made.fleet.view.nodes
    assert made.destroyed() == []
    assert not [step for step in made.asked if isinstance(step, SetNodeDown)]


# ---- the nodes resource of Arvados -----------------------------------------------------------------------------------


def rules(**options: object) -> Policy:
    return policy(**{"shutdown_windows": NEVER, **options})


@pytest.mark.parametrize("fqdn", ["compute1.zzzzz", "compute-0a0a0a0a0a0a0a0-zzzzz", "anything"])
def test_a_record_that_another_node_has_taken_over_keeps_that_node_while_slurm_calls_it_busy(fqdn: str) -> None:
    """The first node holds on to the record that it had; the second pings, and Slurm knows it by the record's name."""
    made = World(rules())
    first = made.node("compute1", slurm="alloc")
    made.begin()
    made.cycle()
    record = made.records.pop("r-compute1")
    made.records[record.uuid] = replace(record, instance_id="i-2", first_ping_at=EPOCH + 60)
    made.cloud["i-2"] = replace(made.cloud[first], id="i-2", report_id="i-2", name=fqdn, fqdn=fqdn, start_time=EPOCH)
    made.cycle(times=90)
    made.obey()
    assert "i-2" not in made.destroyed()
    assert "which may be this node" in made.fleet.view.nodes["i-2"].why.words(made.now)


def test_the_record_of_a_node_that_goes_is_not_cleaned_when_another_has_it_by_now() -> None:
    made = World(rules())
    first = made.node("compute1", slurm="idle")
    made.begin()
    record = made.records["r-compute1"]
    made.records["r-compute1"] = replace(record, instance_id="i-2", first_ping_at=EPOCH + 60)
    made.cloud["i-2"] = replace(made.cloud[first], id="i-2", report_id="i-2", start_time=EPOCH)
    made.cycle()
    made.say(first, Directive.DRAIN)
    made.obey()
    assert made.destroyed() == [first]
    assert not [step for step in made.asked if isinstance(step, ReleaseRecord)]
    made.cycle(times=2)
    assert made.fleet.view.nodes["i-2"].record is not None


def test_a_node_of_which_no_record_and_no_name_is_known_goes_whatever_works() -> None:
    made = World(rules())
    made.begin()
    node = cloud("i-7", "vm-7", None, token="one", start_time=EPOCH - 2 * HOUR)
    made.cloud["i-7"] = node
    made.node("compute1", slurm="alloc")
    made.cycle(times=3)
    made.obey()
    assert made.destroyed() == ["i-7"]


def test_names_without_slurm_protect_nobody() -> None:
    made = World(rules(slurm=False, asks_scheduler=False))
    made.node("compute1")
    made.slurm = None
    made.change_record("compute1", worker_state=state_of("busy"))
    made.cloud["i-2"] = replace(made.cloud["i-compute1"], id="i-2", report_id="i-2")
    made.begin()
    made.cycle(times=60)
    made.obey()
    assert made.destroyed() == ["i-2"]
    assert isinstance(made.records["r-compute1"], NodeRecord)


def test_a_name_that_only_the_address_tells() -> None:
    """Slurm looks for cloud1 where a node is that calls itself otherwise."""
    nodes = (cloud("i-1", address="10.0.0.1"), cloud("i-9", "other", "10.0.0.9"))
    made = world(given("cloud1", "i-1", "10.0.0.9"), name("cloud2"), nodes=nodes, said="mix").begin()
    made.cycle(times=60)
    made.obey()
    assert made.destroyed() == []
