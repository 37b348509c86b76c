"""What keeps jobs from nodes beside the bounds of the site: licences, limits of accounting, memories of vain boots."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from pictures import BIG, LARGE, ONE, PAIR, T, booted, bounds, gone, picture
from world import policy

from arvnodeman.fleet.outlook.accounting import Accounting, Counted, LimitKind, Qos, Use
from arvnodeman.fleet.outlook.ahead import Outlook, Reservation
from arvnodeman.fleet.plan.picture import Ends, Kept, NodeTally
from arvnodeman.fleet.plan.plan import plan
from arvnodeman.fleet.plan.vain import Memory
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import JobOwner, JobShape
from arvnodeman.fleet.values.obstacles import LimitReached, NoLicence
from arvnodeman.fleet.values.reasons_of_use import InVain, KeptInVain, ProbeFirst

SOLVER: Gres = (("solver", 1),)
BOTH: Gres = (("solver", 1), ("mesher", 2))
WANTS = JobShape(licences=(SOLVER,))
WANTS_BOTH = JobShape(cores=4, licences=(BOTH,))
EITHER = JobShape(licences=((("mesher", 1),), SOLVER))


def served(jobs: dict[JobShape, list[int]], outlook: Outlook) -> dict[JobShape, tuple[int, reasons.Reason | None]]:
    """How many jobs of each group have nodes, and why the next has none."""
    made = plan(picture(jobs, outlook=outlook))
    assert len(made.boots) == sum(share.served * share.shape.nodes for share in made.shares.values())
    return {shape: (share.served, share.cause) for shape, share in made.shares.items()}


# ---- licences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "free", "expected"),
    [
        ({WANTS: [0, 1, 2]}, {"solver": 3}, {WANTS: (3, None)}),
        ({WANTS: [0, 1, 2]}, {"solver": 2}, {WANTS: (2, NoLicence(licence="solver", free=2))}),
        ({WANTS: [0]}, {"solver": 0}, {WANTS: (0, NoLicence(licence="solver", free=0))}),
        ({WANTS: [0]}, {"mesher": 0}, {WANTS: (1, None)}),  # nothing is known of it
        ({ONE: [0, 1], WANTS: [2]}, {"solver": 0}, {ONE: (2, None), WANTS: (0, NoLicence(licence="solver", free=0))}),
        (
            {WANTS: [1, 2], WANTS_BOTH: [0]},
            {"solver": 2, "mesher": 2},
            {WANTS: (1, NoLicence(licence="solver", free=2)), WANTS_BOTH: (1, None)},
        ),
        (
            {WANTS: [1, 2], WANTS_BOTH: [0]},
            {"solver": 2, "mesher": 1},
            {WANTS: (2, None), WANTS_BOTH: (0, NoLicence(licence="mesher", free=1))},
        ),
        ({WANTS_BOTH: [0]}, {"solver": 1, "mesher": 1}, {WANTS_BOTH: (0, NoLicence(licence="mesher", free=1))}),
        ({EITHER: [0, 1, 2]}, {"solver": 1, "mesher": 1}, {EITHER: (2, NoLicence(licence="mesher", free=1))}),
        (
            {WANTS: [0, 1, 5], EITHER: [2, 3]},
            {"solver": 3, "mesher": 0},
            {WANTS: (2, NoLicence(licence="solver", free=3)), EITHER: (1, NoLicence(licence="mesher", free=0))},
        ),
    ],
)
def test_licences_are_given_out_in_the_order_of_service(
    jobs: dict[JobShape, list[int]], free: dict[str, int], expected: dict[JobShape, tuple[int, reasons.Reason | None]]
) -> None:
    assert served(jobs, Outlook(licences=free)) == expected


def test_licences_that_its_own_reservation_keeps_are_not_counted_for_a_job() -> None:
    keeping = Reservation("keeping", 0.0, 1.0, licences=SOLVER)
    outlook = Outlook({"keeping": keeping, "plain": Reservation("plain", 0.0, 1.0)}, {"solver": 0})
    for reservation, number in (("keeping", 1), ("plain", 0), ("plain,keeping", 1), ("gone", 0), ("", 0)):
        shape = replace(WANTS, reservation=reservation)
        assert served({shape: [0]}, outlook)[shape][0] == number, reservation


def test_a_group_that_is_on_probation_has_no_more_by_its_licences() -> None:
    """Nor is a licence given out to its jobs that may have no node, if another could use it."""
    outlook = Outlook(licences={"solver": 2, "mesher": 0})
    shares = plan(picture({WANTS: [0, 1], EITHER: [2]}, outlook=outlook, vain={WANTS: Memory(until=T)})).shares
    assert [share.served for share in shares.values()] == [1, 1]
    assert isinstance(shares[WANTS].cause, ProbeFirst)


# ---- limits of accounting --------------------------------------------------------------------------------------------

ANNA = JobShape(owner=JobOwner("anna", "chem", "short"), partitions=("main",))
BERT = replace(ANNA, owner=JobOwner("bert", "chem", "short"))
ANNA_LARGE = replace(ANNA, cores=4)
NODES = LimitKind(Counted.NODES)
CPUS = LimitKind(Counted.CPUS)
EACH = LimitKind(Counted.CPUS, of_each_job=True)


def enforced(**rules: Use) -> Outlook:
    return Outlook(accounting=Accounting(qos={"short": Qos(rules)}, partitions={"main": ""}))


def reached(rule: str, use: Use, wanted: float = 1.0, *, shared: bool = True) -> LimitReached:
    return LimitReached(None, "QOS short", rule, use.limit, use.used, wanted, shared)


@pytest.mark.parametrize(
    ("jobs", "use", "expected"),
    [
        ({ANNA: [0, 1, 2]}, Use(3, 0, NODES), [(3, 0)]),
        ({ANNA: [0, 1, 2]}, Use(3, 1, NODES), [(2, 1)]),
        ({ANNA: [0, 1, 2]}, Use(3, 3, NODES), [(0, 1)]),
        ({ANNA: [0, 2], BERT: [1, 3]}, Use(3, 0, NODES), [(2, 0), (1, 1)]),
        ({ANNA: [0, 1, 5], BERT: [2, 3]}, Use(3, 0, NODES), [(2, 1), (1, 1)]),
        ({ANNA_LARGE: [0], ANNA: [1, 2]}, Use(5, 0, CPUS), [(1, 0), (1, 1)]),
        ({ANNA_LARGE: [1], ANNA: [0, 2]}, Use(4, 0, CPUS), [(0, 4), (2, 0)]),
        ({ANNA_LARGE: [1], ANNA: [0, 2]}, Use(3, 0, EACH), [(0, 4), (2, 0)]),
        ({ANNA_LARGE: [1], ANNA: [0, 2]}, Use(4, 9, EACH), [(0, 4), (0, 1)]),
        ({ONE: [0], ANNA: [1, 2]}, Use(1, 0, NODES), [(1, 0), (1, 1)]),
    ],
)
def test_limits_of_accounting_are_shared_in_the_order_of_service(
    jobs: dict[JobShape, list[int]], use: Use, expected: list[tuple[int, float]]
) -> None:
    """`expected`: how many have nodes, and what the next needs of the limit; 0: none waits."""
    found = served(jobs, enforced(rule=use))
    shared = use.of is not EACH
    assert list(found.values()) == [
        (number, reached("rule", use, wanted, shared=shared) if wanted else None) for number, wanted in expected
    ]


def test_of_several_limits_the_first_that_is_reached_is_told() -> None:
    wide, tight = Use(9, 0, CPUS), Use(1, 0, NODES)
    assert served({ANNA: [0, 1]}, enforced(wide=wide, tight=tight)) == {ANNA: (1, reached("tight", tight))}


@pytest.mark.parametrize(("used", "number"), [(9.5, 2), (10, 0), (11, 0)])
def test_minutes_that_are_spent_stop_jobs_whatever_they_need(used: float, number: int) -> None:
    use = Use(10, used, LimitKind(Counted.SPENT))
    cause = None if number else reached("minutes", use, 0.0)
    assert served({ANNA: [0, 1]}, enforced(minutes=use)) == {ANNA: (number, cause)}


def test_a_limit_of_the_site_is_told_before_a_licence_that_a_later_job_lacks() -> None:
    made = plan(picture({WANTS: [0, 1, 2]}, outlook=Outlook(licences={"solver": 2}), bounds=bounds(max_nodes=1)))
    assert made.shares[WANTS].cause == reasons.AtMaxNodes(wanted=1, size="small", nodes=1, max_nodes=1)


# ---- groups for which nodes came in vain -----------------------------------------------------------------------------


def test_a_group_in_vain_holds_no_other_back() -> None:
    shares = plan(picture({ONE: [0, 1], BIG: [2]}, vain={BIG: Memory(until=T + 60, reason="Licenses")})).shares
    assert (shares[ONE].served, shares[ONE].cause) == (2, None)
    assert (shares[BIG].served, shares[BIG].cause) == (0, InVain(until=T + 60, said="Licenses"))


@pytest.mark.parametrize(("at_once", "planned", "limit"), [(1, 0, 1), (2, 0, 2), (2, 1, 2), (2, 3, 1), (2, 4, 0)])
def test_nodes_that_slurm_plans_are_a_part_of_the_probe(at_once: int, planned: int, limit: int) -> None:
    tally = replace(NodeTally(), planned=Counter(large=planned))
    made = plan(picture({PAIR: [0, 1, 2]}, tally, vain={PAIR: Memory(until=T, at_once=at_once)}))
    assert (made.shares[PAIR].served, made.shares[PAIR].limit) == (limit, limit)
    assert made.shares[PAIR].cause == ProbeFirst(jobs=at_once)
    assert booted(made) == [("large", PAIR)] * 2 * limit


def test_a_node_kept_in_vain_stays_for_the_one_job_that_may_still_have_it() -> None:
    case = Kept("p", KeptInVain(seconds=300), reasons.working("plnd"), 0.1, "small")
    for free, goes in ((0, ["p"]), (1, [])):
        asked = picture(
            {WANTS: [0, 1]}, outlook=Outlook(licences={"solver": free}), ends=Ends((case,), may_unplan=True)
        )
        assert gone(plan(asked)) == goes


# ---- jobs that can never run -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nodes", "most", "never"), [(2, 2, ""), (2, 1, "1"), (3, 2, "2"), (2, 0, ""), (9, 0, "")])
def test_a_job_of_more_nodes_than_may_be_never_runs(nodes: int, most: int, never: str) -> None:
    shape = JobShape(nodes=nodes)
    words = f"Job's min_nodes constraint is greater than the configured max_nodes ({never})" if never else ""
    assert plan(picture({shape: [0]}, policy=policy(max_nodes=most))).shares[shape].never == words


@pytest.mark.parametrize(("nodes", "cap", "never"), [(1, 0.4, False), (2, 0.4, True), (2, 0.8, False), (3, 0.8, True)])
def test_a_job_that_costs_more_than_all_may_never_runs(nodes: int, cap: float, never: bool) -> None:
    shape = JobShape(cores=4, nodes=nodes)
    share = plan(picture({shape: [0]}, policy=policy(max_total_price=cap))).shares[shape]
    price = LARGE.price * nodes
    assert share.never == (f"Job's price ({price:g}) is above system's max_price limit ({cap:g})" if never else "")


def test_a_job_that_names_a_size_never_runs_for_the_same_reasons() -> None:
    shape = JobShape(size="small", nodes=9)
    never = "Job's min_nodes constraint is greater than the configured max_nodes (8)"
    assert plan(picture({shape: [0]})).shares[shape].never == never
