"""Where budgets stand: what has been heard of what was spent, with all that has been booted and is not in that yet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from arvnodeman.fleet.decide.alone_at_work import AloneAtWork
from arvnodeman.fleet.messages import WARNING, Decided, Poll, PollNow
from arvnodeman.fleet.plan.purses import HOUR, NO_FUNDS, Funds
from arvnodeman.fleet.values.budgets import WARN_AT, Budget, BudgetRaise, BudgetStanding, Spending
from arvnodeman.fleet.values.model import JobShape, NodeState

if TYPE_CHECKING:
    from arvnodeman.fleet.decide.state import State

_TIME_LIMIT = attrgetter("time_limit")
_GOES = (NodeState.SHUTDOWN, NodeState.DOWN, NodeState.FAIL)


@dataclass(frozen=True, slots=True)
class _Unbilled:
    """A node that was booted for jobs, and is in nobody's account yet."""

    shape: JobShape
    size: str
    price: float
    age: float  # seconds


def heed_spending(state: State, spending: Spending) -> None:
    """A queue has come, and with it what was spent."""
    state.purse.spending = spending
    if not state.policy.budgets:
        return
    state.purse.limits = _time_limits(state)
    for standing in funds_of(state).standings:
        state.poll_again(standing.until)
        _warn(state, standing)


def raise_budget(state: State, said: BudgetRaise) -> None:
    """An operator raises a limit for a while; what is over already is forgotten."""
    purse = state.purse
    purse.raises = {name: each for name, each in purse.raises.items() if each.until > state.clock.now}
    if said.amount > 0 and said.until > state.clock.now:
        purse.raises[said.budget] = said
    else:
        purse.raises.pop(said.budget, None)
    because = f": {said.reason}" if said.reason else ""
    what = f"is raised by ${said.amount:.2f} until {said.ends}" if said.amount > 0 else "is not raised any more"
    if said.at < state.began:  # an earlier run was told, and has it in its decisions
        state.context.info("Budget %s %s%s", said.budget, what, because)
        return
    state.context.decide(Decided.WORD, said.budget, "Budget %s %s%s", said.budget, what, because, level=WARNING)
    state.context.out.append(PollNow(frozenset({Poll.QUEUE})))


def funds_of(state: State) -> Funds:
    """What budgets say now."""
    budgets = state.policy.budgets
    if not budgets:
        state.stock.ask_no_more()
        return NO_FUNDS
    purse = state.purse
    coming = list(_coming(state))
    bare = Funds(limits=purse.limits, lives=purse.spending.lives)
    standings = tuple(_standing(state, budget, bare, coming) for budget in budgets)
    counts = Counter(each.shape for each in coming)
    return replace(bare, standings=standings, coming=counts)


def _standing(state: State, budget: Budget, funds: Funds, coming: Iterable[_Unbilled]) -> BudgetStanding:
    now = state.clock.now
    raised = state.purse.raises.get(budget.name)
    if raised is not None and raised.until <= now:
        raised = None
    found = BudgetStanding(
        budget=budget,
        limit=budget.limit + (raised.amount if raised is not None else 0.0),
        raised=raised,
        overdrawn=budget.overdraft_until is not None and now < budget.overdraft_until,
    )
    spent = state.purse.spending.budgets.get(budget.name)
    if spent is None or now >= spent.until:
        return found
    found = replace(found, known=True, spent=spent.spent, ends=spent.ends, until=state.t + spent.until - now)
    young = [each for each in coming if budget.covers(each.shape)]
    return replace(
        found,
        committed=spent.committed + math.fsum(_cost(funds, found, each, state.t) for each in young),
        forecast=spent.spent + spent.per_hour * (spent.until - state.purse.spending.at) / HOUR,
        unknown_before=spent.unknown_before,
    )


def _cost(funds: Funds, standing: BudgetStanding, node: _Unbilled, t: float) -> float:
    whole = funds.life(node.shape, node.size)
    left = max(0.0, whole - node.age)
    if standing.until is not None:
        left = min(left, max(0.0, standing.until - t))
    return node.price * left / HOUR


def _coming(state: State) -> Iterator[_Unbilled]:
    """Boots under way, and nodes that have had no work yet as far as is counted. All rows are looked at once for each
    account of what was spent, and from then on those that were in nobody's, and that were touched."""
    counted, t = state.purse.spending.counted, state.t
    for boot in state.boots.values():
        if boot.row is None and boot.outcome is None and boot.wanted_for is not None:
            yield _Unbilled(boot.wanted_for, boot.size.id, boot.sized.price, max(0.0, t - boot.began))
    purse, nodes = state.purse, state.roster.nodes
    moved = state.stock.moved()
    purse.alone.touch(moved)
    news = moved is None or purse.walked is not purse.spending
    rows: Iterable[str] = list(nodes) if news or moved is None else {**purse.unbilled, **moved}
    purse.walked, purse.unbilled = purse.spending, {}
    for identity in rows:
        node = nodes.get(identity)
        if node is None or node.wanted_for is None or node.size is None or state.roster.hostname(node) in counted:
            continue
        purse.unbilled[identity] = None
        if node.state not in _GOES:
            yield _Unbilled(node.wanted_for, node.size.id, node.price, max(0.0, t - node.first_seen))


def _time_limits(state: State) -> Mapping[JobShape, float]:
    """The longest time limit of the jobs of each group that a budget pays for; not of one with a job without."""
    found: dict[JobShape, float] = {}
    jobs = state.queue.jobs
    for shape, places in state.queue.places.items():
        if any(budget.covers(shape) for budget in state.policy.budgets):
            limits = set(map(_TIME_LIMIT, map(jobs.__getitem__, places)))  # few, of many jobs
            longest = max(limit if limit is not None else math.inf for limit in limits)
            if longest < math.inf:
                found[shape] = longest
    return found


def _warn(state: State, standing: BudgetStanding) -> None:
    """A line once in each period when most of a budget is spent, when it is used up, and when it is spent."""
    if not standing.known:
        return
    name, warned = standing.budget.name, state.purse.warned
    since = state.purse.spending.budgets[name].since
    if warned.get(name, (0.0, 0.0))[0] != since:
        warned[name] = (since, 0.0)
    level = _level(standing)
    if level <= warned[name][1]:
        return
    warned[name] = (since, level)
    text = "Budget %s: $%.2f spent and $%.2f committed of $%.2f a %s, forecast $%.2f%s"
    what = _consequence(standing, level)
    args = (
        name,
        standing.spent,
        standing.committed,
        standing.limit,
        standing.budget.per.value,
        standing.forecast,
        what,
    )
    state.context.decide(Decided.BUDGET, name, text, *args, level=WARNING)


def _level(standing: BudgetStanding) -> float:
    if standing.is_spent:
        return 2.0
    if standing.is_used_up:
        return 1.0
    return WARN_AT if standing.is_nearly_spent else 0.0


def _consequence(standing: BudgetStanding, level: float) -> str:
    if level < 1:
        return ""
    if standing.overdrawn:
        reason = standing.budget.overdraft_reason
        return f"; overdrawn, and nothing is refused{f': {reason}' if reason else ''}"
    if not standing.budget.refuses:
        return "; it only warns"
    return f"; no new node is booted for it before {standing.ends}"


@dataclass(slots=True)
class Purse:
    """What is remembered of budgets."""

    spending: Spending = field(default_factory=Spending)
    limits: Mapping[JobShape, float] = field(default_factory=dict)  # see Funds
    raises: dict[str, BudgetRaise] = field(default_factory=dict)  # in force, by budget
    warned: dict[str, tuple[float, float]] = field(default_factory=dict)  # by budget: of which period, and of what
    walked: Spending | None = None  # by which all rows were looked at
    unbilled: dict[str, None] = field(default_factory=dict)  # ids of those that were in nobody's account then, or since
    alone: AloneAtWork = field(default_factory=AloneAtWork)  # nodes that work for one budget alone
