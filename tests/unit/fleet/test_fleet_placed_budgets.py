"""Budgets where Slurm places jobs on names: one whose budget has no money goes back, and is not placed for a while."""

from __future__ import annotations

from dataclasses import replace

from placed_world import PlacedWorld, places
from world import EPOCH, HOUR

from arvnodeman.fleet.operations.job_steps import CommentJobs
from arvnodeman.fleet.operations.name_steps import CloseNames, ReleaseJobs
from arvnodeman.fleet.values.budgets import Budget, BudgetRaise, Period, Spending, Spent
from arvnodeman.fleet.values.model import JobOwner
from arvnodeman.fleet.values.reasons_of_budgets import OverBudget
from arvnodeman.fleet.values.reasons_of_placing import Returned

ADA, BOB = JobOwner("ada", "physics"), JobOwner("bob", "biology")
BUDGET = Budget("physics", 1.0, Period.DAY, accounts=("physics",))


def site(amount: float, *, hours: float = 24.0, **options: float) -> PlacedWorld:
    world = PlacedWorld(places(budgets=(BUDGET,), **options))
    spent = Spent(EPOCH - HOUR, EPOCH + hours * HOUR, amount, ends="2023-11-15 00:00 UTC")
    world.spending = Spending(budgets={"physics": spent}, lives={"": HOUR})
    return world


def releases(world: PlacedWorld) -> list[tuple[list[str], float | None]]:
    found = [step for step in world.asked if isinstance(step, ReleaseJobs)]
    return [([job.id for job in step.jobs], step.not_before) for step in found]


def test_a_job_without_money_goes_back_and_is_not_placed_before_its_time() -> None:
    """Others are, and its size is not closed to them."""
    world = site(1.0)
    world.place("11", "small-1", owner=ADA)
    world.place("12", "small-2", owner=BOB)
    world.begin()
    world.settle()
    assert world.given_back() == ["small-1"]
    assert world.booted() == ["small-2"]
    assert releases(world) == [(["11"], EPOCH + HOUR)]
    assert world.told(CloseNames) == []
    why = world.fleet.view.placed["11"]
    assert isinstance(why, Returned)
    assert isinstance(why.cause, OverBudget)


def test_it_is_not_held_for_longer_than_its_period_lasts() -> None:
    world = site(1.0, hours=0.25)
    world.place("11", "small-1", owner=ADA)
    world.begin()
    world.settle()
    ((jobs, not_before),) = releases(world)
    assert (jobs, not_before) == (["11"], EPOCH + HOUR / 4)


def test_a_raise_lets_it_go_at_once() -> None:
    world = site(1.0)
    world.place("11", "small-1", owner=ADA)
    world.begin()
    world.settle()
    world.jobs = []  # it waits for its time, and is not a job that nodes would help
    world.tell(BudgetRaise("physics", 5.0, EPOCH + HOUR, "a deadline", EPOCH, "later"))
    world.cycle(every=10.0)
    world.settle()
    assert releases(world)[1:] == [(["11"], None)]


def test_what_is_booted_for_it_is_committed() -> None:
    world = site(0.85)
    for number in range(1, 4):
        world.place(f"1{number}", f"small-{number}", owner=ADA)
    world.begin()
    world.settle()
    assert len(world.booted()) == 2  # $0.10 each, and then the limit is committed
    assert len(world.given_back()) == 1


def test_it_is_said_on_the_job_though_it_waits_for_its_time() -> None:
    world = site(1.0, explain_after=60.0)
    world.place("11", "small-1", owner=ADA)
    world.begin()
    world.settle()
    world.jobs = []
    for _ in range(4):
        world.cycle(every=60.0)
        world.settle()
    said = [comment for step in world.asked if isinstance(step, CommentJobs) for comment in step.comments]
    assert [(comment.line.text, comment.jobs) for comment in said] == [
        ("budget physics ($1.00 a day) is used up; it frees at 2023-11-15 00:00 UTC", ("11",))
    ]


def test_without_a_budget_that_covers_it_its_demand_has_no_owner() -> None:
    """So that groups are no more than they were."""
    world = site(1.0)
    world.policy = replace(world.policy, budgets=())
    world.restart()
    world.place("11", "small-1", owner=ADA)
    world.place("12", "small-2", owner=BOB)
    world.begin()
    world.settle()
    assert world.booted() == ["small-1", "small-2"]
    assert releases(world) == []
