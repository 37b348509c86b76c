"""Sizes that rest, and jobs that can never be served (section 5 of the rules)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from world import BIG, NEVER, OFFERS, ONE, SECTIONS, World, jobs, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    FinishNode,
    PolicyChanged,
    PrepareRecord,
    ReleaseRecord,
    SizesProven,
)
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, ProviderSize, SizeSection

BOOT = (PrepareRecord, DescribeNode, CreateNode, FinishNode)
SMALL, LARGE = JobShape(size="small"), JobShape(size="large")


def proven(world: World) -> World:
    """Nodes of both sizes have come up before: no size is tried out with five at most."""
    world.node("compute91", slurm="alloc")
    world.node("compute92", size="large", slurm="alloc")
    return world


def fleet(*nodes: tuple[str, str], **options: Any) -> World:
    """Nodes of (size, Slurm's word), compute1 and on; windows shut, so that nothing is stopped."""
    world = World(policy(**{"max_nodes": 20, "shutdown_windows": NEVER, **options}))
    for number, (size, said) in enumerate(nodes, start=1):
        world.node(f"compute{number}", size=size, slurm=said)
    return world


def boots(world: World, *waiting: Job) -> dict[str, int]:
    world.begin(*waiting)
    return dict(Counter(world.prepared()))


# ---- sizes that rest -------------------------------------------------------------------------------------------------

MANY_SIZES: dict[str, Any] = {
    "sections": (
        SizeSection("a", cores=1, instance_type="a"),
        SizeSection("b", cores=1, instance_type="b"),
        SizeSection("c", cores=1, instance_type="c"),
    )
}
MANY_OFFERS = (
    ProviderSize("a", "a", price=1.0),
    ProviderSize("b", "b", price=1.5),
    ProviderSize("c", "c", price=1.6),
)


def refused(world: World, kind: ErrorKind, *waiting: Job, **error: Any) -> World:
    """The first boot is refused by the cloud; a second later the queue comes again."""
    world.begin(*waiting)
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.open(CreateNode)[0], kind, **error)
    world.obey(ReleaseRecord)
    world.cycle(every=1)
    return world


@pytest.mark.parametrize("kind", [ErrorKind.CAPACITY, ErrorKind.REFUSED])
def test_jobs_that_named_no_size_move_on_to_the_next_cheapest_within_the_factor(kind: ErrorKind) -> None:
    world = World(policy(max_nodes=20, **MANY_SIZES), offers=MANY_OFFERS)
    refused(world, kind, *jobs(1))
    assert world.prepared() == ["a", "b"]


def test_when_only_the_factor_stops_a_job_its_reason_says_so() -> None:
    world = World(policy(max_nodes=20, max_price_factor=1.4, **MANY_SIZES), offers=MANY_OFFERS)
    refused(world, ErrorKind.CAPACITY, *jobs(1), text="InsufficientInstanceCapacity")
    assert world.prepared() == ["a"]
    assert world.reason() == (
        "a rests for 59 s: the cloud has no capacity for it (InsufficientInstanceCapacity); b would fit,"
        " but max_price_factor forbids it"
    )


def test_a_job_that_named_the_size_waits_for_it_with_a_reason() -> None:
    world = refused(fleet(), ErrorKind.CAPACITY, *jobs(1, SMALL))
    assert world.prepared() == ["small"]
    assert "small rests for 59 s: the cloud has no capacity for it" in world.reason(SMALL)
    world.cycle(every=60)
    assert world.prepared() == ["small", "small"]


def test_a_size_that_rests_holds_up_no_job_behind() -> None:
    world = refused(fleet(max_nodes=1), ErrorKind.CAPACITY, *jobs(1, SMALL, priority=9), *jobs(1, LARGE))
    assert world.prepared() == ["small", "large"]


def test_after_its_rest_one_node_is_tried_and_a_success_ends_it() -> None:
    world = refused(proven(fleet()), ErrorKind.CAPACITY, *jobs(3))
    for step in world.open(CreateNode):
        world.fail(step, ErrorKind.CAPACITY)
    world.obey(ReleaseRecord)
    before = len(world.prepared())
    world.cycle(every=61)
    assert world.prepared()[before:] == ["small"]
    world.obey(*BOOT)
    world.cycle(every=1)
    assert world.prepared()[before + 1 :] == ["small"] * 2


def test_a_size_refused_for_good_is_an_error_that_names_the_option() -> None:
    world = refused(fleet(), ErrorKind.REFUSED, *jobs(1), text="no such image", hint="[Cloud Create] image_id")
    assert any("no such image (look at [Cloud Create] image_id)" in line for line in world.log(40))


def test_at_most_five_at_once_of_a_size_without_a_success() -> None:
    world = fleet()
    world.begin(*jobs(9))
    assert world.prepared() == ["small"] * 5
    assert world.reason() == "no node of small has come up yet, 5 on their way"
    proven_world = proven(fleet())
    proven_world.begin(*jobs(9))
    assert len(proven_world.prepared()) == 9


def test_a_size_that_came_up_in_an_earlier_run_is_not_tried_out_again() -> None:
    world = fleet()
    world.tell(SizesProven(frozenset({"small"})))
    assert world.fleet.view.proven == {"small"}
    world.begin(*jobs(9))
    assert world.prepared() == ["small"] * 9


def test_a_size_whose_nodes_are_made_of_something_else_is_tried_out() -> None:
    world = fleet()
    world.tell(SizesProven(frozenset({"small", "large"})))
    first, *others = SECTIONS
    world.tell(PolicyChanged(policy(max_nodes=20, sections=(replace(first, preemptible=True), *others))))
    assert world.fleet.view.proven == {"large"}
    world.tell(PolicyChanged(policy(max_nodes=20, sections=(replace(first, preemptible=True, price=9.0), *others))))
    assert world.fleet.view.proven == {"large"}


def test_a_size_that_came_up_once_and_fails_in_a_row_is_to_be_tried_out_by_the_next_run() -> None:
    world = fleet()
    world.tell(SizesProven(frozenset({"small"})))
    world.begin(*jobs(5))
    world.obey(*BOOT)
    world.cycle(times=30)
    assert world.fleet.view.counters["boot_failures"] == 5
    assert world.fleet.view.proven == frozenset()


def test_five_nodes_in_a_row_that_fail_to_come_up_make_the_size_rest() -> None:
    """Row D2: never idle or busy in Slurm within boot_fail_after."""
    world = fleet()
    world.begin(*jobs(5))
    world.obey(*BOOT)
    world.cycle(times=30)
    assert any("Nodes of size small fail to come up" in line for line in world.log(40))
    assert world.fleet.view.counters["boot_failures"] == 5
    assert "small rests for" in world.reason()
    world.cycle(times=2)
    assert len(world.prepared()) == 6  # one as a probe


def test_nodes_that_vanish_before_they_come_up_count_too() -> None:
    world = fleet()
    world.begin(*jobs(5))
    world.obey(*BOOT)
    world.cycle()
    world.silent.update(world.records)
    world.cloud.clear()
    world.cycle(times=4)
    assert "boot_failures" not in world.fleet.view.counters  # lists lag most where nodes are young
    world.cycle(times=5)
    world.obey()  # Slurm is asked, and does not know them
    world.poll_queue()
    assert world.fleet.view.counters["boot_failures"] == 5


def test_throttling_changes_no_limit() -> None:
    """Row N4."""
    world = fleet()
    world.begin(*jobs(1))
    world.obey(PrepareRecord, DescribeNode)
    world.fail(world.one(CreateNode), ErrorKind.THROTTLED, retry_after=5.0)
    world.cycle(*jobs(3), every=1)
    assert world.fleet.view.quota == 20
    assert not world.fleet.view.backing_off
    assert len(world.prepared()) == 3


# ---- what can never be served ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (JobShape(cores=5), "Constraints cannot be satisfied by any node type"),
        (JobShape(ram=7601), "Constraints cannot be satisfied by any node type"),
        (JobShape(size="nothing"), "Constraints cannot be satisfied by any node type"),
        (JobShape(nodes=21), "Job's min_nodes constraint is greater than the configured max_nodes (20)"),
        (JobShape(cores=4, nodes=5), "Job's price (2) is above system's max_price limit (1.9)"),
        (JobShape(cores=4, nodes=4), ""),
    ],
)
def test_unsatisfiable_jobs_and_their_reasons(shape: JobShape, reason: str) -> None:
    """Rows C1, C7 and C23."""
    world = fleet(max_total_price=1.9)
    world.begin(*jobs(1, shape))
    assert world.reason(shape) == reason


def test_unsatisfiable_jobs_hold_up_nobody() -> None:
    assert boots(fleet(), *jobs(1, JobShape(cores=9), priority=9), *jobs(1)) == {"small": 1}


def test_with_max_nodes_0_nothing_is_booted_and_no_job_is_to_blame() -> None:
    world = fleet(max_nodes=0)
    world.begin(*jobs(1))
    assert not world.prepared()
    assert "max_nodes of 0" in world.reason()


def test_lowering_max_nodes_stops_boots_and_raising_it_lets_them_go_on() -> None:
    world = fleet(max_nodes=1)
    world.begin(*jobs(3))
    assert len(world.prepared()) == 1
    world.tell(PolicyChanged(policy(max_nodes=2, shutdown_windows=NEVER)))
    world.cycle()
    assert len(world.prepared()) == 2


def test_every_waiting_job_has_its_nodes_or_a_reason() -> None:
    """The third promise, over a mixed queue and many limits."""
    shapes = [
        ONE,
        BIG,
        SMALL,
        LARGE,
        JobShape(cores=9),
        JobShape(nodes=3),
        JobShape(cores=4, nodes=2),
        JobShape(size="x"),
    ]
    for max_nodes in (0, 1, 2, 3, 5, 8, 20):
        for cap in (0, 0.3, 0.9, 2.0):
            world = fleet(("small", "idle"), ("large", "alloc"), max_nodes=max_nodes, max_total_price=cap)
            world.begin(*(Job(f"{n}", shape, n % 3) for n, shape in enumerate(shapes * 3)))
            assert set(world.fleet.view.waiting) == set(shapes)
            for shape, waiting in world.fleet.view.waiting.items():
                assert waiting.served == waiting.jobs or waiting.cause is not None, (shape, max_nodes, cap)


def test_a_size_that_the_provider_lacks_is_said_of_jobs_that_name_it() -> None:
    world = World(
        policy(sections=(*SECTIONS, SizeSection("rare", cores=1, instance_type="rare", price=1.0))), offers=OFFERS
    )
    rare = JobShape(size="rare")
    world.begin(*jobs(1, rare), *jobs(1))
    assert world.reason(rare) == "size rare cannot be booted now: the provider does not offer it"
    assert world.prepared() == ["small"]


def test_an_idle_node_is_taken_before_one_that_is_booting() -> None:
    """Idle, then unpaired, then booting: the boot is not needed any more."""
    world = fleet()
    world.begin(*jobs(1))
    world.node("compute1")
    world.cycle(times=2)
    assert [line for line in world.log() if line.startswith("Boot stopped: nobody needs")]


def test_the_exact_size_comes_first_even_when_it_still_boots() -> None:
    """A dearer idle node is not needed then."""
    world = fleet(("large", "idle"), shutdown_windows=(0.0, 60.0))
    world.node("compute2", record=False, slurm=None, age=9)
    world.begin(*jobs(1))
    world.cycle(times=2)
    assert not world.prepared()
    assert world.drained() == ["compute1"]
