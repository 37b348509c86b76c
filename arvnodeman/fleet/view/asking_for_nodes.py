"""Which options may let a node go that stays, and what each of them makes of the picture of the last node poll.

Rows are judged by the rules that decide: those of odd nodes, which were copied, and those of idle ones, as they are
shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from arvnodeman.fleet.decide.cases import case_of
from arvnodeman.fleet.decide.cases_by_power import case_by_power
from arvnodeman.fleet.decide.picturing import partly_used
from arvnodeman.fleet.decide.stock import room_of
from arvnodeman.fleet.nodes.eligible import eligible
from arvnodeman.fleet.nodes.node import BUSY, DOWN, RESERVED, Basis, Node
from arvnodeman.fleet.plan.asking import Variable
from arvnodeman.fleet.plan.asking_for_jobs import DAEMON, more_jobs_on_a_node
from arvnodeman.fleet.plan.picture import Case, Chance, IdleBin, PartlyUsed, Picture, Stop, pool_of
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.counterfactual import Meant, OptionValue
from arvnodeman.fleet.values.reasons_of_budgets import BudgetSpent
from arvnodeman.fleet.values.reasons_of_use import RunsDry
from arvnodeman.fleet.values.windows import ShutdownWindows
from arvnodeman.fleet.values.work import WorkKind
from arvnodeman.fleet.view.grounds import EndGrounds
from arvnodeman.fleet.view.view import NodeStatus


@dataclass(frozen=True, slots=True)
class NodeAsked:
    """The node that is asked for."""

    id: str

    def would_go(self, made: Plan) -> str:
        """Why it would go by a plan; '': it would not."""
        stop = next((each for each in made.verdicts if isinstance(each, Stop) and each.id == self.id), None)
        if stop is None:
            return ""
        if isinstance(stop.reason, RunsDry | BudgetSpent):
            return "it would take no new jobs, and go when those on it have ended"
        why = f": {stop.reason.words(0.0)}" if stop.reason is not None else ""
        return f"it would go at the next node poll{why}"


def picture_by(grounds: EndGrounds, basis: Basis, *, anew: bool = False) -> Picture:
    """The picture of that node poll, judged by a basis. `anew`: what odd nodes are is judged by it, too."""
    ends = grounds.ends
    cases: list[Case] = []
    idle = {pool: list(nodes) for pool, nodes in ends.idle.items()}
    for case in ends.cases:
        odd = grounds.odd.get(case.id) if anew else None
        judged: Case | IdleBin = case
        if odd is not None and odd.node.shutdown is None and odd.node.destroyed_at is None:
            judged = _judged(odd.node, basis, odd.resumed, odd.pool)
        if isinstance(judged, IdleBin):
            assert odd is not None
            idle.setdefault(odd.pool, []).append(judged)
        else:
            cases.append(judged)
    varied = replace(ends, cases=cases, idle=idle, chances=_Chances(grounds, basis))
    return replace(grounds.picture, policy=basis.policy, ends=varied)


def _judged(node: Node, basis: Basis, resumed: bool, pool: str) -> Case | IdleBin:
    if basis.policy.places:
        return case_by_power(node, basis)
    slurm = node.slurm
    drained = slurm is not None and slurm.state.kind is WorkKind.DRAINED and slurm.drain is None
    if node.state is RESERVED and drained and not basis.policy.keep_drained:  # it would count as down
        assert slurm is not None
        node = replace(node, state=DOWN, down_cause=reasons.IsDown(why=f"Slurm says {slurm.state.said}"))
    return case_of(node, basis, resumed, lambda _: pool)


class _Chances(Mapping[str, Chance]):
    """Of each idle node, judged when it is asked about."""

    def __init__(self, grounds: EndGrounds, basis: Basis) -> None:
        self._grounds, self._basis = grounds, basis

    def __getitem__(self, identity: str) -> Chance:
        status = self._grounds.nodes[identity]
        if status.doing:  # it went, and for that
            polls = idle_polls(status, self._grounds)
            return Chance(status.ending or reasons.IdleExceeded(polls=polls), polls, True)
        odd = self._grounds.odd.get(identity)
        row = odd.node if odd is not None else row_of(status, self._grounds)
        enough = row.idle_polls >= self._basis.policy.consecutive_idle_count
        return Chance(eligible(row, self._basis), row.idle_polls, enough)

    def __iter__(self) -> Iterator[str]:
        return iter(self._grounds.nodes)

    def __len__(self) -> int:
        return len(self._grounds.nodes)


def idle_polls(status: NodeStatus, grounds: EndGrounds) -> int:
    """How many node polls in a row found it idle?"""
    return grounds.polls - status.idle_from if status.idle_from >= 0 else 0


def row_of(status: NodeStatus, grounds: EndGrounds) -> Node:
    """A node that is plainly at work or plainly idle, as it is shown: there is no more to it."""
    return Node(
        status.cloud,
        status.node_size,
        status.first_seen,
        record=status.record,
        slurm=status.slurm_node,
        state=status.state,
        been_up=status.been_up,
        idle_polls=idle_polls(status, grounds),
        idle_since=status.idle_since,
    )


# ---- options ---------------------------------------------------------------------------------------------------------


def options_for(grounds: EndGrounds) -> Iterator[Variable]:
    """The options that keep a node, those that do most often first."""
    basis = grounds.basis
    policy = basis.policy

    def vary(**options: OptionValue | bool) -> Picture:
        changed = replace(basis, policy=replace(policy, **options))  # type: ignore[arg-type]  # of the right kind each
        return picture_by(grounds, changed, anew=True)

    def fewer(option: str, now: float, least: int, unit: str) -> Variable:
        steps = range(math.ceil(now) - 1, least - 1, -1)
        return Variable(DAEMON, option, now, Meant.AT_MOST, steps, lambda n: vary(**{option: n}), unit)

    yield fewer("min_nodes", policy.min_nodes, 0, "nodes")
    yield fewer("consecutive_idle_count", policy.consecutive_idle_count, 0, "polls")
    yield from _windows(grounds)
    yield fewer("boot_fail_after", policy.boot_fail_after, 1, "seconds")
    if policy.places:
        return
    if policy.slurm:
        yield fewer("use_within", policy.use_within, 1, "seconds")
    if policy.keep_drained:
        yield Variable(
            DAEMON, "keep_drained", "yes", Meant.IS, range(1), lambda _: vary(keep_drained=False), value=lambda _: "no"
        )
    if policy.slurm and not policy.drain_to_consolidate and not _zoned(grounds.picture):
        yield Variable(
            DAEMON, "drain_to_consolidate", "no", Meant.IS, range(1), lambda _: _consolidated(grounds),
            value=lambda _: "yes",
        )  # fmt: skip
    if policy.max_jobs_per_node:
        yield more_jobs_on_a_node(picture_by(grounds, basis))


def _zoned(picture: Picture) -> bool:
    """May nodes of one size be in several pools?"""
    return picture.names is not None or bool(picture.outlook.reservations)


def _consolidated(grounds: EndGrounds) -> Picture:
    """Half-empty nodes may run dry."""
    basis = replace(grounds.basis, policy=replace(grounds.basis.policy, drain_to_consolidate=True))
    found: list[PartlyUsed] = []
    for status in grounds.nodes.values():
        if status.state is not BUSY or status.doing or status.node_size is None or status.id in grounds.odd:
            continue
        row = row_of(status, grounds)
        free = room_of(row)
        if free is not None and (partly := partly_used(row, pool_of(status.node_size.id, ()), free, basis)) is not None:
            found.append(partly)
    made = picture_by(grounds, basis)
    assert made.ends is not None
    return replace(made, ends=replace(made.ends, partly_used=found))


# ---- shutdown windows ------------------------------------------------------------------------------------------------


def _windows(grounds: EndGrounds) -> Iterator[Variable]:
    """An open stretch begins some minutes earlier, or ends some later."""
    minutes = grounds.basis.policy.shutdown_windows
    for at in range(1, len(minutes), 2):
        yield _moved(grounds, at - 1, at)
        if at + 1 < len(minutes):
            yield _moved(grounds, at + 1, at)


def _moved(grounds: EndGrounds, closed: int, opened: int) -> Variable:
    """Minutes of a closed stretch are open: those next to an open one."""
    basis = grounds.basis
    minutes = basis.policy.shutdown_windows

    def moved(by: int) -> tuple[float, ...]:
        changed = list(minutes)
        changed[closed] -= by
        changed[opened] += by
        return tuple(changed)

    def vary(text: OptionValue) -> Picture:
        windows = tuple(float(each) for each in str(text).split(","))
        policy = replace(basis.policy, shutdown_windows=windows)
        return picture_by(grounds, replace(basis, policy=policy, windows=ShutdownWindows(windows)), anew=True)

    return Variable(
        "Cloud", "shutdown_windows", _listed(minutes), Meant.IS, range(1, math.floor(minutes[closed]) + 1), vary,
        "minutes", lambda by: _listed(moved(by)), part=lambda by: by / sum(minutes),
    )  # fmt: skip


def _listed(minutes: tuple[float, ...]) -> str:
    return ", ".join(str(int(each)) if each == int(each) else repr(each) for each in minutes)
