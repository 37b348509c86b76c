"""Who pays: the shares are what the nodes cost, whatever happens to nodes, jobs and the daemon."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sqlite3
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from bills_world import OWNERS, SIZES, START, BillsWorld, Machine, worst_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arvnodeman.commands import report as command
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.history import schema
from arvnodeman.history.shares import BY, SharesReport
from arvnodeman.history.shares_words import FORMATS, MOST
from arvnodeman.money.dearest import NOBODY
from arvnodeman.money.division import Charge
from arvnodeman.money.ledger import CostLedger, NodeBill
from arvnodeman.money.payers import Payer, Whose, payer_of
from arvnodeman.money.rounding import rounded_together
from arvnodeman.money.runs import JobRun, RunsListed

HISTORIES = int(os.environ.get("HISTORIES") or 40)
HOUR = 3600.0
CENT = 0.01
ANN, BOB, _ = OWNERS


@pytest.fixture
def world(tmp_path: Path) -> BillsWorld:
    return BillsWorld(tmp_path / schema.FILE_NAME, random.Random(1))


def node(world: BillsWorld, host: str = "compute1", *meant: MeantFor) -> Machine:
    """A large one of 16 cores, for $1.50 an hour, since this moment."""
    made = Machine(f"i-{host}", host, SIZES[1], SIZES[1].price, world.now, world.now, tuple(meant))
    world.machines[host] = made
    world.observe()
    return made


def pass_by(world: BillsWorld, seconds: float) -> None:
    """Minute by minute, as the daemon looks and Slurm is asked."""
    end = world.now + seconds
    while world.now < end:
        world.now = min(end, world.now + 60.0)
        world.list_runs()
        world.observe()


def begin(world: BillsWorld, job: str, owner: int = 0, cpus: float = 4.0, *hosts: str) -> None:
    run = JobRun(job, payer_of(OWNERS[owner], "main"), hosts or ("compute1",), world.now, None, None, cpus, 0.0, job)
    world.jobs[job, run.began] = run
    world.list_runs()
    world.observe()


def end(world: BillsWorld, job: str) -> None:
    for key, run in world.jobs.items():
        if run.job == job and run.ended is None:
            world.jobs[key] = replace(run, ended=world.now)
    world.list_runs()
    world.observe()


def told(world: BillsWorld, by: str) -> dict[str, float]:
    world.flush()
    return {share.name: share.cost for share in world.shares(by, world.began - HOUR, world.now).shares}


# ---- histories at random ---------------------------------------------------------------------------------------------


def test_in_random_histories_the_shares_are_the_nodes(tmp_path: Path) -> None:
    """By each of the five, for the whole time and for parts; and what the ledger has of this month is what the page
    shows of it. `make proofs ARGS=who-pays` plays 10,000 of them."""
    worst, apart, whole = 0.0, 0.0, 0.0
    for seed in range(HISTORIES):
        path = tmp_path / f"{seed}.sqlite"
        shares, ledger, cost = worst_of(path, seed)
        path.unlink()
        assert shares < CENT, f"history {seed}"
        assert ledger < CENT, f"history {seed}"
        worst, apart, whole = max(worst, shares), max(apart, ledger), whole + cost
    assert whole > HISTORIES  # there was something to divide
    print(f"\n{HISTORIES} histories of ${whole:,.2f}: shares off by ${worst:.2g} at most, the ledger by ${apart:.2g}")


# ---- one by one ------------------------------------------------------------------------------------------------------


def test_two_accounts_share_a_node(world: BillsWorld) -> None:
    """$1.50 an hour: half an hour nobody, who it was booted for pays; an hour ann alone; an hour both, 3 to 1."""
    node(world, "compute1", MeantFor("1", ANN, "main", 12.0))
    pass_by(world, HOUR / 2)
    begin(world, "1", 0, 12.0)
    pass_by(world, HOUR)
    begin(world, "2", 1, 4.0)
    pass_by(world, HOUR)
    assert told(world, "account") == pytest.approx({"physics": 0.75 + 1.5 + 1.125, "biology": 0.375}, abs=0.01)
    assert told(world, "job") == pytest.approx({"1": 3.375, "2": 0.375}, abs=0.01)
    assert told(world, "user").keys() == {"ann", "bob"}
    assert told(world, "partition").keys() == {"main"}
    assert told(world, "size") == pytest.approx({"large": 3.75})
    bills = world.recorder.chronicle.bills
    physics, main = Whose(accounts=frozenset({"physics"})), Whose(partitions=frozenset({"main"}))
    assert bills.spent(START, world.now, physics) == pytest.approx(3.375, abs=0.01)
    assert bills.spent(START, world.now, main) == pytest.approx(3.75)
    assert bills.rate(world.now, physics) == pytest.approx(1.125)
    assert bills.at_work(world.now) == {"compute1"}
    assert bills.only_for(world.now, physics) == frozenset()
    assert bills.only_for(world.now, main) == {"compute1"}


def test_idle_time_is_paid_by_those_it_was_booted_for_also_after_a_restart(world: BillsWorld) -> None:
    node(world, "compute1", MeantFor("1", ANN, "main", 4.0))
    begin(world, "2", 1)
    pass_by(world, HOUR)
    end(world, "2")
    pass_by(world, HOUR)
    world.flush()
    world.machines["compute1"].meant_for = ()  # the next run's Fleet does not know
    world.start()
    world.observe()
    pass_by(world, HOUR)
    assert told(world, "account") == pytest.approx({"biology": 1.5, "physics": 3.0}, abs=0.03)
    ledger = world.recorder.chronicle.bills.by_payer(START, world.now)
    assert ledger[payer_of(ANN, "main")] == pytest.approx(3.0, abs=0.03)
    assert ledger[payer_of(BOB, "main")] == pytest.approx(1.5, abs=0.03)


def test_nodes_that_nobody_was_booted_for_are_overhead(world: BillsWorld) -> None:
    node(world)
    pass_by(world, HOUR)
    assert told(world, "account") == pytest.approx({NOBODY: 1.5})
    assert world.recorder.chronicle.bills.by_payer(START, world.now) == pytest.approx({Payer(): 1.5})


def test_a_job_of_several_nodes_pays_on_each(world: BillsWorld) -> None:
    node(world, "compute1")
    node(world, "compute2")
    begin(world, "1", 0, 16.0, "compute1", "compute2")
    pass_by(world, HOUR)
    assert told(world, "job")["1"] == pytest.approx(3.0, abs=0.01)


def test_a_job_that_ran_between_two_lists_is_in_the_second(world: BillsWorld) -> None:
    node(world)
    began = world.now
    world.now += 40.0
    world.jobs["1", began] = JobRun("1", payer_of(BOB, "main"), ("compute1",), began, world.now, None, 1.0)
    pass_by(world, 60.0)
    assert told(world, "account")["biology"] == pytest.approx(1.5 * 40 / HOUR)


def test_a_job_that_slurm_forgot_ended_when_it_was_listed_last(world: BillsWorld) -> None:
    node(world)
    begin(world, "1", 1)
    pass_by(world, HOUR)
    world.jobs.clear()
    pass_by(world, HOUR)
    assert told(world, "account") == pytest.approx({"biology": 1.5, NOBODY: 1.5}, abs=0.03)


def test_a_list_that_is_late_moves_nothing_to_others(world: BillsWorld) -> None:
    """Slurm did not answer for a while: what was on a node was there."""
    node(world)
    begin(world, "1", 0)
    world.now += HOUR / 2
    world.observe()
    end(world, "1")
    assert told(world, "account")["physics"] == pytest.approx(0.75, abs=0.01)


def test_a_node_at_another_price_keeps_its_jobs(world: BillsWorld) -> None:
    made = node(world, "compute1", MeantFor("1", ANN, "main"))
    begin(world, "2", 1)
    pass_by(world, HOUR)
    made.price = 3.0
    pass_by(world, HOUR)
    end(world, "2")
    pass_by(world, HOUR)
    assert told(world, "account") == pytest.approx({"biology": 4.5, "physics": 3.0}, abs=0.06)


def test_a_name_that_comes_again_is_another_node(world: BillsWorld) -> None:
    node(world, "compute1", MeantFor("1", ANN, "main"))
    pass_by(world, HOUR)
    del world.machines["compute1"]
    pass_by(world, HOUR)
    world.machines["compute1"] = Machine("i-new", "compute1", SIZES[0], 0.1, world.now, world.now)
    world.observe()
    begin(world, "2", 1)
    pass_by(world, HOUR)
    assert told(world, "account") == pytest.approx({"physics": 1.5, "biology": 0.1}, abs=0.03)


def test_jobs_on_nodes_that_are_not_ours_cost_us_nothing(world: BillsWorld) -> None:
    node(world)
    world.on_nodes.listed = RunsListed(
        world.now, [JobRun("1", payer_of(BOB, "main"), ("static1",), world.now, None, None, 1.0)]
    )
    world.observe()
    world.flush()
    with sqlite3.connect(world.path) as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (0,)
    connection.close()


# ---- words -----------------------------------------------------------------------------------------------------------


def played(path: Path) -> BillsWorld:
    world = BillsWorld(path, random.Random(3))
    world.play(200)
    return world


def dollars(cell: str) -> float:
    return float(cell.removeprefix("$").replace(",", ""))


@pytest.mark.parametrize("by", BY)
def test_what_is_printed_adds_up_to_what_is_printed(tmp_path: Path, by: str) -> None:
    world = played(tmp_path / schema.FILE_NAME)
    found = world.shares(by, world.began - HOUR, world.now)
    assert len(found.shares) > 1
    table = [line.split() for line in FORMATS["table"](found).splitlines() if "$" in line]
    costs = [dollars(next(cell for cell in line if cell.startswith("$"))) for line in table]
    assert sum(costs[:-1]) == pytest.approx(costs[-1], abs=1e-9)
    assert costs[-1] == pytest.approx(world.nodes_cost(world.began - HOUR, world.now), abs=CENT / 2)
    shape = json.loads(FORMATS["json"](found))
    assert sum(share["cost"] for share in shape["shares"]) == pytest.approx(shape["total"]["cost"], abs=1e-9)
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](found))))
    assert sum(float(row["cost"]) for row in rows) == pytest.approx(shape["total"]["cost"], abs=1e-9)
    assert [row[by] for row in rows] == [share["name"] for share in shape["shares"]]
    assert ("user" in rows[0]) == (by in ("job", "user"))


def test_a_table_is_for_people(tmp_path: Path) -> None:
    world = played(tmp_path / schema.FILE_NAME)
    found = world.shares("job", world.began - HOUR, world.now)
    many = SharesReport("job", 0.0, 1.0, 0.0, [*found.shares] * MOST)
    lines = FORMATS["table"](many).splitlines()
    assert sum("$" in line for line in lines) == MOST + 2
    assert any("others)" in line for line in lines)
    assert "Nothing is recorded." in FORMATS["table"](SharesReport("job", 0.0, 1.0, None))
    assert "There were no nodes." in FORMATS["table"](SharesReport("job", 0.0, 1.0, 0.0))


def test_the_command_tells_who_pays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = played(tmp_path / schema.FILE_NAME)
    asked = ["--since", "2023-11-01", "--history", str(world.path), "--by", "account"]
    assert command.main(asked, world.now) == 0
    assert {"physics", "biology", "total"} <= {line.split()[0] for line in capsys.readouterr().out.splitlines() if line}
    assert command.main(["--since", "2023-11-01", "--history", str(tmp_path / "away"), "--by", "job"], world.now) == 1
    for more in (["--predictions"], ["--plot", "x.png"]):
        with pytest.raises(SystemExit):
            command.main([*asked, *more], world.now)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(0, 1e6), max_size=30), st.integers(0, 4))
def test_figures_are_rounded_together(figures: list[float], decimals: int) -> None:
    found = rounded_together(figures, decimals)
    step = 10**-decimals
    assert sum(found) == pytest.approx(round(sum(figures), decimals), abs=step * 1e-3 + 1e-6)
    assert all(abs(each - figure) <= step + 1e-9 for each, figure in zip(found, figures, strict=True))


# ---- what a job has cost ---------------------------------------------------------------------------------------------


def test_a_job_that_has_ended_is_told_once_with_all_that_it_cost(world: BillsWorld) -> None:
    """Its part of the node while it ran, and the boot that was for it."""
    world.on_nodes.costs = deque()
    node(world, "compute1", MeantFor("1", ANN, "main"))
    pass_by(world, HOUR)
    begin(world, "1", 0)
    pass_by(world, HOUR)
    end(world, "1")
    pass_by(world, 10 * 60)
    (cost,) = world.on_nodes.costs
    assert cost.number == "1"
    assert cost.dollars == pytest.approx(3.0, abs=0.01)
    assert cost.hours == pytest.approx(2.0, abs=0.01)


def test_what_somebody_else_has_written_on_a_job_stays(world: BillsWorld) -> None:
    world.on_nodes.costs = deque()
    node(world)
    run = JobRun(
        "1", payer_of(ANN, "main"), ("compute1",), world.now, world.now + 30, None, 1.0, number="1", noted=True
    )
    world.jobs["1", run.began] = run
    pass_by(world, 10 * 60)
    assert not world.on_nodes.costs


# ---- what it costs ---------------------------------------------------------------------------------------------------


def test_looks_at_what_is_as_it_was_book_nothing(world: BillsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder looks once a second, however many nodes there are: they are gone through twice a minute."""
    for number in range(1, 4):
        node(world, f"compute{number}")
    begin(world, "1", 0)
    booked: list[float] = []
    settle = CostLedger.settle

    def counted(ledger: CostLedger, bill: NodeBill, until: float) -> list[Charge]:
        booked.append(until)
        return settle(ledger, bill, until)

    monkeypatch.setattr(CostLedger, "settle", counted)
    for _ in range(60):
        world.now += 1.0
        world.recorder.observe()
    assert len(booked) == 3 * 2
    assert world.recorder.chronicle.bills.spent(START, world.now) == pytest.approx(3 * 1.5 * 60 / HOUR)
    booked.clear()
    world.list_runs()
    world.recorder.observe()
    del world.machines["compute1"]
    world.observe()
    assert len(booked) == 3 * 2
