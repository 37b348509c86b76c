"""Free names offer every size in Slurm, so that it takes jobs that name one while no node is up."""

from __future__ import annotations

from dataclasses import replace

from test_fleet_names import cloud, given, name, world
from world import NEVER, World, jobs, policy

from arvnodeman.fleet.messages import DescribeNode, PrepareRecord
from arvnodeman.fleet.operations.name_steps import OfferFeatures
from arvnodeman.fleet.values.model import ErrorKind, SizeSection
from arvnodeman.slurm.words import state_of

SECTIONS = (
    SizeSection("small", 1, "small", features=("ssd",)),
    SizeSection("large", 4, "large", partitions=("big",)),
)
ALL = frozenset({"instancetype=small", "instancetype=large", "ssd"})


def sized(made: World) -> World:
    made.fleet = World(policy(sections=SECTIONS, shutdown_windows=NEVER)).fleet
    return made


def bare(made: World) -> World:
    """No name has any feature, as after a plain restart of slurmctld."""
    assert made.slurm is not None
    made.slurm = {each: replace(node, features=frozenset()) for each, node in made.slurm.items()}
    return made


def test_every_name_that_is_off_offers_every_size_from_the_first_list_on() -> None:
    made = bare(sized(world(name("c1"), name("c2")))).begin()
    made.cycle()
    step = made.one(OfferFeatures)
    assert (step.hostnames, step.features) == (("c1", "c2"), ALL)
    made.obey()
    made.cycle(times=3)
    assert sum(isinstance(each, OfferFeatures) for each in made.asked) == 1
    bare(made)  # slurmctld forgets it: it is told again
    made.cycle()
    assert made.open(OfferFeatures)


def test_a_name_offers_the_sizes_of_its_partitions_and_keeps_what_it_has_by_itself() -> None:
    made = sized(world(name("c1", partitions=("small",)), name("c2", partitions=("big",))))
    assert made.slurm is not None
    made.slurm = {each: replace(node, features=frozenset({"rack1"})) for each, node in made.slurm.items()}
    made.begin().cycle()
    offered = {step.hostnames: step.features for step in made.open(OfferFeatures)}
    assert offered == {("c1",): ALL - {"instancetype=large"} | {"rack1"}, ("c2",): ALL | {"rack1"}}


def test_a_name_that_is_taken_or_in_use_is_left_alone() -> None:
    record = given("c1", "i-1", "10.0.0.1")
    made = sized(world(record, name("c2"), name("c3"), nodes=(cloud("i-1", "c1"),)))
    assert made.slurm is not None
    made.slurm["c2"] = replace(made.slurm["c2"], state=state_of("idle"), features=frozenset())
    made.slurm["c3"] = replace(made.slurm["c3"], state=state_of("drain"), features=frozenset())
    made.begin().cycle()
    assert not made.open(OfferFeatures)


def test_a_boot_takes_what_other_sizes_offer_away_again() -> None:
    made = bare(sized(world(name("c1")))).begin()
    made.cycle()
    made.obey()
    made.cycle(*jobs(1))
    made.obey(PrepareRecord)
    step = made.one(DescribeNode)
    assert (step.size, step.gives, step.without) == ("small", ("ssd",), frozenset())


def test_a_node_that_shows_the_feature_of_another_size_is_described_anew() -> None:
    record = given("c1", "i-1", "10.0.0.1")
    made = sized(world(record, nodes=(cloud("i-1", "c1"),)))
    assert made.slurm is not None
    made.slurm["c1"] = replace(made.slurm["c1"], features=ALL)
    made.begin().cycle()
    step = made.one(DescribeNode)
    assert (step.hostname, step.size, step.gives) == ("c1", "small", ("ssd",))


def test_a_failure_is_said_and_tried_again_after_a_while() -> None:
    made = bare(sized(world(name("c1")))).begin()
    made.cycle()
    made.fail(made.one(OfferFeatures), ErrorKind.REFUSED, "Invalid user id")
    made.cycle(times=2)
    assert not made.open(OfferFeatures)
    made.cycle(times=4)
    assert made.open(OfferFeatures)


def test_a_name_that_is_put_into_another_partition_offers_its_sizes() -> None:
    made = sized(world(name("c1", partitions=("small",)))).begin()
    made.cycle()
    made.obey()
    made.cycle()
    assert not made.open(OfferFeatures)
    made.records["c1"] = replace(made.records["c1"], partitions=("big",))
    made.cycle()
    assert made.one(OfferFeatures).features == ALL
