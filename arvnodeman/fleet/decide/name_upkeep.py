"""Names that no node has, where the scheduler places jobs: closed and opened, given back, and kept in order.

What is done follows from the newest lists alone, a row for each thing that a name can be at. So what was lost with a
daemon, or was refused, is done again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from arvnodeman.fleet.decide.name_acts import begin_chore, begin_return, some
from arvnodeman.fleet.decide.placed import BOOTING, LIMITS, PlacedNames, has_machine, no_size
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import Decided, Poll, ReleaseRecord, SetNodeDown
from arvnodeman.fleet.operations.name_steps import OpenNames
from arvnodeman.fleet.operations.returning import closing
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.sizes.bounds import Room
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeRecord, NodeSize
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.work import OUR_REMOVAL, NodeWork, Power, WorkKind, reason_for

CLEANED = "Cleaned by Node Manager: its node is gone"
SHUT = reasons.Plain(text="it is drained or down, and was to be powered up")
LISTS = 2  # of the cloud in a row that lack a node, before its traces are cleared
FINISHING = WorkKind.FINISHING
UP = frozenset({WorkKind.FREE, WorkKind.WORKING, FINISHING, WorkKind.DRAINING, WorkKind.UNFIT, WorkKind.DOWN})


# ---- which sizes are closed ------------------------------------------------------------------------------------------


def note_closed(state: State, plan: Plan, begun: Sequence[NodeSize]) -> None:
    """On the names of which sizes no job is to be placed, and on how many of the others: as many as may have nodes,
    where a limit has sent jobs back. `begun`: of boots that have begun since the plan was made."""
    assert state.table is not None
    before, over = state.context.closed, int(state.quota.other_size_may_try)
    pressed = _pressed(state)
    closed: dict[str, Reason] = {}
    leave_open: dict[str, int] = {}
    nodes = plan.tally.nodes + len(begun)
    room = Room(state.bounds(), nodes, plan.tally.price + sum(size.price for size in begun))
    for size in state.table.cheapest_first:
        cause = _rests(state, size, nodes) or room.forbid(size, 1, wanted=1, over=over)
        if cause is not None:
            closed[size.id] = before[size.id] if _is_alike(before.get(size.id), cause) else cause
            state.poll_again(cause.until)
            continue
        most = 1
        while most < pressed.get(size.id, 0) and room.forbid(size, most + 1, wanted=1, over=over) is None:
            most += 1
        if most < pressed.get(size.id, 0):
            leave_open[size.id] = most
    for name in {record.size or "" for record in state.roster.records.values()} - closed.keys():
        hopeless = no_size(state, name)
        if hopeless is not None:
            closed[name] = hopeless
    state.context.closed, state.context.leave_open = closed, leave_open


def _pressed(state: State) -> dict[str, int]:
    """The sizes of jobs that a limit has sent back: how many nodes the largest of them lacked."""
    pressed: dict[str, int] = {}
    for given in state.placements.given.values():
        if isinstance(given.cause, LIMITS):
            pressed[given.size] = max(pressed.get(given.size, 0), given.nodes)
    return pressed


def _rests(state: State, size: NodeSize, standing: int) -> Reason | None:
    health = state.health_of(size)
    if health.backing_off is None or not health.is_backing_off(state.t, standing):
        return None
    why = health.backing_off.value
    return reasons.BackingOff(until=health.until, size=size.id, why=why, detail=health.detail)


def _is_alike(before: Reason | None, cause: Reason) -> bool:
    """A limit is the same whatever stands at it."""
    return type(before) is type(cause) and before is not None and before.until == cause.until


# ---- names that are off ----------------------------------------------------------------------------------------------


def open_and_close(state: State) -> None:
    """Names that are off are closed with their size, or in part, and opened when that is over."""
    names = PlacedNames(state)
    free: dict[str, list[str]] = {}
    shut: dict[str, list[str]] = {}
    unsure: Counter[str] = Counter()  # what has been done with them since is not listed yet: they may be open
    for name, work in names.work.items():
        size = names.size_of(name) if work.is_off else None
        if size is None or names.has_node(name):
            continue
        if not names.is_fresh(name):
            unsure[size] += 1
            continue
        going = work.power is Power.GOING and _may_be_opened(work)
        if (work.state.kind is WorkKind.OFF and not going) or (going and size in state.context.closed):
            free.setdefault(size, []).append(name)  # a drain of one that is powering down may be lost: once more
        elif _may_be_opened(work):
            shut.setdefault(size, []).append(name)
    leave_open, closed = state.context.leave_open, state.context.closed
    for size in free.keys() | shut.keys():
        mine, others = free.get(size, []), shut.get(size, [])
        some_only = leave_open.get(size)
        most = len(mine) + len(others) if some_only is None else max(0, some_only - unsure[size])
        most = 0 if size in closed else most
        if len(mine) > most:
            _close(state, size, mine[most:])
        elif others and len(mine) < most:
            _open(state, size, others[: most - len(mine)])


def _may_be_opened(work: NodeWork) -> bool:
    """Is it powering down, or shut by us, or because no node came in time? What others have shut is theirs."""
    if work.state.kind in (WorkKind.OFF, WorkKind.UNHEARD) or (work.power is Power.GOING and not work.reason):
        return True
    return work.drain is not None and work.state.kind in (WorkKind.DRAINED, WorkKind.DOWN)


def _close(state: State, size: str, names: Sequence[str]) -> None:
    cause = state.context.closed.get(size)
    if cause is None:
        given = [each.cause for each in state.placements.given.values() if each.size == size]
        cause = given[0] if given else reasons.Plain(text="a limit stops it")
    text = "Closing %s of size %s in Slurm: %s"
    state.context.decide(Decided.HELD_BACK, size, text, some(names), size, cause.words(state.t))
    begin_chore(state, names, closing(state.context, tuple(names), cause))


def _open(state: State, size: str, names: Sequence[str]) -> None:
    state.context.info("Opening %s of size %s in Slurm", some(names), size)
    begin_chore(state, names, OpenNames(0, tuple(names)))


# ---- names in disorder -----------------------------------------------------------------------------------------------


def keep_names(state: State) -> None:
    """A list of names has come: those without a node that are at something else than being off, and marks of nodes that
    are gone."""
    names, placements = PlacedNames(state), state.placements
    lists = state.freshness.counts[Poll.CLOUD]
    nodeless: dict[str, int] = {}
    shut: list[str] = []
    for name, record in state.roster.records.items():
        work = names.work.get(name)
        if work is None or names.has_node(name) or not names.is_fresh(name) or has_machine(state, record):
            continue
        if work.power in BOOTING and work.state.kind in (WorkKind.DRAINED, WorkKind.DOWN):
            shut.append(name)
        up = work.power in (Power.ON, Power.LEAVING)
        if not (up or record.slot is not None) or name in state.phantoms:
            continue
        nodeless[name] = since = placements.nodeless.get(name, lists)
        if lists - since + 1 >= LISTS:
            _clear(state, name, record, work, up=up)
    placements.nodeless = nodeless
    placements.warned &= nodeless.keys()
    for size, those in _by_record(state, shut).items():
        begin_return(state, those, size, SHUT)


def _by_record(state: State, names: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(state.roster.records[name].size or "", []).append(name)
    return found


def _clear(state: State, name: str, record: NodeRecord, work: NodeWork, *, up: bool) -> None:
    """Its node is gone: jobs that cannot be on it any more are let go, and its mark is taken away."""
    if up and not _is_lost(work):
        if work.state.busy and work.responding and name not in state.placements.warned:
            state.placements.warned.add(name)
            text = "Slurm says %s of %s, whose node no list of the cloud shows: it is kept"
            state.context.warning(text, work.state.said, name)
        return
    reason = reason_for(OUR_REMOVAL, record.instance_id or name)
    release = ReleaseRecord(0, record.uuid, CLEANED, record.is_name)
    text = "Cleaning name %s: it has no node"
    state.context.decide(Decided.CLEAN, name, text, name)
    if up:
        begin_chore(state, [name], SetNodeDown(0, name, reason), release)
    else:
        begin_chore(state, [name], release)
    state.context.counters["records_cleaned"] += 1


def _is_lost(work: NodeWork) -> bool:
    """Up by the scheduler's word, and nobody's: not one that works and answers, nor one in somebody's hands."""
    works = work.state.busy and work.responding
    if work.state.kind not in UP or (works and not (work.power is Power.LEAVING and work.state.kind is FINISHING)):
        return False
    return work.state.kind is not WorkKind.DOWN or not work.responding or work.drain is not None
