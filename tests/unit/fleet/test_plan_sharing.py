"""What the plan does with jobs that share nodes: what is filled, what is booted, and of which size."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from pictures import T, bounds, picture

from arvnodeman.fleet.outlook.ahead import Names
from arvnodeman.fleet.plan.picture import Ends, IdleBin, Leaving, NodeTally, Pending, pool_of
from arvnodeman.fleet.plan.plan import Plan, plan
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.capacity import Capacity, Footprint
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import JobShape, ProviderSize, SizeSection
from arvnodeman.fleet.values.places import Place

MENU = {"four": (4, 8000, 0.2, ()), "sixteen": (16, 64_000, 0.8, ()), "gpu": (8, 32_000, 2.0, (("gpu", 2),))}
Booted = Counter[tuple[str, tuple[tuple[float, int], ...]]]


def sizes(**menu: tuple[int, float, float, Gres]) -> SizeTable:
    offers = [ProviderSize(name, name, ram=ram, price=price) for name, (_, ram, price, _) in menu.items()]
    return SizeTable([SizeSection(n, cores, n, gres=gres) for n, (cores, _, _, gres) in menu.items()], offers, 1.0)


ALL = sizes(**MENU)


def job(cpus: int, ram: float = 0, **more: Any) -> JobShape:
    """A job that shares its nodes; `ram` infinite: it asks for none, and takes all."""
    return JobShape(cores=cpus, ram=0 if ram == math.inf else ram, takes=Footprint(cpus, ram), **more)


def room(cpus: int, ram: float = 9000, **more: Any) -> Capacity:
    return Capacity(cpus, ram, whole=False, jobs=1, **more)


def made(jobs: dict[JobShape, list[int]], tally: NodeTally | None = None, **more: Any) -> Plan:
    table = more.pop("table", ALL)
    health = {size: SizeHealth(proven=True) for size in table.by_id} | more.pop("health", {})
    drawn = picture(jobs, tally, table=table, health=health, bounds=more.pop("bounds", bounds()))
    return plan(replace(drawn, policy=replace(drawn.policy, **more.pop("options", {})), **more))


def loads(of: Plan) -> Booted:
    """The nodes that are booted, by size and by the cores and number of the jobs on each."""
    return Counter((new.size.id, tuple((shape.cores, number) for shape, number in new.jobs)) for new in of.boots)


def served(of: Plan) -> list[tuple[int, int, int]]:
    """Of each group the jobs served, those for which boots begin, and the nodes that they have at work."""
    return [(share.served, share.booting, share.in_rooms) for share in of.shares.values()]


# ---- what is booted --------------------------------------------------------------------------------------------------


def test_jobs_fill_the_nodes_that_are_booted_for_them() -> None:
    many = made({job(1, size="sixteen"): list(range(40))})
    assert loads(many) == {("sixteen", ((1, 16),)): 2, ("sixteen", ((1, 8),)): 1}
    assert served(many) == [(40, 40, 0)]
    assert many.wanted == {"sixteen": 3}


def test_of_sizes_that_cost_the_same_for_each_job_it_is_the_smaller() -> None:
    assert loads(made({job(1): list(range(16))}, options={"max_price_factor": 9.0})) == {("four", ((1, 4),)): 4}


def test_a_larger_size_is_booted_where_it_costs_less_for_each_job_and_is_not_too_dear() -> None:
    cheap = sizes(four=MENU["four"], sixteen=(16, 64_000, 0.7, ()))
    jobs = {job(1): list(range(16))}
    assert loads(made(jobs, table=cheap, options={"max_price_factor": 4.0})) == {("sixteen", ((1, 16),)): 1}
    assert loads(made(jobs, table=cheap, options={"max_price_factor": 3.4})) == {("four", ((1, 4),)): 4}
    one = made({job(1): [0]}, table=cheap, options={"max_price_factor": 4.0})
    assert loads(one) == {("four", ((1, 1),)): 1}


def test_the_largest_go_first_beside_the_one_that_a_node_is_booted_for() -> None:
    both = made({job(7, size="sixteen"): [0, 2, 4], job(9, size="sixteen"): [1, 3, 5]})
    assert loads(both) == {("sixteen", ((7, 1), (9, 1))): 3}


@pytest.mark.parametrize(("most", "each"), [(0, 16), (5, 5), (1, 1)])
def test_no_more_jobs_are_put_on_a_node_than_the_option_says(most: int, each: int) -> None:
    some = made({job(1, size="sixteen"): list(range(each))}, options={"max_jobs_per_node": most})
    assert loads(some) == {("sixteen", ((1, each),)): 1}
    more = made({job(1, size="sixteen"): list(range(each + 1))}, options={"max_jobs_per_node": most})
    assert len(more.boots) == 2


def test_memory_and_gres_bound_them_too() -> None:
    assert loads(made({job(1, 3000, size="four"): [0, 1, 2]})) == {
        ("four", ((1, 2),)): 1,
        ("four", ((1, 1),)): 1,
    }
    gpus = made({job(1, gres=(("gpu", 1),)): [0, 1, 2, 3, 4]})
    assert loads(gpus) == {("gpu", ((1, 2),)): 2, ("gpu", ((1, 1),)): 1}
    whole = made({job(1, math.inf, size="four"): [0, 1]})
    assert loads(whole) == {("four", ((1, 1),)): 2}


def test_jobs_that_share_with_nobody_have_nodes_to_themselves() -> None:
    alone = JobShape(cores=1, size="sixteen")
    assert loads(made({job(1, size="sixteen"): [0, 2], alone: [1]})) == {
        ("sixteen", ((1, 2),)): 1,
        ("sixteen", ((1, 1),)): 1,
    }


def test_jobs_of_several_nodes_have_each_of_them_elsewhere() -> None:
    pairs = made({job(8, nodes=2, size="sixteen"): [0, 1, 2]})
    assert loads(pairs) == {("sixteen", ((8, 2),)): 3}
    assert served(pairs) == [(3, 3, 0)]
    beside = made({job(12, nodes=2, size="sixteen"): [0], job(4, size="sixteen"): [1, 2, 3]})
    assert loads(beside) == {("sixteen", ((12, 1), (4, 1))): 2, ("sixteen", ((4, 1),)): 1}


def test_a_size_whose_figures_say_nothing_is_had_whole() -> None:
    unknown = sizes(any=(0, 0, 0.1, ()))
    assert loads(made({job(1): [0, 1]}, table=unknown)) == {("any", ((1, 1),)): 2}


def test_a_job_gets_the_size_that_it_names_whatever_its_figures_say() -> None:
    assert loads(made({job(9, size="four"): [0, 1]})) == {("four", ((9, 1),)): 2}


def test_a_size_that_does_not_hold_what_a_job_takes_is_none_of_its() -> None:
    more = JobShape(cores=3, takes=Footprint(6))
    of = made({more: [0]})
    assert loads(of) == {("sixteen", ((3, 1),)): 1}
    assert [size.id for size in of.shares[more].choices] == ["sixteen", "gpu"]


def test_nodes_at_another_place_are_not_shared() -> None:
    course = Place(inside=("course",))
    inside, outside, anywhere = job(1, place=course), job(2, place=Place(outside=("course",))), job(1, size="four")
    of = made({inside: [0], outside: [1], anywhere: [2]})
    assert [(new.place, new.jobs) for new in of.boots] == [
        (course, ((inside, 1), (anywhere, 1))),
        (outside.place, ((outside, 1),)),
    ]


# ---- how long jobs run -----------------------------------------------------------------------------------------------


def test_a_long_job_does_not_keep_a_large_node_alive_for_which_short_ones_asked() -> None:
    menu = sizes(one=(1, 4000, 0.05, ()), sixteen=(16, 64_000, 0.7, ()))
    long, short = job(1, size=None), job(1, 1000)
    jobs = {long: [0], short: list(range(1, 16))}
    alike = made(jobs, table=menu, options={"max_price_factor": 20.0})
    assert loads(alike) == {("sixteen", ((1, 1), (1, 15))): 1}
    times = {long: 36_000.0, short: 60.0}
    unlike = made(jobs, table=menu, options={"max_price_factor": 20.0}, run_times=times)
    assert loads(unlike)[("one", ((1, 1),))] >= 1
    assert all(len(load) == 1 for _, load in loads(unlike))


def test_a_group_of_which_nothing_is_known_counts_as_the_usual_one() -> None:
    known, unknown = job(1, size="four"), job(2, size="four")
    usual = made({unknown: [0], known: [1, 2]}, run_times={known: 50.0})
    assert loads(usual) == {("four", ((2, 1), (1, 2))): 1}


# ---- what there is ---------------------------------------------------------------------------------------------------


def test_room_is_filled_before_anything_is_booted() -> None:
    free = NodeTally(rooms={"four": {room(2): 2}, "sixteen": {room(3): 1}}, nodes=3, up=3)
    assert served(made({job(1): list(range(7))}, free)) == [(7, 0, 7)]
    more = made({job(1): list(range(8))}, free)
    assert served(more) == [(8, 1, 7)]
    assert loads(more) == {("four", ((1, 1),)): 1}


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        (job(2, 2000), True),
        (job(3, 2000), False),
        (job(2, 2001), False),
        (job(1, math.inf), False),
        (JobShape(), False),
        (job(1, size="sixteen"), False),
        (job(1, gres=(("gpu", 1),)), False),
        (job(1, place=Place(inside=("course",))), False),
    ],
)
def test_room_is_for_what_fits_there(shape: JobShape, fits: bool) -> None:
    free = NodeTally(rooms={"four": {room(2, 2000): 1}}, nodes=1, up=1)
    of = made({shape: [0], job(9): [1]}, free)
    assert (of.shares[shape].in_rooms, len(of.boots)) == ((1, 1) if fits else (0, len(of.boots)))
    assert of.shares[shape].booting == (not fits)


def test_a_node_with_so_many_jobs_has_no_room_for_more() -> None:
    free = NodeTally(rooms={"four": {room(2): 1}}, nodes=1, up=1)
    assert served(made({job(1): [0, 1]}, free, options={"max_jobs_per_node": 2})) == [(2, 1, 1)]


def test_whole_nodes_are_shared_and_those_that_nobody_needs_are_left() -> None:
    nodes = NodeTally(supply={"four": (2, 1, 2, 0)}, nodes=5, up=5)
    ends = Ends(idle={"four": [IdleBin("a", 0, "four", 0.2), IdleBin("b", 1, "four", 0.2)]}, chances={})
    pending = [Pending(1, "four"), Pending(2, "four")]
    of = made({job(1): list(range(9))}, nodes, pending=pending, ends=ends)
    assert served(of) == [(9, 0, 0)]
    assert of.end_boots == [2, 1]
    ((idle, _),) = of.wanted_idle
    assert [node.id for node in idle] == ["a", "b"]
    few = made({job(1): list(range(13))}, nodes, pending=pending, ends=ends)
    assert few.end_boots == [2]


def test_what_the_scheduler_says_that_nodes_have_counts_more_than_the_size() -> None:
    nodes = NodeTally(
        supply={"sixteen": (3, 0, 0, 0)},
        whole={("sixteen", 0): {Capacity(15, 60_000): 1, Capacity(14, 60_000): 1}},
        nodes=3,
        up=3,
    )
    of = made({job(1, size="sixteen"): list(range(15 + 14 + 14 + 14 + 1))}, nodes)
    assert loads(of) == {("sixteen", ((1, 14),)): 1, ("sixteen", ((1, 1),)): 1}


def test_threads_make_whole_cores() -> None:
    nodes = NodeTally(rooms={"sixteen": {room(8, threads=2): 1}}, nodes=1, up=1)
    assert served(made({job(1, size="sixteen"): list(range(5))}, nodes)) == [(5, 1, 4)]


def test_a_job_of_several_nodes_takes_what_there_is_and_the_rest_is_booted() -> None:
    nodes = NodeTally(rooms={"sixteen": {room(8): 1}}, supply={"sixteen": (1, 0, 0, 0)}, nodes=2, up=2)
    of = made({job(8, nodes=3, size="sixteen"): [0, 1]}, nodes)
    assert loads(of) == {("sixteen", ((8, 2),)): 1, ("sixteen", ((8, 1),)): 1}
    assert served(of) == [(2, 2, 1)]


def test_shutdowns_are_taken_back_before_anything_is_booted() -> None:
    leaving = [Leaving("a", 1, "sixteen"), Leaving("b", 2, "sixteen")]
    of = made({job(1, size="sixteen"): list(range(40))}, leaving=leaving)
    assert of.take_back == ["b", "a"]
    assert loads(of) == {("sixteen", ((1, 8),)): 1}
    assert made({job(1, size="sixteen"): [0]}, leaving=leaving).take_back == ["b"]


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_at_a_limit_all_goes_in_the_order_of_service() -> None:
    small, big = job(1, size="sixteen"), job(12, size="sixteen")
    of = made({small: list(range(8)), big: [8, 9]}, bounds=bounds(max_nodes=1))
    assert loads(of) == {("sixteen", ((1, 8),)): 1}
    assert of.stopped == reasons.AtMaxNodes(wanted=2, size="sixteen", nodes=1, max_nodes=1)
    assert of.shares[big].cause is of.stopped
    late = made({big: [0, 5], small: [1, 2, 3, 4, 6]}, bounds=bounds(max_nodes=1))
    assert loads(late) == {("sixteen", ((12, 1), (1, 4))): 1}
    assert late.shares[big].cause is late.stopped
    assert late.shares[small].cause == reasons.Behind(limit=late.stopped)


def test_what_stands_behind_a_stopped_job_has_the_room_that_is_left() -> None:
    small, big = job(1, size="sixteen"), job(12, size="sixteen")
    of = made({big: [0, 1], small: [2, 3]}, bounds=bounds(max_nodes=1))
    assert loads(of) == {("sixteen", ((12, 1), (1, 2))): 1}
    assert served(of) == [(1, 1, 0), (2, 2, 0)]


def test_jobs_of_several_nodes_have_all_or_none_at_a_limit() -> None:
    pair, more = job(16, nodes=2, size="sixteen"), job(15, nodes=2, size="sixteen")
    of = made({pair: [0, 1], more: [2]}, bounds=bounds(max_nodes=3))
    assert loads(of) == {("sixteen", ((16, 1),)): 2}
    assert [(share.served, share.partly) for share in of.shares.values()] == [(1, 0), (0, 0)]
    one = NodeTally(supply={"sixteen": (1, 0, 0, 0)}, nodes=1, up=1)
    held = made({pair: [0], more: [1]}, one, bounds=bounds(max_nodes=1))
    assert [(share.served, share.partly) for share in held.shares.values()] == [(0, 1), (0, 0)]


def test_a_size_that_has_not_proved_itself_is_booted_a_few_at_a_time() -> None:
    small = job(1, size="sixteen")
    of = made({small: list(range(160))}, health={"sixteen": SizeHealth()})
    assert len(of.boots) == 5
    assert of.shares[small].cause == reasons.Unproven(size="sixteen", pending=5)
    wide = made({job(16, nodes=8, size="sixteen"): [0]}, health={"sixteen": SizeHealth()})
    assert [(share.served, share.partly) for share in wide.shares.values()] == [(0, 5)]
    assert wide.shares[next(iter(wide.shares))].cause == reasons.Unproven(size="sixteen", pending=5)


def test_while_the_cheapest_size_rests_a_dearer_one_is_booted_up_to_the_factor() -> None:
    resting = {"four": SizeHealth(backing_off=BackOff.CAPACITY, until=T + 60)}
    of = made({job(1): [0, 1]}, health=resting, options={"max_price_factor": 4.0})
    assert loads(of) == {("sixteen", ((1, 2),)): 1}
    none = made({job(1): [0]}, health=resting)
    assert isinstance(none.shares[job(1)].cause, reasons.BackingOff)


def test_where_names_are_short_a_job_waits_for_those() -> None:
    inside = job(1, place=Place(inside=("course",)))
    names = Names(Counter({(("course",), ()): 1}))
    of = made({inside: list(range(5))}, names=names)
    assert loads(of) == {("four", ((1, 4),)): 1}
    assert of.shares[inside].served == 4
    assert of.shares[inside].waits


def test_min_nodes_are_filled_up_after_the_jobs() -> None:
    of = made({job(1): [0]}, options={"min_nodes": 3})
    assert [new.shape is None for new in of.boots] == [False, True, True]


def test_a_zone_keeps_out_who_may_not_be_there() -> None:
    nodes = NodeTally(rooms={pool_of("four", ("course",)): {room(2): 1}}, nodes=1, up=1)
    assert served(made({job(1, place=Place(outside=("course",))): [0]}, nodes)) == [(1, 1, 0)]
    assert served(made({job(1, place=Place(inside=("course",))): [0]}, nodes)) == [(1, 0, 1)]
