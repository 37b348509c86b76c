"""Names that no node has, where the scheduler places jobs: closed and opened, given back, and kept in order.

What is done follows from the newest lists alone, a row for each thing that a name can be at. So what was lost with a
daemon, or was refused, is done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arvnodeman.fleet.decide.name_acts import begin_chore, begin_return, some
from arvnodeman.fleet.decide.placed import BOOTING, PlacedNames, has_machine, is_alike
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import Decided, Poll, ReleaseRecord, SetNodeDown
from arvnodeman.fleet.operations.name_steps import OpenNames
from arvnodeman.fleet.operations.returning import closing
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeRecord
from arvnodeman.fleet.values.work import OUR_CLOSING, OUR_REMOVAL, OUR_RETURN, NodeWork, Power, WorkKind, reason_for

CLEANED = "Cleaned by Node Manager: its node is gone"
SHUT = reasons.Plain(text="it is drained or down, and should be powered up")
LISTS = 2  # of the cloud in a row that lack a node, before its traces are cleared
FINISHING = WorkKind.FINISHING
UP = frozenset({WorkKind.FREE, WorkKind.WORKING, FINISHING, WorkKind.DRAINING, WorkKind.UNFIT, WorkKind.DOWN})


# ---- names that are off ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Names:
    """Of one size, those that no node has and that we may open or close."""

    free: list[str] = field(default_factory=list)  # jobs can be placed there
    going: list[str] = field(default_factory=list)  # powering down: free after that, unless they are closed by then
    shut: list[str] = field(default_factory=list)
    unsure: int = 0  # others: they may have jobs, or have had something done that is not listed yet


def open_and_close(state: State) -> None:
    """Names that are off are closed with their size, or in part, and opened when that is over."""
    leave_open, closed, said = state.context.leave_open, state.context.closed, state.placements.said_closed
    for size in said.keys() - closed.keys() - leave_open.keys():
        del said[size]
    found = _names_by_size(state)
    partly = [each for size, each in found.items() if size in leave_open]
    # Names of one size are opened when those of the others are closed.
    spare = sum(each.names for each in leave_open.values()) - sum(len(each.free) + each.unsure for each in partly)
    for size, each in found.items():
        some_only = leave_open.get(size)
        others = each.going + each.shut
        if size in closed:
            free, more = 0, 0
        elif some_only is None:
            free = more = len(each.free) + len(others)
        else:
            free = some_only.names
            more = max(0, min(spare, free - len(each.free) - each.unsure))
            spare -= more
        opened = others[:more]
        going = [name for name in each.going if name not in opened]  # one drain may be lost: once more
        if shut := each.free[free:] + going:
            _close(state, size, shut)
        if opened:
            _open(state, size, opened)


def _names_by_size(state: State) -> dict[str, _Names]:
    names = PlacedNames(state)
    found: dict[str, _Names] = {}
    for name, work in names.work.items():
        comes = names.is_to_come(name)
        size = names.size_of(name) if work.is_off or comes else None
        if size is None or names.has_node(name):
            continue
        mine = found.setdefault(size, _Names())
        if comes or not names.is_fresh(name):
            mine.unsure += 1
        elif work.power is Power.GOING and _may_be_opened(work):
            mine.going.append(name)
        elif work.state.kind is WorkKind.OFF and work.power is not Power.GOING:
            mine.free.append(name)
        elif _may_be_opened(work):
            mine.shut.append(name)
    return found


def _may_be_opened(work: NodeWork) -> bool:
    """Is it powering down, or shut by us, or because no node came in time? What others have shut is theirs."""
    if work.state.kind in (WorkKind.OFF, WorkKind.UNHEARD) or (work.power is Power.GOING and not work.reason):
        return True
    return work.drain is not None and work.state.kind in (WorkKind.DRAINED, WorkKind.DOWN)


def _close(state: State, size: str, names: Sequence[str]) -> None:
    """That is said once for each reason: it takes two steps, each may be lost, and some names are busy until later."""
    context, said = state.context, state.placements.said_closed
    cause = context.closed.get(size) or context.leave_open[size].cause
    before = said.get(size)
    if before is None or not is_alike(before, cause):
        text = "Closing %s of size %s in Slurm: %s"
        context.decide(Decided.HELD_BACK, size, text, some(names), size, cause.words(state.t))
    said[size] = cause
    begin_chore(state, names, closing(context, tuple(names), cause))


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
        up = work.power is Power.ON or (work.power is Power.LEAVING and not _is_being_shut(record, work))
        if not (up or record.slot is not None) or name in state.phantoms:
            continue
        nodeless[name] = since = placements.nodeless.get(name, lists)
        if lists - since + 1 >= LISTS:
            _clear(state, name, record, work, up=up)
    placements.nodeless = nodeless
    placements.warned &= nodeless.keys()
    for size, those in _by_record(state, shut).items():
        begin_return(state, those, size, SHUT)


def _is_being_shut(record: NodeRecord, work: NodeWork) -> bool:
    """It was off, or has had no node, and is closed or given back by us: it is so for a second or two, or for longer
    where the scheduler has much to do."""
    return record.slot is None and work.drain is not None and work.drain.kind in (OUR_CLOSING, OUR_RETURN)


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
