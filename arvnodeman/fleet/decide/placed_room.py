"""Room for jobs, where the scheduler places them: what those want that have none, beside what placed jobs ask for.

A limit sends a job back, or closes the names that it could be placed on. Then it asks for nothing by itself; but nodes
that nobody uses make room for it, and none comes as a spare, or to fill up min_nodes, in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from arvnodeman.fleet.decide.picturing import picture_of
from arvnodeman.fleet.decide.placed import LIMITS, NOWHERE, PlacedNames
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.plan import Allotment, Plan
from arvnodeman.fleet.sizes.bounds import Room
from arvnodeman.fleet.sizes.limits import BackOff
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import Job, JobShape

Demand = dict[JobShape, list[int]]


def room_wanted(state: State) -> Demand:
    """Jobs that a limit has sent back, or keeps from being placed, as the plan is asked for them when it says which
    nodes go: they want room."""
    return _in_turn([*_sent_back(state), *_not_placed(state, shut_out=True)])


def wanted_beside(state: State, plan: Plan, names: PlacedNames) -> list[NewNode]:
    """What spares and min_nodes lack by the plan, as far as there is room beside all that jobs want: those that wait
    are placed when names are open, and those that are placed may not be listed with their names yet."""
    lacking = [new for new in plan.boots if new.shape is None]
    if not lacking:
        return []
    wanted = [*_placed(state, names), *_sent_back(state), *_not_placed(state, shut_out=False)]
    booting = Allotment(picture_of(state, demand=_in_turn(wanted))).booting
    if booting.room_wanted:
        return []
    room = Room(state.bounds(), plan.tally.nodes, plan.tally.price)
    for new in booting.boots:
        if new.shape is not None:
            room.take(new.size, 1)
    found: list[NewNode] = []
    for new in lacking:
        if room.forbid(new.size, 1, wanted=0, over=int(state.quota.other_size_may_try)) is None:
            room.take(new.size, 1)
            found.append(new)
    return found


def _in_turn(shapes: Iterable[JobShape]) -> Demand:
    demand: Demand = {}
    for place, shape in enumerate(shapes):
        demand.setdefault(shape, []).append(place)
    return demand


def _placed(state: State, names: PlacedNames) -> Iterable[JobShape]:
    """What placed jobs lack, whatever the names say of it yet."""
    seen: set[str] = set()
    for job in state.queue.jobs:
        lacking: dict[str, int] = {}
        for name in job.names:
            size = names.size_of(name)
            if size and name not in seen and not names.is_up(name) and not names.has_node(name):
                lacking[size] = lacking.get(size, 0) + 1
            seen.add(name)
        yield from _shapes(lacking)


def _sent_back(state: State) -> Iterable[JobShape]:
    for given in state.placements.given.values():
        if _is_limit(given.cause):
            yield from _shapes(given.lacked)


def _shapes(lacked: Mapping[str, int]) -> Iterable[JobShape]:
    return (JobShape(size=size, nodes=nodes, place=NOWHERE) for size, nodes in lacked.items())


def _not_placed(state: State, *, shut_out: bool) -> Iterable[JobShape]:
    """What jobs want that wait for nodes, and were not sent back. `shut_out`: those alone to which all names are
    closed that they could be placed on."""
    jobs: Sequence[Job] = state.queue.jobs
    for shape, places in state.queue.places.items():
        size = _size_for(state, shape, shut_out=shut_out)
        if size is None:
            continue
        wanted = JobShape(size=size, nodes=shape.nodes, place=NOWHERE)
        for job in map(jobs.__getitem__, places):
            if not job.names and job.waits.for_nodes and job.id not in state.placements.given:
                yield wanted


def _size_for(state: State, shape: JobShape, *, shut_out: bool) -> str | None:
    """The size that the scheduler is likely to choose: the first that nothing but a limit keeps it from. Where it is
    not known which sizes fit, the dearest that a limit closes."""
    assert state.table is not None
    closed = state.context.closed
    choices = [size.id for size in state.table.choices(shape)]
    if not choices:
        choices = [size.id for size in reversed(state.table.cheapest_first) if size.id in closed]
    if shut_out and not all(size in closed for size in choices):
        return None
    return next((size for size in choices if size not in closed or _is_limit(closed[size])), None)


def _is_limit(cause: reasons.Reason) -> bool:
    """May it end when a node goes?"""
    if isinstance(cause, reasons.BackingOff):
        return cause.why == BackOff.QUOTA.value
    return isinstance(cause, LIMITS)
