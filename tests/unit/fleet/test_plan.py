"""The plan as a function: pictures in, plans out, and nothing else asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pictures import (
    BIG,
    IDLE_LONG,
    LARGE,
    OFFERS,
    ONE,
    PAIR,
    SECTIONS,
    WAITS,
    T,
    booted,
    bounds,
    gone,
    idle,
    kept,
    picture,
    supply,
)
from world import policy

from arvnodeman.fleet.plan.picture import (
    Chance,
    Ends,
    Going,
    Keep,
    Kept,
    Leaving,
    NodeTally,
    Pending,
    Stop,
    pool_of,
    size_of,
    zone_of,
)
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.plan.vain import Memory
from arvnodeman.fleet.sizes.limits import BackOff, SizeHealth
from arvnodeman.fleet.sizes.table import SizeTable
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.gate import Bar, Gate, Shut
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.places import Place
from arvnodeman.fleet.values.reasons_of_use import InVain, KeptInVain, ProbeFirst

# ---- pools -----------------------------------------------------------------------------------------------------------


def test_a_pool_is_named_by_its_size_and_zone() -> None:
    assert pool_of("small", ()) == "small"
    pool = pool_of("small", ("course", "window"))
    assert (size_of(pool), zone_of(pool)) == ("small", ("course", "window"))


# ---- jobs and boots --------------------------------------------------------------------------------------------------


def test_what_no_node_is_there_for_is_booted_for_its_jobs() -> None:
    made = plan(picture({ONE: [0, 1], BIG: [2]}, supply(small=(1, 0, 0, 0))))
    assert booted(made) == [("small", ONE), ("large", BIG)]
    assert made.wanted == {"small": 2, "large": 1}
    assert [share.served for share in made.shares.values()] == [2, 1]
    assert [share.booting for share in made.shares.values()] == [1, 1]
    assert not any(share.waits or share.cause for share in made.shares.values())
    alike = plan(picture({ONE: [0, 1], JobShape(ram=500): [2]}, supply(small=(9, 0, 0, 0))))
    assert alike.wanted == {"small": 3}


def test_the_tally_gate_and_news_of_the_picture_go_with_the_plan() -> None:
    shut = Gate((Shut(Bar.STOPPING, "the daemon stops"),))
    tally = supply(small=(1, 0, 0, 0))
    assert plan(picture({}, in_force=True)).in_force
    made = plan(picture({}, tally, gate=shut, news=7))
    assert (made.tally, made.gate, made.news, made.in_force) == (tally, shut, 7, False)


def test_a_picture_is_left_as_it_was() -> None:
    tally = supply(small=(1, 1, 0, 0))
    memory = Memory(until=T + 60)
    asked = picture({ONE: [0, 1, 2], BIG: [3]}, tally, vain={BIG: memory})
    again = plan(asked), plan(asked)
    assert again[0] == again[1]
    assert tally.supply == {"small": (1, 1, 0, 0)}
    assert memory == Memory(until=T + 60)


def test_a_job_that_names_no_size_takes_any_node_that_fits() -> None:
    made = plan(picture({ONE: [0, 1]}, supply(large=(1, 0, 1, 0))))
    assert not made.boots
    assert made.shares[ONE].served == 2


def test_a_limit_stops_a_job_and_all_behind_it_with_its_reason() -> None:
    made = plan(picture({BIG: [0], ONE: [1, 2]}, supply(large=(0, 0, 0, 0)), bounds=bounds(max_nodes=0)))
    assert not made.boots
    assert made.stopped == reasons.AtMaxNodes(wanted=1, size="large", nodes=0, max_nodes=0)
    assert made.stopped_size == LARGE
    assert made.shares[BIG].cause is made.stopped
    assert made.shares[ONE].cause == reasons.Behind(limit=made.stopped)
    assert all(share.waits for share in made.shares.values())


def test_each_bound_is_asked_with_what_stands() -> None:
    tally = replace(supply(small=(0, 0, 0, 0)), nodes=3, price=0.3)
    at_quota = plan(picture({ONE: [0]}, tally, bounds=bounds(quota=3, quota_until=T + 60))).stopped
    assert at_quota == reasons.AtQuota(until=T + 60, wanted=1, size="small", nodes=3, quota=3)
    at_slots = plan(picture({ONE: [0]}, tally, bounds=bounds(slots=3))).stopped
    assert isinstance(at_slots, reasons.AtQuota)
    assert at_slots.of == "slot quota (MaxComputeVMs)"
    at_cap = plan(picture({ONE: [0]}, tally, bounds=bounds(price_cap=0.35))).stopped
    assert isinstance(at_cap, reasons.AtPriceCap)
    assert (at_cap.total, at_cap.cap) == (0.3, 0.35)
    assert plan(picture({ONE: [0]}, tally, bounds=bounds(price_cap=0.4))).boots


def test_one_above_the_quota_may_be_tried_where_another_size_was_refused() -> None:
    tally = replace(NodeTally(), nodes=3)
    asked = picture({ONE: [0, 1]}, tally, bounds=bounds(quota=3), other_size_may_try=True)
    assert booted(plan(asked)) == [("small", ONE)]


def test_boots_count_for_the_bounds_of_those_behind() -> None:
    made = plan(picture({ONE: [0, 1, 2]}, bounds=bounds(max_nodes=2)))
    assert len(made.boots) == 2
    assert made.shares[ONE].served == 2
    assert made.shares[ONE].waits


def test_a_job_of_several_nodes_has_all_or_none() -> None:
    assert not plan(picture({PAIR: [0]}, bounds=bounds(max_nodes=1))).boots
    assert booted(plan(picture({PAIR: [0]}, bounds=bounds(max_nodes=2)))) == [("large", PAIR), ("large", PAIR)]


def test_a_size_that_rests_is_passed_over_within_the_price_factor() -> None:
    resting = SizeHealth(proven=True, backing_off=BackOff.CAPACITY, until=T + 60, detail="none left")
    health = {"small": resting, "large": SizeHealth(proven=True)}
    made = plan(picture({ONE: [0]}, health=health, policy=policy(max_price_factor=4.0)))
    assert booted(made) == [("large", ONE)]
    waits = plan(picture({ONE: [0]}, health=health, policy=policy(max_price_factor=3.9))).shares[ONE]
    assert waits.cause == reasons.BackingOff(
        until=T + 60, size="small", why=BackOff.CAPACITY.value, detail="none left", too_dear="large"
    )


def test_few_nodes_of_a_size_come_before_one_is_up() -> None:
    health = {"small": SizeHealth(), "large": SizeHealth()}
    tally = replace(NodeTally(), pending=Counter(small=3))
    made = plan(picture({ONE: [0, 1, 2, 3]}, tally, health=health))
    assert len(made.boots) == 2
    assert made.shares[ONE].cause == reasons.Unproven(size="small", pending=5)


def test_min_nodes_are_filled_up_after_all_wishes_with_the_cheapest() -> None:
    made = plan(picture({BIG: [0]}, policy=policy(min_nodes=3)))
    assert booted(made) == [("large", BIG), ("small", None), ("small", None)]
    assert not plan(picture({}, supply(small=(3, 0, 0, 0)), policy=policy(min_nodes=3))).boots
    assert len(plan(picture({}, policy=policy(min_nodes=3), bounds=bounds(max_nodes=2))).boots) == 2


def test_a_job_that_can_never_run_is_named_with_its_words() -> None:
    hopeless, many = JobShape(cores=64), JobShape(nodes=9)
    shares = plan(picture({hopeless: [0], many: [1], ONE: [2]})).shares
    assert shares[hopeless].never == "Constraints cannot be satisfied by any node type"
    assert shares[many].never == "Job's min_nodes constraint is greater than the configured max_nodes (8)"
    assert not shares[ONE].never
    dear = plan(picture({BIG: [0]}, policy=policy(max_total_price=0.3))).shares[BIG]
    assert dear.never == "Job's price (0.4) is above system's max_price limit (0.3)"


def test_a_size_that_the_provider_lacks_now_is_no_job_to_cancel() -> None:
    table = SizeTable(SECTIONS, OFFERS[:1], 1.0)
    shape = JobShape(size="large")
    share = plan(picture({shape: [0]}, table=table)).shares[shape]
    assert not share.never
    assert share.cause is not None
    assert "large cannot be booted now" in share.cause.words(T)


def test_jobs_for_which_nodes_came_in_vain_have_none_until_their_back_off_is_over() -> None:
    waiting = plan(picture({ONE: [0, 1]}, supply(small=(2, 0, 0, 0)), vain={ONE: Memory(until=T + 60)}))
    assert isinstance(waiting.shares[ONE].cause, InVain)
    assert (waiting.shares[ONE].served, waiting.shares[ONE].limit, waiting.shares[ONE].waits) == (0, 0, False)
    probing = plan(picture({ONE: [0, 1]}, vain={ONE: Memory(until=T)}))
    assert len(probing.boots) == 1
    assert isinstance(probing.shares[ONE].cause, ProbeFirst)
    planned = replace(NodeTally(), planned=Counter(small=1))
    assert not plan(picture({ONE: [0, 1]}, planned, vain={ONE: Memory(until=T)})).boots


# ---- what is taken back, and what need not come ----------------------------------------------------------------------


def test_shutdowns_are_taken_back_before_anything_is_booted_the_newest_first() -> None:
    leaving = [Leaving("old", 1, "small"), Leaving("new", 2, "small"), Leaving("other", 3, "large")]
    made = plan(picture({ONE: [0]}, leaving=leaving))
    assert (made.take_back, made.boots) == (["new"], [])
    more = plan(picture({ONE: [0, 1, 2]}, leaving=leaving))
    assert more.take_back == ["new", "old"]
    assert booted(more) == [("small", ONE)]


def test_a_node_at_its_last_look_is_taken_back_before_those_alike() -> None:
    leaving = [Leaving("asks", 1, "small"), Leaving("new", 2, "small")]
    assert plan(picture({ONE: [0]}, leaving=leaving, asking="asks")).take_back == ["asks"]
    assert not plan(picture({BIG: [0]}, leaving=leaving, asking="asks")).take_back


def test_what_is_taken_back_needs_no_room_under_the_limits() -> None:
    made = plan(picture({ONE: [0]}, leaving=[Leaving("a", 1, "small")], bounds=bounds(max_nodes=0)))
    assert made.take_back == ["a"]
    resting = {"small": SizeHealth(backing_off=BackOff.CAPACITY, until=T + 60), "large": SizeHealth()}
    assert plan(picture({ONE: [0]}, leaving=[Leaving("a", 1, "small")], health=resting)).take_back == ["a"]


def test_a_shutdown_is_taken_back_only_where_the_job_may_have_the_name() -> None:
    shape = JobShape(place=Place(inside=("course",)))
    outside, inside = Leaving("out", 1, "small"), Leaving("in", 2, pool_of("small", ("course",)))
    assert plan(picture({shape: [0]}, leaving=[outside, inside])).take_back == ["in"]


def test_boots_that_nobody_needs_end_the_youngest_first() -> None:
    pending = [Pending(1, "small"), Pending(2, "small", stoppable=False), Pending(3, "small"), Pending(4, "large")]
    made = plan(picture({ONE: [0]}, supply(small=(0, 0, 3, 0), large=(0, 0, 0, 0)), pending=pending))
    assert made.end_boots == [3, 1]
    least = picture({}, supply(small=(0, 0, 3, 0)), pending=pending, policy=policy(min_nodes=2))
    assert plan(least).end_boots == [3]


# ---- what goes -------------------------------------------------------------------------------------------------------


def test_without_a_node_poll_nothing_is_said_of_nodes() -> None:
    made = plan(picture({}, supply(small=(1, 0, 0, 0))))
    assert (made.verdicts, made.wanted_idle) == ((), ())


def test_idle_nodes_that_nobody_wants_go_the_longest_idle_first_and_held_ones_last() -> None:
    nodes = [idle("held", since=T - 900, held=True), idle("young", since=T - 60), idle("old", since=T - 600)]
    ends = Ends(idle={"small": nodes}, chances=dict.fromkeys(("held", "young", "old"), IDLE_LONG))
    made = plan(picture({ONE: [0]}, supply(small=(3, 0, 0, 0)), ends=ends))
    assert gone(made) == ["old", "young"]
    assert kept(made) == {"held": reasons.Wanted(size="small")}
    assert all(isinstance(each, Keep) or each.kind is ShutdownKind.UNWANTED for each in made.verdicts)


def test_of_nodes_idle_since_one_moment_those_that_came_first_go_first() -> None:
    nodes = [idle("b", turn=2), idle("a", turn=1), idle("new", turn=0, since=None)]
    ends = Ends(idle={"small": nodes}, chances=dict.fromkeys(("a", "b", "new"), IDLE_LONG))
    made = plan(picture({ONE: [0]}, supply(small=(3, 0, 0, 0)), ends=ends))
    assert gone(made) == ["new", "a"]


def test_the_dearest_go_first_and_min_nodes_stay() -> None:
    ends = Ends(
        idle={"small": [idle("cheap", since=T - 900)], "large": [idle("dear", LARGE)]},
        chances=dict.fromkeys(("cheap", "dear"), IDLE_LONG),
    )
    made = plan(picture({}, supply(small=(1, 0, 0, 0), large=(1, 0, 0, 0)), ends=ends, policy=policy(min_nodes=1)))
    assert gone(made) == ["dear"]
    assert kept(made) == {"cheap": reasons.KeepsMinimum(min_nodes=1)}


def test_nodes_that_work_that_come_and_that_stay_count_for_min_nodes() -> None:
    chances = {"a": IDLE_LONG}
    alone = Ends(idle={"small": [idle("a")]}, chances=chances)
    for more, goes in (
        ({}, False),
        ({"busy": 1}, True),
        ({"unlisted": 1}, True),
        ({"cases": [Keep("b", WAITS)]}, True),
        ({"cases": [Keep("b", WAITS, up=False)]}, False),
        ({"cases": [Going("b", makes_room=True)]}, False),
    ):
        ends = replace(alone, **more)
        made = plan(picture({}, supply(small=(1, 0, 0, 0)), ends=ends, policy=policy(min_nodes=1)))
        assert (gone(made) == ["a"]) is goes, more


def test_a_boot_that_ends_at_once_counts_no_more() -> None:
    ends = Ends(idle={"small": [idle("a")]}, chances={"a": IDLE_LONG}, unlisted=1)
    tally = supply(small=(1, 0, 1, 0))
    for at_once, goes in ((True, []), (False, ["a"])):
        asked = picture({}, tally, ends=ends, policy=policy(min_nodes=1), pending=[Pending(1, "small", True, at_once)])
        made = plan(asked)
        assert made.end_boots == [1]
        assert gone(made) == goes


def test_a_node_that_may_not_go_yet_stays_for_its_own_reason() -> None:
    ends = Ends(idle={"small": [idle("a")]}, chances={"a": Chance(WAITS, 1)})
    made = plan(picture({}, supply(small=(1, 0, 0, 0)), ends=ends))
    assert made.verdicts == [Keep("a", WAITS)]


def test_more_nodes_than_are_there_never_go() -> None:
    """An idle node on which our hand lies is supply, and none that may go."""
    ends = Ends(idle={"small": [idle("a")]}, chances={"a": IDLE_LONG})
    assert gone(plan(picture({}, supply(small=(3, 0, 0, 0)), ends=ends))) == ["a"]


def test_a_node_makes_room_for_a_job_that_a_limit_stops_whatever_its_window_says() -> None:
    shut = Chance(reasons.WindowShut(until=T + 60), 3, enough=True)
    ends = Ends(idle={"small": [idle("a"), idle("b", turn=1)]}, chances={"a": shut, "b": shut}, busy=1)
    full = {"bounds": bounds(max_nodes=3), "policy": policy(max_nodes=3, min_nodes=3)}
    tally = replace(supply(small=(2, 0, 0, 0)), nodes=3, up=3)
    made = plan(picture({BIG: [0]}, tally, ends=ends, **full))
    assert made.verdicts[0] == Stop("a", ShutdownKind.UNWANTED, reasons.IdleExceeded(polls=3, makes_room=True))
    assert made.verdicts[1] == Keep("b", reasons.WindowShut(until=T + 60))
    few = replace(ends, chances=dict.fromkeys("ab", Chance(WAITS, 1)))
    assert not gone(plan(picture({BIG: [0]}, tally, ends=few, **full)))
    held = replace(ends, chances=dict.fromkeys("ab", Chance(reasons.Held(), 3, enough=True)))
    assert not gone(plan(picture({BIG: [0]}, tally, ends=held, **full)))


def test_what_goes_already_makes_the_room_unless_it_is_taken_back_or_works() -> None:
    shut = Chance(reasons.WindowShut(until=T + 60), 3, enough=True)
    tally = replace(supply(small=(1, 0, 0, 0)), nodes=3)
    for case, goes in (
        (Going("x", makes_room=True), False),
        (Going("x", makes_room=False), True),
        (Stop("x", ShutdownKind.REMOVAL, reasons.HasFailed()), False),
        (Stop("x", ShutdownKind.REMOVAL, reasons.HasFailed(), works=True), True),
    ):
        ends = Ends(cases=[case], idle={"small": [idle("a")]}, chances={"a": shut})
        made = plan(picture({BIG: [0]}, tally, ends=ends, bounds=bounds(max_nodes=3)))
        assert ("a" in gone(made)) is goes, case


def test_a_node_taken_back_at_once_stays_since_it_is_wanted() -> None:
    ends = Ends(cases=[Going("x", makes_room=True)])
    leaving = [Leaving("x", 1, "small", at_once=True)]
    made = plan(picture({ONE: [0]}, leaving=leaving, ends=ends))
    assert made.take_back == ["x"]
    assert made.verdicts == [Keep("x", reasons.Wanted(size="small"))]
    later = plan(picture({ONE: [0]}, leaving=[Leaving("x", 1, "small")], ends=ends))
    assert (later.take_back, later.verdicts) == (["x"], [])


def test_a_node_kept_in_vain_goes_where_a_job_would_have_room_without_it() -> None:
    """Two nodes may be there, a job wants two, and Slurm keeps the one that is there for another job, for ever."""
    in_vain, works = KeptInVain(seconds=300), reasons.working("plnd")
    ends = Ends(cases=[Kept("p", in_vain, works, 0.1, "large")], may_unplan=True)
    one, two = NodeTally(nodes=1, price=0.1), NodeTally(nodes=2, price=0.2)
    assert gone(plan(picture({PAIR: [0]}, one, ends=ends, bounds=bounds(max_nodes=2)))) == ["p"]
    assert gone(plan(picture({PAIR: [0]}, one, ends=ends, bounds=bounds(price_cap=2 * LARGE.price)))) == ["p"]
    least = policy(min_nodes=1)
    assert gone(plan(picture({PAIR: [0]}, one, ends=ends, bounds=bounds(max_nodes=2), policy=least))) == ["p"]
    assert not gone(plan(picture({PAIR: [0]}, one, ends=ends, bounds=bounds(max_nodes=3), policy=least)))
    assert not gone(plan(picture({PAIR: [0]}, two, ends=ends, bounds=bounds(max_nodes=2)))), "the other works"
    assert not gone(plan(picture({BIG: [0]}, one, ends=ends, bounds=bounds(max_nodes=1)))), "it may run there"
    assert not gone(plan(picture({PAIR: [0]}, one, ends=ends, bounds=bounds(max_nodes=3)))), "there is room"
    cautious = replace(ends, may_unplan=False)
    assert not gone(plan(picture({PAIR: [0]}, one, ends=cautious, bounds=bounds(max_nodes=2))))


def test_a_node_kept_in_vain_goes_where_no_job_that_may_have_it_waits() -> None:
    in_vain, works = KeptInVain(seconds=300), reasons.working("plnd")
    case = Kept("p", in_vain, works, 0.1, "small")
    ends = Ends(cases=[case], may_unplan=True)
    assert plan(picture({}, ends=ends)).verdicts == [Stop("p", ShutdownKind.UNWANTED, in_vain)]
    assert plan(picture({BIG: [0]}, ends=ends)).verdicts == [Stop("p", ShutdownKind.UNWANTED, in_vain)]
    assert plan(picture({ONE: [0]}, ends=ends)).verdicts == [Keep("p", works, told=False)]
    assert plan(picture({}, ends=replace(ends, may_unplan=False))).verdicts == [Keep("p", works, told=False)]
    backing_off = {ONE: Memory(until=T + 60)}
    assert gone(plan(picture({ONE: [0]}, ends=ends, vain=backing_off))) == ["p"]
    spent = replace(NodeTally(), planned=Counter(small=1))
    probing = plan(picture({ONE: [0]}, spent, ends=ends, vain={ONE: Memory(until=T)}))
    assert not gone(probing)  # it is the probe
    inside = JobShape(place=Place(inside=("course",)))
    assert gone(plan(picture({inside: [0]}, ends=ends))) == ["p"]
    least = plan(picture({}, ends=ends, policy=policy(min_nodes=1)))
    assert least.verdicts == [Keep("p", reasons.KeepsMinimum(min_nodes=1))]


def test_each_node_that_goes_counts_no_more_and_makes_its_room() -> None:
    shut = Chance(reasons.WindowShut(until=T + 60), 3, enough=True)
    nodes = [idle(name, since=T - age) for name, age in (("a", 900), ("b", 600), ("c", 300), ("d", 60))]
    tally = supply(small=(4, 0, 0, 0))
    all_may = Ends(idle={"small": nodes}, chances=dict.fromkeys("abcd", IDLE_LONG))
    assert gone(plan(picture({}, tally, ends=all_may, policy=policy(min_nodes=2)))) == ["a", "b"]
    some = Ends(idle={"small": nodes}, chances={"a": IDLE_LONG, "b": shut, "c": shut, "d": shut})
    two = plan(picture({BIG: [0, 1]}, tally, ends=some, bounds=bounds(max_nodes=4)))
    assert gone(two) == ["a", "b"]
