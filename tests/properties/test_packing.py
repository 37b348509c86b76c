"""What holds for whatever plan in which jobs share nodes, by a checker that knows nothing of how it is made."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from packing_checker import Asks, Node, begins, have_room
from pictures import bounds, picture

from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.picture import BOOTING, NodeTally, Picture
from arvnodeman.fleet.plan.plan import Plan, plan
from arvnodeman.fleet.sizes.limits import SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.model import JobShape, Load, ProviderSize, SizeSection

GB = 1024
MENU = {"tiny": (1, 2, 0.05), "small": (2, 4, 0.1), "fat": (4, 32, 0.25), "large": (8, 16, 0.35), "gpu": (8, 16, 0.9)}
GPUS = {"gpu": 2}
HISTORIES = int(os.environ.get("HISTORIES", "40"))
FEW = settings(
    max_examples=max(80, HISTORIES),
    deadline=None,
    derandomize=HISTORIES <= 100,  # the quick share of `make test` is the same each time
    suppress_health_check=[HealthCheck.too_slow],
)


def table_of(names: frozenset[str]) -> SizeTable:
    """The sizes of these names."""
    offers = [ProviderSize(name, name, ram=ram * GB, price=price) for name, (_, ram, price) in MENU.items()]
    sections = [
        SizeSection(name, cores, name, gres=(("gpu", GPUS[name]),) if name in GPUS else ())
        for name, (cores, _, _) in MENU.items()
        if name in names
    ]
    return SizeTable(sections, offers, 1.0)


def asks(shape: JobShape, made: Plan) -> Asks:
    """A job of this shape, as the checker has it."""
    share, takes = made.shares[shape], shape.takes
    return Asks(
        cpus=takes.cpus if takes else int(shape.cores),
        ram=takes.ram if takes else shape.ram,
        gpus=dict(shape.gres).get("gpu", 0),
        nodes=shape.nodes,
        alone=takes is None,
        sizes=frozenset(size.id for size in share.choices),
        rooms=takes is not None,
    )


@st.composite
def shapes(draw: st.DrawFn, most_nodes: int) -> JobShape:
    """What a job asks for: most share."""
    cores, ram = draw(st.integers(1, 8)), draw(st.sampled_from([0, 1, 2, 3, 8, 12])) * GB
    gres = (("gpu", draw(st.integers(1, 2))),) if draw(st.integers(0, 5)) == 0 else ()
    nodes = min(most_nodes, draw(st.sampled_from([1, 1, 1, 1, 2, 3])))
    takes = None
    if draw(st.integers(0, 4)):
        takes = Footprint(cores, math.inf if draw(st.integers(0, 9)) == 0 else ram)
    size = draw(st.sampled_from([None, None, None, "large"])) if not gres else None
    return JobShape(cores=cores, ram=ram, gres=gres, nodes=nodes, takes=takes, size=size)


@st.composite
def pictures_of_sharing(draw: st.DrawFn, most_nodes: int = 3) -> Picture:
    """A few jobs, some nodes with room, some that are whole, limits or none."""
    names = draw(st.frozensets(st.sampled_from(sorted(MENU)), min_size=1))
    table = table_of(names | {"large"})
    asked = draw(st.lists(shapes(most_nodes), min_size=1, max_size=4, unique=True))
    order = draw(st.lists(st.integers(0, len(asked) - 1), min_size=1, max_size=7))
    demand: dict[JobShape, list[int]] = {}
    for place, which in enumerate(order):
        demand.setdefault(asked[which], []).append(place)
    sizes = sorted(table.by_id)
    supply = {size: (draw(st.integers(0, 1)), 0, draw(st.integers(0, 1)), 0) for size in sizes}
    rooms: dict[str, Counter[Capacity]] = {}
    for _ in range(draw(st.integers(0, 2))):
        size = draw(st.sampled_from(sizes))
        cpus, ram = draw(st.integers(1, 7)), float(draw(st.integers(1, 12)) * GB)
        rooms.setdefault(size, Counter())[Capacity(cpus, ram, jobs=1, whole=False)] += 1
    nodes = sum(map(sum, supply.values())) + sum(map(Counter.total, rooms.values()))
    tally = NodeTally(supply=supply, rooms=rooms, nodes=nodes, up=nodes)
    most = nodes + draw(st.sampled_from([99, 99, 3, 1]))
    made = picture(
        demand,
        tally,
        table=table,
        health={size: SizeHealth(proven=True) for size in MENU},
        bounds=bounds(max_nodes=most),
    )
    jobs = draw(st.sampled_from([0, 0, 0, 2]))
    note(_told(made))
    return replace(
        made,
        policy=replace(
            made.policy, max_jobs_per_node=jobs, max_nodes=99, max_price_factor=draw(st.sampled_from([1.0, 1.5, 10.0]))
        ),
    )


def _told(drawn: Picture) -> str:
    """A picture, in short."""
    jobs = [
        f"{s.cores:g}c {s.ram / GB:g}G x{s.nodes} {s.gres or ''} {s.size or ''} takes {s.takes}: {list(places)}"
        for s, places in drawn.demand.items()
    ]
    nodes = f"{dict(drawn.tally.supply)} {dict(drawn.tally.rooms)} of {sorted(drawn.table.by_id)}"
    return "\n".join((*jobs, nodes, f"{drawn.bounds.max_nodes - drawn.tally.nodes} more"))


def there(drawn: Picture) -> list[Node]:
    """The nodes that there are or are coming."""
    found = [
        Node(size, MENU[size][0], MENU[size][1] * GB, GPUS.get(size, 0))
        for size, kinds in drawn.tally.supply.items()
        for _ in range(sum(kinds))
    ]
    for size, rooms in drawn.tally.rooms.items():
        for free, count in rooms.items():
            found += [Node(size, free.cpus, free.ram, 0, free.threads, free.jobs, whole=False, is_room=True)] * count
    return found


def booted(made: Plan) -> list[Node]:
    """The nodes that are to come."""
    return [Node(new.size.id, new.size.cores, new.size.ram, GPUS.get(new.size.id, 0)) for new in made.boots]


def on_it(new: NewNode, made: Plan) -> list[Asks]:
    """The jobs that a node is to hold at once."""
    held = new.jobs or (((new.shape, 1),) if new.shape is not None else ())
    return [asks(shape, made) for shape, jobs in held for _ in range(jobs)]


def served(made: Plan) -> list[Asks]:
    """The jobs that have all their nodes."""
    return [asks(shape, made) for shape, share in made.shares.items() for _ in range(share.served)]


@FEW
@given(pictures_of_sharing())
def test_what_is_planned_can_hold_all_that_it_is_planned_for_at_once(drawn: Picture) -> None:
    made = plan(drawn)
    most = drawn.policy.max_jobs_per_node
    for new, empty in zip(made.boots, booted(made), strict=True):
        left = empty
        for job in on_it(new, made):
            after = begins(job, left, most)
            assert after is not None, new
            left = after
    assert have_room(served(made), there(drawn) + booted(made), most)


@FEW
@given(pictures_of_sharing())
def test_no_more_is_booted_than_if_no_job_shared_a_node(drawn: Picture) -> None:
    made = plan(drawn)
    alone: dict[JobShape, list[int]] = {}
    for shape, places in drawn.demand.items():
        alone.setdefault(replace(shape, takes=None), []).extend(places)
    alone = {shape: sorted(places) for shape, places in alone.items()}
    without = plan(replace(drawn, demand=alone, tally=replace(drawn.tally, rooms={})))
    if without.stopped is not None:
        return  # a limit lets fewer come, and fewer jobs are served
    assert len(made.boots) <= len(without.boots)
    assert sum(new.size.price for new in made.boots) <= 1.02 * sum(new.size.price for new in without.boots) + 1e-9


@FEW
@given(pictures_of_sharing(most_nodes=1))
def test_no_boot_can_be_left_out_as_its_jobs_have_no_room_on_the_others(drawn: Picture) -> None:
    """That would leave a job that the plan serves."""
    made = plan(drawn)
    most = drawn.policy.max_jobs_per_node
    left: list[Node] = []
    for new, node in zip(made.boots, booted(made), strict=True):
        rest = node
        for job in on_it(new, made):
            rest = begins(job, rest, most) or rest
        left.append(rest)
    for number, new in enumerate(made.boots):
        assert not have_room(on_it(new, made), left[:number] + left[number + 1 :], most), new


@FEW
@given(pictures_of_sharing())
def test_no_job_is_left_out_for_one_behind_it_that_has_its_room(drawn: Picture) -> None:
    made = plan(drawn)
    for shape, share in made.shares.items():
        if not share.waits or share.shape.nodes > 1:
            continue
        first, small = share.places[share.served], asks(shape, made)
        for other, of in made.shares.items():
            big = asks(other, made)
            if other.nodes > 1 or not of.served or of.places[of.served - 1] < first or not big.sizes <= small.sizes:
                continue
            takes_more = big.cpus >= small.cpus and big.ram >= small.ram and big.gpus >= small.gpus
            assert not takes_more or (small.alone and not big.alone), (shape, other)


@FEW
@given(pictures_of_sharing(most_nodes=1))
def test_a_plan_that_is_under_way_is_planned_no_second_time(drawn: Picture) -> None:
    made = plan(drawn)
    if made.stopped is not None:
        return
    supply = {size: list(kinds) for size, kinds in drawn.tally.supply.items()}
    meant: dict[str, Counter[Load]] = {}
    for new in made.boots:
        supply.setdefault(new.size.id, [0, 0, 0, 0])[BOOTING] += 1
        meant.setdefault(new.size.id, Counter())[new.jobs] += 1
    coming = replace(drawn.tally, supply=supply, nodes=drawn.tally.nodes + len(made.boots))
    again = plan(replace(drawn, tally=coming, coming_for=meant))
    assert [new.size.id for new in again.boots] == []


@pytest.mark.parametrize(
    ("demand", "sizes", "boots"),
    [
        # One that has its node to itself does not take the node that was booted for two that share it.
        ({JobShape(): [0], JobShape(ram=12 * GB, takes=Footprint(1, 12 * GB)): [1, 2]}, "fat large", ["large", "fat"]),
        # One of three cores leaves the node with much memory to four of one core.
        (
            {
                JobShape(ram=8 * GB, takes=Footprint(1, 8 * GB)): [0, 1, 2, 3],
                JobShape(cores=3, takes=Footprint(3, 0)): [4],
            },
            "small fat large gpu",
            ["fat", "large"],
        ),
    ],
)
def test_nodes_that_come_are_left_to_those_that_need_them(
    demand: dict[JobShape, list[int]], sizes: str, boots: list[str]
) -> None:
    health = {size: SizeHealth(proven=True) for size in MENU}
    names = sizes.split()

    def planned(coming: list[str]) -> list[str]:
        supply = {size: (0, 0, coming.count(size), 0) for size in names}
        tally = NodeTally(supply=supply, nodes=len(coming), up=len(coming))
        made = plan(picture(demand, tally, table=table_of(frozenset(names)), health=health))
        return sorted(new.size.id for new in made.boots)

    assert planned(boots[:1]) != []
    assert planned(boots) == []
