"""Of which sizes no name is open to jobs that the scheduler places, and of which only some are.

A size is closed where no node of it may begin: it rests, a limit stops it, or the provider lacks it. Where a job of
several nodes was sent back by a limit, only so many names stay open as it cannot be placed on in vain again: without
that the scheduler would place it, and it would be sent back, for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from arvnodeman.fleet.decide.placed import no_size
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.operations.operation import PartlyOpen
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.sizes.bounds import Room
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeSize
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import LeftToLarger

TURN = 300.0  # seconds after which other sizes have the names that may be open, where there are not enough for all


def note_closed(state: State, plan: Plan, begun: Sequence[NodeSize]) -> None:
    """Which sizes are closed, and which in part. `begun`: of boots that have begun since the plan was made."""
    assert state.table is not None
    over = int(state.quota.other_size_may_try)
    closed: dict[str, Reason] = {}
    nodes = plan.tally.nodes + len(begun)
    room = Room(state.bounds(), nodes, plan.tally.price + sum(state.at_rung(size).price for size in begun))
    for size in state.table.cheapest_first:
        cause = _rests(state, size, nodes) or room.forbid(state.at_rung(size), 1, wanted=0, over=over)
        if cause is not None:
            closed[size.id] = cause
            state.poll_again(cause.until)
    for name in {record.size or "" for record in state.roster.records.values()} - closed.keys():
        hopeless = no_size(state, name)
        if hopeless is not None:
            closed[name] = hopeless
    state.context.closed, state.context.leave_open = closed, _left_open(state, room, closed, over)


def _rests(state: State, size: NodeSize, standing: int) -> Reason | None:
    health = state.health_of(size)
    if health.backing_off is None or not health.is_backing_off(state.t, standing):
        return None
    why = health.backing_off.value
    return reasons.BackingOff(until=health.until, size=size.id, why=why, detail=health.detail)


# ---- room for some nodes of a job ------------------------------------------------------------------------------------


def _left_open(state: State, room: Room, closed: Mapping[str, Reason], over: int) -> dict[str, PartlyOpen]:
    """Of the sizes that jobs of several nodes were sent back from, how many free names stay open: so many that
    whichever of them the scheduler places such a job on, all its nodes may come. That is none where it has to wait, and
    any number where it has not. The names go round among the sizes."""
    assert state.table is not None
    most, concerned = _sent_back(state)
    sizes = [size for size in state.table.cheapest_first if size.id in concerned and size.id not in closed]
    if not sizes:
        return {}
    first = int(state.t // TURN) % len(sizes)
    open_names = {size.id: 0 for size in sizes}
    growing = [*sizes[first:], *sizes[:first]]
    while growing:
        for size in list(growing):
            open_names[size.id] += 1
            if not _fits(room, sizes, open_names, most, over):
                open_names[size.id] -= 1
                growing.remove(size)
            elif open_names[size.id] == most:
                growing.remove(size)
    cause = LeftToLarger(nodes=most, room=sum(open_names.values()))
    return {name: PartlyOpen(count, cause) for name, count in open_names.items() if count < most}


def _sent_back(state: State) -> tuple[int, set[str]]:
    """How many nodes the largest of the jobs needs that a limit has sent back, of those that need several: it may lack
    all of them when it is placed next. And the sizes that the scheduler has tried for them."""
    several = [tried for tried in state.placements.tried.values() if tried.nodes > 1]
    return max((tried.nodes for tried in several), default=0), {size for tried in several for size in tried.sizes}


def _fits(room: Room, sizes: Sequence[NodeSize], names: Mapping[str, int], most: int, over: int) -> bool:
    """May the dearest of these names, as many as `most`, all have nodes? `sizes`: the cheapest first."""
    trial, left = replace(room), most
    for size in reversed(sizes):
        count = min(names[size.id], left)
        if trial.forbid(size, count, wanted=0, over=over) is not None:
            return False
        trial.take(size, count)
        left -= count
    return True
