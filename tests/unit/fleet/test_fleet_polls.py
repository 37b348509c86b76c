"""Clocks, the freshness of lists and of what is in them, and which lists are believed (section 1 of the rules)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import EPOCH, HOUR, MINUTE, World, jobs, policy

from arvnodeman.fleet.messages import CancelJob, CreateNode, DestroyNode, DrainNode, LookAtNode, Poll, PrepareRecord
from arvnodeman.fleet.nodes.polls import Ages, BrainClock, Freshness, Trust
from arvnodeman.fleet.values.model import ErrorKind, JobShape, NodeState


def test_the_steady_clock_never_goes_back() -> None:
    clock = BrainClock(100.0)
    seen = []
    for now in (110.0, 50.0, 60.0, 60.0, 1000.0):
        clock.advance(now)
        seen.append((clock.now, clock.t))
    assert seen == [(110.0, 110.0), (50.0, 110.0), (60.0, 120.0), (60.0, 120.0), (1000.0, 1060.0)]


@pytest.mark.parametrize(("stamp", "steady"), [(60.0, 110.0), (50.0, 100.0), (70.0, 110.0)])
def test_a_stamp_of_our_own_becomes_steady_time(stamp: float, steady: float) -> None:
    clock = BrainClock(100.0)
    clock.advance(110.0)
    clock.advance(60.0)  # somebody set the wall clock back
    assert clock.steady(stamp) == steady


@pytest.mark.parametrize(
    ("stamp", "outages", "age"),
    [
        (900.0, (), 100),
        (1001.0, (), 0),  # from the future
        (100.0, (), 500),  # nothing before the first node poll of this run counts
        (None, (), 500),
        (600.0, ((700.0, 800.0),), 300),  # node polls failed for 100 s
        (750.0, ((700.0, 800.0),), 200),
        (850.0, ((700.0, 800.0),), 150),
        (600.0, ((700.0, 800.0), (850.0, 900.0)), 250),
    ],
)
def test_ages_leave_out_what_nobody_could_have_seen(
    stamp: float | None, outages: tuple[tuple[float, float], ...], age: float
) -> None:
    assert Ages(500.0, outages).age_of(stamp, 1000.0) == age


def test_every_list_is_stale_until_it_has_come_and_when_it_is_too_old() -> None:
    """Row A22."""
    freshness = Freshness(600)
    assert set(freshness.stale(0)) == set(Poll)
    freshness.success(Poll.CLOUD, 0, 0)
    freshness.success(Poll.QUEUE, 300, 300)
    assert freshness.stale(600) == (Poll.RECORDS,)
    assert set(freshness.stale(601)) == {Poll.RECORDS, Poll.CLOUD}
    assert freshness.age(Poll.QUEUE, 450) == 150
    assert freshness.age(Poll.RECORDS, 450) is None


def test_many_outages_are_remembered_and_the_oldest_forgotten() -> None:
    freshness = Freshness(600)
    for number in range(30):
        freshness.success(Poll.RECORDS, number * 1000.0, number * 1000.0)
    assert 10 <= len(freshness.ages.outages) < 30
    assert freshness.ages.age_of(28_000.0, 29_000.0) == 0


IDS = {f"i-{number}" for number in range(10)}


def some(count: int) -> set[str]:
    return {f"i-{number}" for number in range(count)}


@pytest.mark.parametrize(
    ("before", "now", "believed"),
    [
        (10, 10, True),
        (10, 5, True),  # half is not more than half
        (10, 4, False),
        (10, 0, False),
        (4, 0, False),
        (3, 0, True),  # not more than three
        (4, 1, True),
        (7, 3, False),
        (8, 4, True),
        (0, 0, True),
    ],
)
def test_a_list_that_shrinks_by_more_than_half_and_three_is_doubted(before: int, now: int, believed: bool) -> None:
    trust = Trust()
    trust.judge(some(before))
    assert trust.judge(some(now)) is believed
    assert bool(trust.doubted) is not believed


def test_a_second_list_that_lacks_the_same_is_believed() -> None:
    trust = Trust()
    trust.judge(IDS)
    assert not trust.judge(some(2))
    assert trust.judge(some(2))


def test_a_list_is_compared_with_the_last_one_believed() -> None:
    """One bad list is no measure for the next."""
    trust = Trust()
    trust.judge(IDS)
    assert not trust.judge(some(2))
    assert trust.judge(IDS)
    assert not trust.judge(some(2))


def test_nodes_that_we_destroyed_are_not_counted() -> None:
    trust = Trust()
    trust.judge(IDS)
    for identity in some(7):
        trust.forget(identity)
    assert trust.judge(IDS - some(7))


def test_after_a_start_other_evidence_stands_for_the_earlier_list() -> None:
    trust = Trust()
    trust.expect(IDS)
    assert not trust.judge(some(1))


# ---- what the Fleet makes of it --------------------------------------------------------------------------------------

DECISIONS = (PrepareRecord, CreateNode, DrainNode, DestroyNode, CancelJob)


def ripe() -> World:
    """A node that should go, a job that should be served, one that should be cancelled; nothing polled yet."""
    world = World()
    world.node("compute1", size="large")
    world.says("compute1", "fail")
    world.jobs = [*jobs(1), *jobs(1, JobShape(cores=99), name="never")]
    return world


def decided(world: World) -> set[type]:
    return {type(step) for step in world.steps if isinstance(step, DECISIONS)}


@pytest.mark.parametrize("missing", list(Poll))
def test_nothing_is_decided_before_all_three_polls_have_succeeded(missing: Poll) -> None:
    """Row A22."""
    world = ripe()
    world.sizes()
    for _ in range(5):
        world.now += MINUTE
        if missing is not Poll.CLOUD:
            world.poll_cloud()
        if missing is not Poll.RECORDS:
            world.poll_records()
        if missing is not Poll.QUEUE:
            world.poll_queue()
        world.poll_fails(missing)
    assert not decided(world)
    assert missing.value in world.fleet.view.blocked
    world.cycle(times=3)
    assert decided(world) == {PrepareRecord, DrainNode, CancelJob}


@pytest.mark.parametrize("old", list(Poll))
@pytest.mark.parametrize(("age", "acts"), [(540.0, True), (660.0, False)])
def test_nothing_is_decided_while_a_list_is_too_old(old: Poll, age: float, acts: bool) -> None:
    """Row A22."""
    world = World()
    world.node("compute1", slurm="alloc")
    world.jobs = [*jobs(1), *jobs(1, JobShape(cores=99), name="never")]
    world.begin()
    world.obey(PrepareRecord)
    polls: dict[Poll, Callable[[], None]] = {
        Poll.CLOUD: world.poll_cloud,
        Poll.RECORDS: world.poll_records,
        Poll.QUEUE: world.poll_queue,
    }
    world.jobs = [*jobs(2), *jobs(1, JobShape(cores=99), name="never")]
    world.now += age
    world.says("compute1", "fail")
    for poll in (*polls, *polls):
        if poll is not old:
            polls[poll]()
    assert bool(decided(world)) is acts


def test_a_boot_waits_with_its_create_until_lists_are_fresh() -> None:
    """Row A22: the next irreversible step of an operation under way."""
    world = World().begin(*jobs(1))
    world.now += 700
    world.obey(PrepareRecord)
    (describe,) = world.steps
    world.done(describe)
    assert not world.open(CreateNode)
    world.poll_cloud()
    world.poll_records()
    assert not world.open(CreateNode)
    world.poll_queue()
    assert len(world.open(CreateNode)) == 1


def test_a_shutdown_waits_with_its_destroy_until_lists_are_fresh() -> None:
    """Row A22."""
    world = World()
    world.node()
    world.begin()
    world.cycle(times=2)
    world.obey(DrainNode)
    world.now += 700
    world.obey(LookAtNode)
    world.wait(300)
    assert not world.destroyed()
    world.cycle()
    world.wait(30)
    world.obey(DrainNode, LookAtNode)
    assert world.destroyed() == ["i-compute1"]


def test_a_destroy_that_is_tried_again_waits_for_fresh_lists_too() -> None:
    """Rows A22 and A11."""
    world = World()
    world.node()
    world.begin()
    world.cycle(times=2)
    world.obey(DrainNode, LookAtNode)
    world.fail(world.one(DestroyNode), ErrorKind.THROTTLED, retry_after=250.0)
    world.now += 601
    world.wait(300)
    assert not world.open(DestroyNode)


def nodes(world: World, count: int) -> World:
    for number in range(1, count + 1):
        world.node(f"compute{number}", slurm="alloc")
    world.begin()
    world.cycle(times=2)
    return world


def test_on_a_list_that_lacks_too_much_nothing_is_forgotten_booted_or_stopped() -> None:
    """A lost page; a second list that lacks the same is believed."""
    world = nodes(World(), 8)
    lost = [f"i-compute{number}" for number in range(1, 7)]
    world.says("compute8", "fail")
    world.silent.update(world.records)
    world.now += MINUTE
    world.poll_cloud(without=lost)
    world.poll_records()
    world.poll_queue(*jobs(3))
    assert not world.steps
    assert len(world.fleet.view.nodes) == 8
    assert any("lacks 6 nodes" in line for line in world.log(30))
    world.now += MINUTE
    world.poll_cloud()
    world.poll_records()
    assert world.drained() == ["compute8"]


def test_a_record_list_that_lacks_too_much_is_doubted_as_well() -> None:
    world = nodes(World(), 8)
    world.says("compute8", "fail")
    world.now += MINUTE
    world.poll_cloud()
    world.poll_records(without=[f"r-compute{number}" for number in range(1, 7)])
    world.poll_queue(*jobs(3))
    assert not world.steps
    assert any("node records lacks 6" in line for line in world.log(30))
    world.now += MINUTE
    world.poll_records(without=[f"r-compute{number}" for number in range(1, 7)])
    assert world.drained() == ["compute8"]


def test_while_a_list_is_doubted_the_view_says_that_nothing_is_decided() -> None:
    """No job waits without a stated reason."""
    world = nodes(World(), 8)
    world.now += MINUTE
    world.poll_cloud(without=[f"i-compute{number}" for number in range(1, 7)])
    world.poll_queue(*jobs(3))
    assert world.fleet.view.blocked


@pytest.mark.parametrize("records_first", [True, False])
def test_after_a_start_records_that_ping_stand_for_the_earlier_list(records_first: bool) -> None:
    world = World(policy(max_nodes=64))
    for number in range(1, 9):
        world.node(f"compute{number}", slurm="alloc")
    world.sizes()
    lost = [f"i-compute{number}" for number in range(1, 7)]
    if records_first:
        world.poll_records()
    world.poll_cloud(without=lost)
    if not records_first:
        world.poll_records()
    world.poll_queue(*jobs(1))
    assert not world.steps
    assert any("not believed until a second" in line for line in world.log(30))
    world.cycle()
    assert len(world.open(PrepareRecord)) == 1
    assert len(world.fleet.view.nodes) == 8


def test_after_a_start_records_with_old_pings_stand_for_nothing() -> None:
    """Their nodes went long ago."""
    world = World()
    for number in range(1, 9):
        world.node(f"compute{number}", slurm="down")
        world.change_record(f"compute{number}", last_ping_at=EPOCH - HOUR, modified_at=EPOCH - HOUR)
    world.cloud.clear()
    world.begin(*jobs(1))
    world.cycle()  # two lists in a row lack them
    assert world.prepared() == ["small"]


def test_what_we_destroyed_may_leave_the_list_all_at_once() -> None:
    world = World()
    for number in range(1, 8):
        world.node(f"compute{number}")
    world.begin()
    world.cycle(times=2)
    world.obey()
    assert len(world.destroyed()) == 7
    world.cycle(*jobs(1))
    assert world.prepared() == ["small"]


@pytest.mark.parametrize(("poll", "counter"), [(poll, f"{poll.value}_poll_errors") for poll in Poll])
def test_failed_polls_are_counted(poll: Poll, counter: str) -> None:
    """Row K6."""
    world = World().begin()
    world.poll_fails(poll)
    world.cycle()
    assert world.fleet.view.counters[counter] == 1


def test_ages_of_pings_do_not_count_an_outage_of_the_api_server() -> None:
    """After it every node has poll_stale_after to ping again."""
    world = World()
    world.node(slurm="idle")
    world.begin(*jobs(1))
    world.silent.add("r-compute1")
    world.now += 3 * HOUR  # the API server is away
    world.cycle(times=9)
    assert world.state() is NodeState.IDLE
    world.cycle(times=110)
    assert world.state() is NodeState.IDLE  # 2 hours of node polls have not come together yet
    world.cycle(times=10)
    assert world.drained() == ["compute1"]


def test_what_happened_before_this_run_counts_for_no_age() -> None:
    world = World()
    world.node(slurm="idle")
    world.change_record("compute1", last_ping_at=EPOCH - 3 * HOUR, modified_at=EPOCH - 3 * HOUR)
    world.silent.add("r-compute1")
    world.begin(*jobs(1))
    world.cycle(times=100)
    assert world.state() is NodeState.IDLE
    world.cycle(times=30)
    assert world.drained() == ["compute1"]


def test_a_lost_record_leaves_the_node_its_last_one() -> None:
    """Row B15."""
    world = World()
    world.node(slurm="alloc")
    world.begin()
    for _ in range(5):
        world.now += MINUTE
        world.poll_cloud()
        world.poll_records(without=["r-compute1"])
        world.poll_queue()
    assert world.state() is NodeState.BUSY
    assert world.status().hostname == "compute1"
