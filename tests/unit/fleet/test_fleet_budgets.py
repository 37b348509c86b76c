"""Budgets in the Fleet: what is booted counts at once, raises, warnings, the turn of a period, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from world import EPOCH, HELD, HOUR, MINUTE, ONE, World, jobs, policy

from arvnodeman.fleet.decide import funds
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import (
    INFO,
    WARNING,
    CreateNode,
    Decided,
    DrainNode,
    PolicyChanged,
    Poll,
    ResumeNode,
    SizesProven,
)
from arvnodeman.fleet.values.budgets import Budget, BudgetRaise, Period, Spending, Spent
from arvnodeman.fleet.values.job_comments import line_of
from arvnodeman.fleet.values.model import Job, JobOwner
from arvnodeman.fleet.values.reasons_of_budgets import BudgetSpent, BudgetUnknown, OverBudget

PHYSICS = replace(ONE, owner=JobOwner("ada", "physics"))
BIOLOGY = replace(ONE, owner=JobOwner("bob", "biology"))
BUDGET = Budget("physics", 1.0, Period.DAY, accounts=("physics",))
ENDS = "2023-11-15 00:00 UTC"


@pytest.fixture(autouse=True)
def _as_if_all_rows_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever budgets are asked, nodes that nobody pays for yet are those that a look at every row finds."""
    found = funds._coming

    def compared(state: State) -> Iterator[Any]:
        kept = list(found(state))
        purse = state.purse
        walked, unbilled = purse.walked, purse.unbilled
        purse.walked = None
        anew = list(found(state))
        purse.walked, purse.unbilled = walked, unbilled
        assert sorted(kept, key=repr) == sorted(anew, key=repr)
        return iter(kept)

    monkeypatch.setattr(funds, "_coming", compared)


def spent(
    amount: float, committed: float = 0.0, *, hours: float = 24.0, since: float = EPOCH - HOUR, **more: Any
) -> Spending:
    """Of the budget, at the beginning of the world; the period has so many hours from then on."""
    return Spending(
        budgets={"physics": Spent(since, EPOCH + hours * HOUR, amount, committed, 0.01, ENDS)},
        lives={"": HOUR},
        **more,
    )


def site(spending: Spending, budget: Budget = BUDGET, **options: Any) -> World:
    """A small node costs $0.10 an hour, and lives for one."""
    world = World(policy(budgets=(budget,), **({"max_nodes": 50} | options)))
    world.spending = spending
    return world


def cause(world: World, shape: Any = PHYSICS) -> Any:
    return world.fleet.view.waiting[shape].cause


def begun(world: World) -> int:
    return sum(operation.kind == "boot" for operation in world.fleet.view.operations)


def told(world: World, kind: Decided, level: int = WARNING) -> list[str]:
    return [note.text % note.args for note in world.notes if note.kind is kind and note.level == level]


def test_what_is_booted_counts_before_anybody_has_counted_it() -> None:
    """The figures that come with the queue lag behind: they are the same at each poll here."""
    world = site(spent(0.55))
    world.tell(SizesProven(frozenset({"small"})))
    world.begin(*jobs(20, PHYSICS))
    assert begun(world) == 5
    world.cycle(times=3)
    world.obey()
    world.cycle(times=3)
    world.obey()
    assert len(world.cloud) == 5  # $0.50, less what has passed of their hour
    assert isinstance(cause(world), OverBudget)
    (standing,) = world.fleet.view.budgets
    assert standing.is_used_up
    assert standing.committed == pytest.approx(0.5, abs=0.06)


def test_others_go_on_and_the_reason_names_budget_figures_and_moment() -> None:
    world = site(spent(1.2, 0.3)).begin(*jobs(2, PHYSICS), *jobs(1, BIOLOGY, name="bio"))
    world.obey()
    assert [step.size.id for step in world.asked if isinstance(step, CreateNode)] == ["small"]
    why = cause(world)
    assert why.words(world.fleet.view.t) == (
        "budget physics ($1.00 a day) is used up: $1.20 spent, $0.30 committed; "
        f"it frees at {ENDS} (in 24.0 h), or when what is committed ends early"
    )
    assert line_of(why).text == f"budget physics ($1.00 a day) is used up; it frees at {ENDS}"
    assert line_of(why).until == why.until


def test_with_the_new_period_the_queue_is_polled_and_nodes_come() -> None:
    world = site(spent(1.2, hours=1)).begin(*jobs(1, PHYSICS))
    assert not world.steps
    world.polls_asked.clear()
    world.wait(HOUR + 1)
    assert frozenset(Poll) in world.polls_asked
    world.poll_cloud()
    world.poll_records()
    world.poll_queue()
    assert isinstance(cause(world), BudgetUnknown)  # those are the old period's figures
    world.spending = spent(0.0, hours=25)
    world.poll_queue()
    world.obey()
    assert len(world.cloud) == 1


def test_after_a_restart_nothing_is_booted_before_the_figures_have_come() -> None:
    """Of what has a budget."""
    world = site(Spending()).begin(*jobs(1, PHYSICS), *jobs(1, BIOLOGY, name="bio"))
    world.obey()
    assert len(world.cloud) == 1
    assert cause(world) == BudgetUnknown(budget="physics")
    assert cause(world).words(0.0) == "what budget physics has spent is not known yet"
    world.spending = spent(0.1)
    world.cycle()
    world.obey()
    assert len(world.cloud) == 2


def raised(amount: float, *, hours: float = 2.0, at: float = EPOCH, reason: str = "a deadline") -> BudgetRaise:
    return BudgetRaise("physics", amount, EPOCH + hours * HOUR, reason, at, "2023-11-15 01:13")


def test_a_raise_holds_until_its_time_and_is_audited() -> None:
    world = site(spent(1.2)).begin(*jobs(2, PHYSICS))
    assert begun(world) == 0
    world.polls_asked.clear()
    world.tell(raised(0.25))
    assert world.polls_asked == [frozenset({Poll.QUEUE})]
    world.poll_queue()
    world.obey()
    assert len(world.cloud) == 1  # $0.05 were left
    assert told(world, Decided.WORD) == ["Budget physics is raised by $0.25 until 2023-11-15 01:13: a deadline"]
    (standing,) = world.fleet.view.budgets
    assert (standing.limit, standing.raised) == (1.25, raised(0.25))
    assert "$1.25 a day), $0.25 of it raised is used up" in cause(world).words(0.0)
    world.cycle(every=3 * HOUR)
    (standing,) = world.fleet.view.budgets
    assert (standing.limit, standing.raised) == (1.0, None)


def test_a_raise_of_nothing_takes_it_back() -> None:
    world = site(spent(1.2)).begin(*jobs(2, PHYSICS))
    world.tell(raised(9.0))
    world.tell(raised(0.0, reason=""))
    world.poll_queue()
    assert begun(world) == 0
    assert told(world, Decided.WORD)[1:] == ["Budget physics is not raised any more"]


def test_a_raise_of_an_earlier_run_is_no_decision_of_this_one() -> None:
    world = site(spent(1.2))
    world.tell(raised(1.0, at=EPOCH - HOUR))
    world.begin(*jobs(1, PHYSICS))
    assert begun(world) == 1
    assert told(world, Decided.WORD) == []
    assert [note.text % note.args for note in world.notes if note.level == INFO and "raised" in note.text % note.args]


def test_a_warning_comes_once_in_each_period_and_at_each_step() -> None:
    world = site(spent(0.5)).begin()
    world.cycle(times=2)
    assert told(world, Decided.BUDGET) == []
    for amount in (0.8, 0.85, 0.9, 0.97, 1.0, 1.1):
        world.spending = spent(amount, 0.05)
        world.cycle(every=7.13, times=3)
    lines = told(world, Decided.BUDGET)
    assert [line.partition(", forecast")[0] for line in lines] == [
        "Budget physics: $0.80 spent and $0.05 committed of $1.00 a day",
        "Budget physics: $0.97 spent and $0.05 committed of $1.00 a day",
        "Budget physics: $1.00 spent and $0.05 committed of $1.00 a day",
    ]
    assert lines[1].endswith(f"; no new node is booted for it before {ENDS}")
    world.spending = spent(0.9, since=EPOCH)
    world.cycle()
    assert len(told(world, Decided.BUDGET)) == 4


def test_an_overdraft_says_so_and_refuses_nothing() -> None:
    overdrawn = replace(BUDGET, overdraft_until=EPOCH + HOUR, overdraft_reason="paper")
    world = site(spent(1.2), overdrawn).begin(*jobs(1, PHYSICS))
    assert begun(world) == 1
    assert told(world, Decided.BUDGET)[0].endswith("; overdrawn, and nothing is refused: paper")
    world = site(spent(1.2), replace(overdrawn, overdraft_until=EPOCH)).begin(*jobs(1, PHYSICS))
    assert begun(world) == 0


def test_a_reload_brings_budgets_and_takes_them_away() -> None:
    world = site(spent(1.2)).begin(*jobs(1, PHYSICS))
    assert begun(world) == 0
    world.tell(PolicyChanged(policy(max_nodes=50)))
    world.cycle()
    assert begun(world) == 1
    assert world.fleet.view.budgets == ()


def test_a_time_limit_is_committed_whole() -> None:
    long = [replace(job, time_limit=6 * HOUR) for job in jobs(9, PHYSICS)]
    world = site(spent(0.0)).begin(*long)
    assert begun(world) == 2  # $0.60 each
    endless: list[Job] = [*long, replace(jobs(1, PHYSICS, name="more")[0], time_limit=float("inf"))]
    world = site(spent(0.0)).begin(*endless)
    assert begun(world) == 5  # as long as nodes live, on the average: one of its jobs may run for ever


def test_nodes_whose_work_is_counted_are_counted_once() -> None:
    world = site(spent(0.5, 0.0)).begin(*jobs(3, PHYSICS))
    world.obey()
    world.cycle()
    (before,) = world.fleet.view.budgets
    assert before.committed == pytest.approx(0.3, abs=0.02)
    names = frozenset(status.hostname for status in world.fleet.view.nodes.values() if status.hostname)
    world.spending = spent(0.5, 0.4, counted=names)
    world.poll_queue()
    (after,) = world.fleet.view.budgets
    assert after.committed == pytest.approx(0.4)


# ---- all is spent ----------------------------------------------------------------------------------------------------


def worked(alone: bool = True, amount: float = 1.0) -> tuple[World, str]:
    """A node with a job of the budget's on it, when all is spent."""
    world = site(spent(amount, 0.1))
    node = world.node("compute1", slurm="alloc")
    known = frozenset({"compute1"})
    world.spending = spent(amount, 0.1, counted=known, alone={"physics": known if alone else frozenset()})
    return world.begin(*jobs(2, PHYSICS)), node


def test_a_node_that_works_for_a_spent_budget_alone_takes_no_new_jobs() -> None:
    """Slurm would go on to give it those that wait, and it would cost until all have run."""
    world, node = worked()
    world.cycle()
    (drain,) = world.open(DrainNode)
    assert drain.hostname == "compute1"
    status = world.fleet.view.nodes[node]
    assert status.ending == BudgetSpent(budget="physics")
    assert "takes no new jobs" in status.why.words(0.0)
    world.done(drain)
    world.says("compute1", "drng", reason=drain.reason)
    world.cycle(times=5)
    world.obey()
    assert node in world.cloud  # what runs there runs to its end
    world.says("compute1", "drain", reason=drain.reason)
    world.wait(MINUTE)
    world.obey()
    world.cycle(times=2)
    world.obey()
    assert node not in world.cloud
    assert len(world.cloud) == 0


def test_one_that_others_use_too_or_of_a_budget_that_is_only_used_up_goes_on() -> None:
    for world, _ in (worked(alone=False), worked(amount=0.95)):
        world.cycle(times=2)
        assert world.open(DrainNode) == []


def test_a_raise_lets_it_take_jobs_again() -> None:
    world, node = worked()
    world.cycle()
    drain = world.one(DrainNode)
    world.done(drain)
    world.says("compute1", "drng", reason=drain.reason)
    world.cycle()
    world.obey()
    world.tell(raised(50.0))
    world.cycle()
    world.obey()
    assert any(isinstance(step, ResumeNode) for step in world.asked)
    assert node in world.cloud


def test_min_nodes_and_a_hold_keep_it() -> None:
    known = frozenset({"compute1"})
    for least, directive in ((1, None), (0, HELD)):
        world = site(spent(1.0, 0.1, counted=known, alone={"physics": known}), min_nodes=least)
        world.node("compute1", slurm="alloc", directive=directive)
        world.begin(*jobs(1, PHYSICS)).cycle(times=2)
        assert world.open(DrainNode) == []
