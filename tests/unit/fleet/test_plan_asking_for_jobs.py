"""Which options are asked for a job that waits, which values of each, and what each makes of the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pictures import BIG, OFFERS, ONE, bounds, picture
from world import policy

from arvnodeman.fleet.plan.asking import Asker, Variable
from arvnodeman.fleet.plan.asking_for_jobs import JobAsked, beyond, more_jobs_on_a_node, options_for, parts
from arvnodeman.fleet.plan.picture import NodeTally, Picture
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.counterfactual import Meant, OptionChange
from arvnodeman.fleet.values.model import JobShape, SizeSection
from arvnodeman.fleet.values.rungs import Purchase, Rung

SHARER = JobShape(cores=1, takes=Footprint(1, 100))
DAEMON = "Daemon"


def waiting(
    shape: JobShape, places: list[int] | None = None, tally: NodeTally | None = None, **options: Any
) -> Picture:
    """Jobs that wait under these options; the memory of sizes counts in full, unless something else is asked for."""
    asked = policy(**{"node_mem_scaling": 1.0, **options})
    limits = bounds(max_nodes=asked.max_nodes, quota=asked.max_nodes, slots=asked.max_nodes)
    limits = replace(limits, price_cap=asked.max_total_price)
    table = SizeTable(asked.sections, OFFERS, asked.node_mem_scaling)
    return picture({shape: places or [0]}, tally, policy=asked, bounds=limits, table=table)


def offered(shape: JobShape, of: Picture, place: int = 0) -> dict[str, Variable]:
    return {variable.option: variable for variable in options_for(JobAsked(shape, place), of)}


def found(shape: JobShape, of: Picture, place: int = 0) -> tuple[list[OptionChange], int]:
    """What would let a job have its nodes, and how often the plan was asked."""
    job = JobAsked(shape, place)
    asker = Asker(job.would_run)
    return asker.changes(options_for(job, of)), asker.plans


def would_boot(option: str, now: float, needed: float, unit: str = "", kind: str = "small") -> OptionChange:
    effect = f"a node of {kind} would boot for it at once"
    size = abs(needed - now) / (now or 1.0)
    return OptionChange(DAEMON, option, now, Meant.AT_LEAST, needed, unit, effect, size)


# ---- which options ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shape", "asked"),
    [
        ({}, BIG, []),  # one size fits: it cannot be too dear
        ({}, ONE, ["max_price_factor"]),
        ({}, JobShape(cores=9), []),  # none fits
        ({"max_total_price": 0.5}, ONE, ["max_total_price", "max_price_factor"]),
        ({"max_jobs_per_node": 2}, SHARER, ["max_price_factor", "max_jobs_per_node"]),
        ({"max_jobs_per_node": 2}, ONE, ["max_price_factor"]),
        ({"max_jobs_per_node": 0}, SHARER, ["max_price_factor"]),
        ({"node_mem_scaling": 0.99}, BIG, ["node_mem_scaling"]),
        ({"node_mem_scaling": 1.2}, BIG, []),
    ],
)
def test_only_options_are_asked_that_bind(options: dict[str, Any], shape: JobShape, asked: list[str]) -> None:
    assert list(offered(shape, waiting(shape, **options))) == ["max_nodes", *asked]


@pytest.mark.parametrize(("dearest", "asked"), [(0.1, ["max_price_factor"]), (0.0, [])])
def test_of_how_many_times_dearer_than_nothing_nobody_is_asked(dearest: float, asked: list[str]) -> None:
    """A reservation of the cheapest size costs nothing: what its dearest rung costs counts."""
    ladder = (Rung("a", Purchase.RESERVED, 0.0, "r-1"), Rung("a", Purchase.ON_DEMAND, dearest))
    sections = (SizeSection("small", 1, "small", ladder=ladder), SizeSection("large", 4, "large"))
    assert list(offered(ONE, waiting(ONE, sections=sections))) == ["max_nodes", *asked]


@pytest.mark.parametrize(
    ("option", "now", "steps", "unit"),
    [
        ("max_nodes", 0, range(1, 1_000_001), "nodes"),
        ("max_nodes", 1, range(2, 1_000_001), "nodes"),
        ("max_nodes", 8, range(9, 1_000_008), "nodes"),
        ("max_total_price", 0.25, range(26, 100_000_026), "$/hour"),
        ("max_price_factor", 1.5, range(151, 402), ""),  # the dearest that fits costs four times as much
        ("max_jobs_per_node", 2, range(3, 6), "jobs"),  # up to all three jobs beside those two
        ("node_mem_scaling", 0.95, range(96, 101), ""),  # up to all of it
    ],
)
def test_the_values_of_an_option_go_from_the_next_to_the_furthest_that_is_of_use(
    option: str, now: float, steps: range, unit: str
) -> None:
    shape = SHARER if option == "max_jobs_per_node" else ONE
    asked: dict[str, Any] = {option: now}
    variable = offered(shape, waiting(shape, [0, 1, 2], **asked))[option]
    assert (variable.section, variable.option, variable.now) == (DAEMON, option, now)
    assert (variable.bound, variable.steps, variable.unit) == (Meant.AT_LEAST, steps, unit)


def test_a_factor_is_asked_up_to_the_dearest_size_that_fits() -> None:
    sections = SizeSection("small", 1, "small"), SizeSection("large", 4, "large"), SizeSection("huge", 9, "large", 1.0)
    steps = {shape: offered(shape, waiting(shape, sections=sections))["max_price_factor"].steps for shape in (ONE, BIG)}
    assert steps == {ONE: range(151, 1002), BIG: range(151, 252)}


def test_jobs_that_are_on_nodes_count_for_how_many_may_be() -> None:
    free = [Capacity(2, 900, jobs=each, whole=False) for each in (1, 4, 3)]
    rooms = {"small": {free[0]: 1, free[1]: 1}, "large": {free[2]: 1}}
    of = waiting(SHARER, [0, 1, 2], NodeTally(rooms=rooms), max_jobs_per_node=2)
    more = replace(of, demand={**of.demand, ONE: [3, 4]})
    assert more_jobs_on_a_node(of).steps == range(3, 10)  # 2 now, 4 on one node, 3 that wait
    assert more_jobs_on_a_node(more).steps == range(3, 12)


# ---- what is found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [0, 3])
@pytest.mark.parametrize("place", [0, 1, 4])
def test_max_nodes_is_guessed_by_the_boots_up_to_the_job(nodes: int, place: int) -> None:
    of = waiting(BIG, [0, 1, 2, 3, 4], NodeTally(nodes=nodes, up=nodes), max_nodes=nodes)
    change = would_boot("max_nodes", nodes, nodes + place + 1, "nodes", "large")
    at_next = place == 0  # no value before it has to be asked
    assert found(BIG, of, place) == ([change], 2 if at_next else 3)


@pytest.mark.parametrize(("price", "place", "needed"), [(0.0, 0, 0.4), (0.0, 4, 2.0), (0.301, 1, 1.11)])
def test_max_total_price_is_guessed_by_what_the_boots_up_to_the_job_cost(
    price: float, place: int, needed: float
) -> None:
    of = waiting(BIG, [0, 1, 2, 3, 4], NodeTally(nodes=1, up=1, price=price), max_total_price=0.39)
    change = would_boot("max_total_price", 0.39, needed, "$/hour", "large")
    at_next = needed == 0.4
    assert found(BIG, replace(of, bounds=replace(of.bounds, max_nodes=99)), place) == (
        [change],
        1 + (2 if at_next else 3),  # max_nodes alters nothing
    )


@pytest.mark.parametrize(("price", "cents"), [(0.0, 40), (0.2 + 0.1, 70), (0.301, 71), (0.299, 70)])
def test_dollars_are_told_in_whole_cents_that_suffice(price: float, cents: int) -> None:
    enough = offered(BIG, waiting(BIG, max_total_price=1.0))["max_total_price"].enough
    assert enough is not None
    assert enough(plan(waiting(BIG, tally=NodeTally(price=price)))) == cents


def test_a_dearer_size_is_booted_while_the_cheapest_rests() -> None:
    of = waiting(ONE)
    health = {**of.health, "small": SizeHealth(backing_off=BackOff.CAPACITY, until=of.t + 60)}
    assert found(ONE, replace(of, health=health))[0] == [would_boot("max_price_factor", 1.5, 4.0, kind="large")]


def test_more_jobs_on_a_node_make_room_on_it() -> None:
    at_work = NodeTally(nodes=1, up=1, rooms={"small": {Capacity(4, 9000, jobs=2, whole=False): 1}})
    of = waiting(SHARER, [0, 1, 2], at_work, max_nodes=1, max_jobs_per_node=2)
    changes = {change.option: change for change in found(SHARER, of, 2)[0]}
    assert changes["max_jobs_per_node"].needed == 5
    assert changes["max_jobs_per_node"].effect == "it would have room on nodes that are there or on their way"


def test_a_size_with_more_memory_fits() -> None:
    shape = JobShape(cores=4, ram=7550)
    (change,), _ = found(shape, waiting(shape, node_mem_scaling=0.9))
    assert change == would_boot("node_mem_scaling", 0.9, 0.95, kind="large")


# ---- pictures with one option otherwise ------------------------------------------------------------------------------


def test_another_max_nodes_leaves_a_quota_that_was_learnt() -> None:
    of = waiting(ONE, max_nodes=2)
    more = offered(ONE, of)["max_nodes"].vary(7)
    limits = replace(of.bounds, max_nodes=7, quota=7, slots=7)
    assert more == replace(of, policy=replace(of.policy, max_nodes=7), bounds=limits)
    learnt = replace(of, bounds=replace(of.bounds, quota=1, quota_until=9.0))
    assert offered(ONE, learnt)["max_nodes"].vary(7).bounds == replace(limits, quota=1, quota_until=9.0)


def test_another_max_total_price_is_the_cap_of_the_prices() -> None:
    of = waiting(ONE, max_total_price=0.1)
    more = offered(ONE, of)["max_total_price"].vary(2)
    assert more.bounds.price_cap == more.policy.max_total_price == 2.0
    assert more == replace(of, policy=replace(of.policy, max_total_price=2.0), bounds=replace(of.bounds, price_cap=2.0))


def test_another_factor_and_number_of_jobs_are_only_in_the_policy() -> None:
    of = waiting(SHARER, max_jobs_per_node=2)
    more = offered(SHARER, of)
    assert more["max_price_factor"].vary(3) == replace(of, policy=replace(of.policy, max_price_factor=3.0))
    assert more["max_jobs_per_node"].vary(3) == replace(of, policy=replace(of.policy, max_jobs_per_node=3))


def test_another_scaling_of_memory_is_in_the_sizes() -> None:
    of = waiting(ONE, node_mem_scaling=0.5)
    more = offered(ONE, of)["node_mem_scaling"].vary(0.75)
    assert more == replace(of, policy=replace(of.policy, node_mem_scaling=0.75), table=more.table)
    assert {size.id: size.ram for size in more.table.cheapest_first} == {"small": 1500, "large": 6000}


# ---- partitions ------------------------------------------------------------------------------------------------------


def bound_to(*partitions: str, name: str = "small") -> SizeSection:
    return SizeSection(name, 1, "small", partitions=partitions)


def served(shape: JobShape, *sections: SizeSection, **options: Any) -> list[Variable]:
    of = waiting(shape, sections=sections, **options)
    return [each for each in options_for(JobAsked(shape, 0), of) if each.option == "partitions"]


def test_sizes_that_are_bound_to_other_partitions_may_serve_the_first_of_the_job() -> None:
    shape = JobShape(partitions=("gpu", "fast"))
    sections = bound_to("a", "b"), bound_to(name="any"), bound_to("x", "fast", name="there"), bound_to("c", name="too")
    first, second = served(shape, *sections)
    assert (first.section, first.now, first.bound, first.steps) == ("Size small", "a, b", Meant.IS, range(1))
    assert (first.value(0), first.unit) == ("a, b, gpu", "")
    assert (second.section, second.now, second.value(0)) == ("Size too", "c", "c, gpu")
    assert served(JobShape(), *sections) == []


def test_few_of_many_sizes_are_asked_for_one_more_partition() -> None:
    sections = [bound_to("a", name=f"s{number}") for number in range(12)]
    assert [each.section for each in served(JobShape(partitions=("b",)), *sections)] == [
        f"Size s{number}" for number in range(10)
    ]


def test_a_size_that_serves_one_more_partition_is_otherwise_as_it_was() -> None:
    shape, sections = JobShape(partitions=("gpu",)), (bound_to("a", name="other"), bound_to("a", "b"))
    of = waiting(shape, sections=sections, node_mem_scaling=0.5)
    other, small = (each for each in options_for(JobAsked(shape, 0), of) if each.option == "partitions")
    more = small.vary(small.value(0))
    assert more.policy == replace(of.policy, sections=(sections[0], bound_to("a", "b", "gpu")))
    assert {size.id: (size.partitions, size.ram) for size in more.table.cheapest_first} == {
        "other": (("a",), 1000),
        "small": (("a", "b", "gpu"), 1000),
    }
    assert other.vary(other.value(0)).policy.sections == (bound_to("a", "gpu", name="other"), sections[1])
    assert more == replace(of, policy=more.policy, table=more.table)


def test_a_job_of_a_partition_that_no_size_serves_would_have_a_node() -> None:
    shape = JobShape(partitions=("gpu",))
    (change,), _ = found(shape, waiting(shape, sections=(bound_to("a", "b"),)))
    assert change.words == (
        "with [Size small] partitions = a, b, gpu (now a, b) a node of small would boot for it at once"
    )


# ---- steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "step"), [(0.0, 1), (0.1, 11), (0.29, 30), (0.295, 30), (0.2999, 30), (1.1 * 3, 331), (4, 401)]
)
def test_the_next_hundredth_is_above_a_value(value: float, step: int) -> None:
    assert beyond(value) == step
    assert parts(step) == step / 100 > value
