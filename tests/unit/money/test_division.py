"""What a node costs is divided among jobs: by the larger of their shares, and so that it adds up."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arvnodeman.fleet.values.budgets import USUAL_LIFE
from arvnodeman.money.division import NO_JOB, Charge, PaidNode, Stake, Stay, charges, divided, part_of, stakes_now
from arvnodeman.money.ledger import LEAST_LEFT, STEP, CostLedger, NodeBill
from arvnodeman.money.payers import LONGEST, OVERHEAD, Payer, Whose, known

HOUR = 3600.0
ANN, BOB = Payer("ann", "physics", "normal", "main"), Payer("bob", "biology", "normal", "main")


def by_job(found: list[Charge]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for charge in found:
        sums[charge.stake.job] = sums.get(charge.stake.job, 0.0) + charge.dollars
    return sums


@pytest.mark.parametrize(
    ("cpus", "ram", "part"),
    [
        (1, 0, 0.25),
        (1, 8000, 0.5),  # the larger of both
        (4, 1000, 1.0),
        (8, 0, 1.0),  # never more than all of it
        (0, 0, 1e-6),
    ],
)
def test_a_jobs_part_is_the_larger_of_its_shares(cpus: float, ram: float, part: float) -> None:
    assert part_of(cpus, ram, 4, 16000) == pytest.approx(part)


def test_what_is_not_known_of_a_node_counts_for_nothing() -> None:
    assert part_of(1, 8000, 4, 0) == 0.25
    assert part_of(1, 8000, 0, 0) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("parts", "paid"),
    [
        ((0.25,), (1.0,)),  # alone on it: all of it, however little it uses
        ((0.25, 0.25), (0.5, 0.5)),
        ((0.5, 0.25), (2 / 3, 1 / 3)),
        ((1.0, 1.0), (0.5, 0.5)),  # shares that add up to more than all, as one has all cores and one all memory
        ((0.0, 0.0, 0.0), (1 / 3, 1 / 3, 1 / 3)),  # nothing is known of any
    ],
)
def test_whatever_parts_add_up_to_all_of_the_node_is_paid(parts: tuple[float, ...], paid: tuple[float, ...]) -> None:
    found = divided([Stake(str(place), ANN, part) for place, part in enumerate(parts)])
    assert [part for _, part in found] == pytest.approx(paid)


def test_boot_idle_time_and_end_are_paid_by_the_jobs_that_it_was_booted_for() -> None:
    """Booted for ann's job, which ran an hour; bob's ran there after that."""
    node = PaidNode(1.0, 0.0, 5 * HOUR, stakes=[Stake("1", ANN)])
    stays = [Stay(Stake("1", ANN), HOUR, 2 * HOUR), Stay(Stake("2", BOB), 3 * HOUR, 4 * HOUR)]
    found = list(charges(node, stays, 0.0, 10 * HOUR))
    assert by_job(found) == pytest.approx({"1": 4.0, "2": 1.0})
    assert [(charge.stake.job, charge.works) for charge in found] == [
        ("1", False),
        ("1", True),
        ("1", False),
        ("2", True),
        ("1", False),
    ]


def test_without_such_jobs_it_is_overhead() -> None:
    node = PaidNode(1.0, 0.0, None)
    found = list(charges(node, [Stay(Stake("1", ANN), HOUR, 2 * HOUR)], 0.0, 4 * HOUR))
    assert by_job(found) == pytest.approx({"": 3.0, "1": 1.0})
    assert found[0].stake is NO_JOB


def test_a_time_is_cut_out_of_what_was() -> None:
    node = PaidNode(1.0, HOUR, 3 * HOUR)
    stays = [Stay(Stake("1", ANN), 0.0, 1.5 * HOUR), Stay(Stake("2", BOB), 2 * HOUR, 2 * HOUR)]
    assert by_job(list(charges(node, stays, 0.0, 2 * HOUR))) == pytest.approx({"1": 0.5, "": 0.5})
    assert not list(charges(node, stays, 3 * HOUR, 4 * HOUR))
    assert not list(charges(node, stays, 0.0, HOUR))


def test_who_pays_now() -> None:
    node = PaidNode(1.0, 0.0, None, stakes=[Stake("1", ANN)])
    stays = [Stay(Stake("2", BOB), HOUR, 2 * HOUR), Stay(Stake("3", BOB), HOUR, None)]
    assert [stake.job for stake in stakes_now(node, stays, 0.5 * HOUR)] == ["1"]
    assert [stake.job for stake in stakes_now(node, stays, HOUR)] == ["2", "3"]
    assert [stake.job for stake in stakes_now(node, stays, 2 * HOUR)] == ["3"]


# ---- properties ------------------------------------------------------------------------------------------------------

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a machine may be busy
moments = st.floats(0, 40 * HOUR).map(lambda each: round(each, 3))
stakes = st.builds(
    Stake, st.sampled_from("123456"), st.sampled_from((ANN, BOB, OVERHEAD)), st.floats(0, 1, allow_nan=False)
)


@st.composite
def stays_of(draw: st.DrawFn) -> Stay:
    began = draw(moments)
    return Stay(draw(stakes), began, draw(st.none() | moments.map(lambda each: began + each / 4)))


@st.composite
def nodes(draw: st.DrawFn) -> PaidNode:
    began = draw(moments)
    ended = draw(st.none() | moments.map(lambda each: began + each))
    return PaidNode(draw(st.floats(0, 50)), began, ended, "large", draw(st.lists(stakes, max_size=3)))


def cost(node: PaidNode, since: float, until: float) -> float:
    end = until if node.ended is None else min(until, node.ended)
    return node.price * max(0.0, end - max(since, node.began)) / HOUR


@CALM
@given(node=nodes(), stays=st.lists(stays_of(), max_size=12), times=st.tuples(moments, moments))
def test_the_parts_are_the_node(node: PaidNode, stays: list[Stay], times: tuple[float, float]) -> None:
    since, until = sorted(times)
    found = list(charges(node, stays, since, until))
    assert math.fsum(charge.dollars for charge in found) == pytest.approx(cost(node, since, until), abs=1e-9)
    assert all(charge.dollars >= 0 for charge in found)
    end = until if node.ended is None else min(until, node.ended)
    assert math.fsum(charge.hours for charge in found) == pytest.approx(max(0.0, end - max(since, node.began)) / HOUR)
    for charge in found:
        assert charge.works == any(
            stay.began < charge.until and stay.lasts_beyond(charge.since) and stay.began <= charge.since
            for stay in stays
        )


@CALM
@given(
    accounts=st.lists(st.tuples(nodes(), st.lists(stays_of(), max_size=6)), max_size=5),
    settled=st.lists(moments, max_size=5),
    asked=st.tuples(st.integers(0, 160), st.integers(0, 160)),
)
def test_the_ledger_adds_up_whenever_it_is_settled(
    accounts: list[tuple[PaidNode, list[Stay]]], settled: list[float], asked: tuple[int, int]
) -> None:
    ledger = CostLedger(0.0)
    followed = [NodeBill(node, stays) for node, stays in accounts]
    ledger.follow(followed)
    first, last = sorted(asked)
    since, until = first * STEP, last * STEP
    for moment in sorted(each for each in settled if each <= until):
        for account in followed:
            ledger.settle(account, moment)
        ledger.spent(since, until)  # asked before all is booked, it keeps a sum that goes on
    whole = math.fsum(cost(node, since, until) for node, _ in accounts)
    found = ledger.by_payer(since, until)
    assert math.fsum(found.values()) == pytest.approx(whole, abs=1e-6)
    physics, biology = Whose(accounts=frozenset({"physics"})), Whose(users=frozenset({"bob"}))
    apart = ledger.spent(since, until, physics) + ledger.spent(since, until, biology) + found.get(OVERHEAD, 0.0)
    assert apart == pytest.approx(whole, abs=1e-6)


# ---- the ledger ------------------------------------------------------------------------------------------------------


def test_what_is_spent_now_and_committed() -> None:
    ledger = CostLedger(0.0)
    limited = NodeBill(PaidNode(1.0, 0.0), [Stay(Stake("1", ANN), 0.0, None, 3 * HOUR)])
    unlimited = NodeBill(PaidNode(2.0, 0.0, None, "large"), [Stay(Stake("2", BOB), 0.0, None, math.inf)])
    gone = NodeBill(PaidNode(4.0, 0.0, HOUR, "large"))
    ledger.follow([limited, unlimited, gone])
    assert ledger.rate(HOUR) == 3.0
    assert ledger.rate(HOUR, Whose(users=frozenset({"ann"}))) == 1.0
    assert ledger.committed(HOUR, Whose(accounts=frozenset({"physics"}))) == pytest.approx(2.0)
    assert ledger.usual_life("large") == USUAL_LIFE
    ledger.lived("large", 3 * HOUR)
    ledger.lived("large", 5 * HOUR)
    assert ledger.committed(HOUR, Whose(accounts=frozenset({"biology"}))) == pytest.approx(2.0 * 3)
    assert ledger.committed(9 * HOUR, Whose(users=frozenset({"bob"}))) == pytest.approx(2.0 * LEAST_LEFT / HOUR)
    assert ledger.committed(9 * HOUR, Whose(users=frozenset({"ann"}))) == 0.0


def test_what_is_older_than_anybody_asks_for_is_forgotten() -> None:
    ledger = CostLedger(0.0)
    ledger.settle(NodeBill(PaidNode(1.0, 0.0, HOUR)), HOUR)
    assert ledger.spent(0.0, 2 * HOUR) == pytest.approx(1.0)
    ledger.forget(40 * 86_400.0)
    assert ledger.spent(0.0, 2 * HOUR) == 0.0


def test_a_time_that_has_ended_is_told_without_what_came_after() -> None:
    ledger = CostLedger(0.0)
    account = NodeBill(PaidNode(1.0, 0.0))
    ledger.follow([account])
    ledger.settle(account, 10 * HOUR)
    assert ledger.spent(0.0, 2 * HOUR) == pytest.approx(2.0)
    assert ledger.spent(0.0, 12 * HOUR) == pytest.approx(12.0)


def test_whose_costs_are_meant() -> None:
    assert Whose().has(OVERHEAD)
    assert not Whose(accounts=frozenset({"physics"})).has(OVERHEAD)
    assert Whose(frozenset({"physics"}), frozenset({"ann"}), frozenset({"main"})).has(ANN)
    assert not Whose(partitions=frozenset({"gpu"})).has(ANN)


def test_names_are_bounded_and_printable() -> None:
    assert known("a\nb\x1b[1m") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[1m"
    assert len(known("x" * 5000)) == LONGEST
