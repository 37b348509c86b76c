"""The first lists after a start: what pings stands for the list that there was before (section 1 of the rules)."""

from __future__ import annotations

import pytest
from world import HELD, HOUR, World

ORDERS = pytest.mark.parametrize("order", ["records first", "cloud first"])


def started(nodes: int, *, pinged: float | None = 0.0) -> World:
    """A daemon that has just begun, among busy nodes that pinged so many seconds ago; nothing polled yet."""
    world = World()
    for number in range(1, nodes + 1):
        world.node(f"compute{number}", slurm="alloc", directive=HELD)
        ping = None if pinged is None else world.now - pinged
        world.change_record(f"compute{number}", last_ping_at=ping)
    world.silent.update(world.records)
    world.sizes()
    return world


def first_lists(world: World, order: str, *, lacks: int, offset: float | None = None) -> None:
    """A list of each kind; the cloud's lacks some nodes."""
    lost = [f"i-compute{number}" for number in range(1, lacks + 1)]
    if order == "records first":
        world.poll_records(offset=offset)
        world.poll_cloud(without=lost)
    else:
        world.poll_cloud(without=lost)
        world.poll_records(offset=offset)
    world.poll_queue()


def doubts(world: World) -> int:
    return len([line for line in world.log(30) if "not believed until a second one" in line])


@ORDERS
@pytest.mark.parametrize(
    ("pinged", "doubted"),
    [
        pytest.param(0.0, True, id="now"),
        pytest.param(1799.0, True, id="within boot_fail_after"),
        pytest.param(1800.0, False, id="before that"),
        pytest.param(None, False, id="never"),
    ],
)
def test_a_first_list_is_doubted_that_lacks_nodes_which_have_pinged_lately(
    order: str, pinged: float | None, doubted: bool
) -> None:
    """Else a list with a page missing, or of another region, would be taken for all that there is."""
    world = started(6, pinged=pinged)
    first_lists(world, order, lacks=5)
    assert bool(doubts(world)) is doubted
    assert bool(world.fleet.view.blocked) is doubted


@ORDERS
@pytest.mark.parametrize(("lacks", "doubted"), [(0, False), (3, False), (4, True), (7, True)])
def test_by_the_measure_of_every_other_list(order: str, lacks: int, doubted: bool) -> None:
    world = started(7)
    first_lists(world, order, lacks=lacks)
    assert bool(doubts(world)) is doubted


@ORDERS
def test_a_record_that_names_no_node_stands_for_none(order: str) -> None:
    """It would be one that the list lacks, and tip the balance here."""
    world = started(7)
    world.change_record("compute7", instance_id=None)
    del world.cloud["i-compute7"]
    first_lists(world, order, lacks=3)
    assert not doubts(world)
    world = started(7)
    first_lists(world, order, lacks=4)
    assert doubts(world)


@ORDERS
def test_a_record_that_names_no_node_costs_nothing_when_it_never_pinged(order: str) -> None:
    world = started(6)
    world.change_record("compute6", instance_id=None, last_ping_at=None)
    first_lists(world, order, lacks=0)
    assert not doubts(world)
    assert not world.fleet.view.blocked


@pytest.mark.parametrize(("pinged", "doubted"), [(0.0, True), (1700.0, True), (1900.0, False)])
def test_pings_are_aged_by_the_clock_that_wrote_them(pinged: float, doubted: bool) -> None:
    """The server's clock is an hour behind ours."""
    world = started(6, pinged=HOUR + pinged)
    first_lists(world, "records first", lacks=5, offset=-HOUR)
    assert bool(doubts(world)) is doubted


@ORDERS
def test_what_two_lists_lack_is_believed_however_lately_it_pinged(order: str) -> None:
    """Records stand in for an earlier list once, at the start."""
    world = started(6)
    first_lists(world, order, lacks=5)
    for number in range(1, 6):
        del world.cloud[f"i-compute{number}"]
    world.cycle(times=5)
    assert doubts(world) == 1
    assert not world.fleet.view.blocked


@ORDERS
def test_nodes_that_leave_later_two_at_a_time_raise_no_doubt(order: str) -> None:
    """Their pings are young, and the lists in between have said that they are gone."""
    world = started(12)
    first_lists(world, order, lacks=0)
    for number in range(1, 11, 2):
        del world.cloud[f"i-compute{number}"], world.cloud[f"i-compute{number + 1}"]
        world.cycle()
    assert not doubts(world)


def test_records_that_come_before_any_cloud_list_raise_no_doubt() -> None:
    """There is no list yet that could lack anything; and the first one that does is doubted."""
    world = started(6)
    world.poll_records()
    world.poll_records()
    assert not doubts(world)
    world.poll_cloud(without=[f"i-compute{number}" for number in range(1, 6)])
    world.poll_queue()
    assert doubts(world) == 1
    assert world.fleet.view.blocked
