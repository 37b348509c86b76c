"""The snapshot of what the Fleet knows, for others to read: a View is made of references, when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import islice
from types import MappingProxyType

from arvnodeman.fleet.decide.cases import resumed_now
from arvnodeman.fleet.decide.funds import funds_of
from arvnodeman.fleet.decide.picturing import pool_in
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import Poll
from arvnodeman.fleet.nodes.node import SHUTDOWN, Node
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.chores import Chore
from arvnodeman.fleet.operations.operation import Operation
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.plan.picture import Picture
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.plan.vain import group_name, words_of
from arvnodeman.fleet.sizes.limits import SizeHealth
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import JobShape, NodeState
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import Returned, StaysPlaced
from arvnodeman.fleet.values.reasons_of_spares import Readied
from arvnodeman.fleet.view.grounds import EndGrounds, Grounds, OddRow
from arvnodeman.fleet.view.node_table import NodeTable
from arvnodeman.fleet.view.spares import standings
from arvnodeman.fleet.view.view import NodeStatus, OperationStatus, Trouble, VainGroup, View, Waiting

MOST_ODD = 300  # rows that are copied, so that somebody may ask for them: some milliseconds
TROUBLE_COUNTS_FOR = 7200.0  # seconds that a boot's trouble is news, where no other boot follows


def _status(state: State, node: Node) -> NodeStatus:
    record, shutdown, reason = node.record, node.shutdown, node.reason
    facts = (
        node.cloud,
        record,
        node.size,
        node.slurm,
        record.hostname if record is not None else state.roster.hostname(node),
        node.price,
        node.state,
        node.since,
        node.idle_since,
        shutdown.stage.value if shutdown is not None else "",
        node.first_seen,
        node.been_up,
        node.doubtful,
        node.ending,
        reason if reason is not None and shutdown is None and node.state is not SHUTDOWN else _why(node),
        _idle_from(state, node) if node.idle_polls else -1,
        node.meant_for,
    )
    return tuple.__new__(NodeStatus, facts)  # in half the time of NodeStatus(), for every node of every node poll


def _idle_from(state: State, node: Node) -> int:
    """It stays the same while a node idles, so that one at rest is not to be shown anew at each poll. One that goes
    keeps its count, and is not counted on."""
    if not node.idle_polls or node.state is not NodeState.IDLE:
        return -1
    counted = state.roster.polls if node.quiet is None else node.rested
    return counted - node.idle_polls


def _why(node: Node) -> Reason:
    """The reason that was decided on, or what is being done about the node."""
    if node.shutdown is not None:
        return reasons.UnderWay(what=node.shutdown.stage.value, because=node.ending)
    if node.state is NodeState.SHUTDOWN:
        return reasons.UnderWay(what="destroyed, but still listed by the cloud", because=node.ending)
    return node.reason or (reasons.BOOTS if node.state is NodeState.BOOTING else reasons.NOT_JUDGED)


def publish(state: State, before: View | None) -> View:
    """The snapshot of this moment. Nodes not touched since the last one stay as they are."""
    rows = state.roster.nodes
    if before is None or 2 * len(state.touched) >= len(rows):
        nodes = NodeTable({identity: _status(state, node) for identity, node in rows.items()})
    elif state.touched:
        nodes = before.nodes.following(
            {
                identity: _status(state, node) if (node := rows.get(identity)) is not None else None
                for identity in state.touched
            }
        )
    else:
        nodes = before.nodes
    state.touched.clear()
    plan = state.plan
    return View(
        t=state.t,
        policy=state.policy,
        basis=state.basis(),
        nodes=nodes,
        operations=_operations(state, before),
        counters=MappingProxyType(dict(state.context.counters)),
        unknown_errors=MappingProxyType(dict(state.context.unknown_errors)),
        coming=sum(boot.row is None for boot in state.boots.values()) + len(state.phantoms),
        price=plan.tally.price if plan is not None else 0.0,
        quota=min(state.quota.value, state.policy.max_nodes),
        wish=sum(plan.wanted.values()) if plan is not None else 0,
        wanted=MappingProxyType(plan.wanted if plan is not None else {}),
        slots=min(state.slots.value, state.policy.max_nodes),
        sizes=state.table.cheapest_first if state.table is not None else (),
        proven=frozenset(size for size, health in state.health.items() if health.comes_up),
        phantoms=tuple(intent.size for intent in state.phantoms.values()),
        spreads=MappingProxyType(state.milestones.spreads()),
        jobs=state.queue.jobs,
        waiting=MappingProxyType(groups_of(state)),
        placed=MappingProxyType(state.placements.whys),
        closed=MappingProxyType(
            {size: partly.cause for size, partly in state.context.leave_open.items()} | dict(state.context.closed)
        ),
        refused=state.refused,
        vain=MappingProxyType(_vain(state)),
        backing_off=MappingProxyType(_resting(state)),
        troubles=MappingProxyType(
            {
                size: Trouble(health.trouble, health.trouble_at)
                for size, health in state.health.items()
                if health.trouble and state.t - health.trouble_at < TROUBLE_COUNTS_FOR
            }
        ),
        missing_sizes=tuple(missing.id for missing in state.table.missing) if state.table is not None else (),
        budgets=funds_of(state).standings,
        spares=standings(state),
        ahead=MappingProxyType(_ahead(state)),
        cloud_clock=state.cloud_clock,
        poll_ages=MappingProxyType({poll: state.freshness.age(poll, state.t) for poll in Poll}),
        gate=state.context.gate,
        lead=state.lead,
        grounds=_grounds(state, nodes, before.grounds if before is not None else None),
    )


def groups_of(state: State) -> dict[JobShape, Waiting]:
    """What there is for each group of jobs."""
    if state.plan is None:
        return {}
    if state.policy.places:
        return _placed(state)
    return _waiting(state.plan, blocked=not state.context.gate.lets_boots)


def _placed(state: State) -> dict[JobShape, Waiting]:
    """Where Slurm places jobs each stands by itself; of a group it is counted how many have their nodes."""
    found: dict[JobShape, Waiting] = {}
    whys, served = state.placements.whys, state.placements.served
    for shape, places in state.queue.places.items():
        ids = [state.queue.jobs[place].id for place in places]
        cause = next((whys[job] for job in ids if job in whys and job not in served), None)
        found[shape] = Waiting(len(places), sum(job in served for job in ids), places, cause)
    return found


def _waiting(plan: Plan, *, blocked: bool) -> dict[JobShape, Waiting]:
    """What the plan has for each group. `blocked`: boots that it has not begun do not begin now, and serve nobody."""
    only_planned = blocked and not plan.in_force
    return {
        shape: Waiting(
            len(group.places),
            group.served - group.booting if only_planned else group.served,
            group.places,
            group.cause,
            group.choices,
            group.shut_room,
        )
        for shape, group in plan.shares.items()
    }


def _operations(state: State, before: View | None) -> Sequence[OperationStatus]:
    """Those that have not gone on since the last snapshot stay as they are."""
    if before is not None and not state.moved:
        return before.operations
    shown = before.operations if before is not None else ()
    still = {status.id: status for status in shown if status.id not in state.moved}
    state.moved.clear()
    found = [still.get(number) or _boot(boot) for number, boot in state.boots.items()]
    found += [still.get(number) or _shutdown(shutdown) for number, shutdown in state.shutdowns.items()]
    found += [still.get(number) or _chore(chore) for number, chore in state.chores.items()]
    return tuple(found)


def _boot(boot: Boot) -> OperationStatus:
    stage = f"{boot.stage.value} ({boot.rung.words})" if boot.rung is not None else boot.stage.value
    return _operation(boot, "boot", boot.subject, stage, boot.size.id, boot.row)


def _shutdown(shutdown: Shutdown) -> OperationStatus:
    kind = "kill" if shutdown.kind is ShutdownKind.KILL else "shutdown"
    node = shutdown.node
    size = node.size.id if node.size is not None else None
    return _operation(shutdown, kind, shutdown.subject, shutdown.stage.value, size, node)


def _chore(chore: Chore) -> OperationStatus:
    stage = type(chore.step).__name__ if chore.step is not None else "waiting"
    return _operation(chore, "chore", chore.logger, stage)


def _operation(
    operation: Operation, kind: str, subject: str, stage: str, size: str | None = None, node: Node | None = None
) -> OperationStatus:
    waits = operation.step is None and operation.trouble is not None
    return OperationStatus(
        operation.id,
        kind,
        subject,
        stage,
        operation.began,
        operation.attempts,
        size,
        node.id if node is not None else None,
        operation.trouble if waits else None,
        operation.due if waits else None,
    )


def _ahead(state: State) -> dict[str, Reason]:
    """Of each job that cannot start yet how it stands with nodes for it."""
    found = dict(state.ahead.whys)
    for share in state.plan.ahead if state.plan is not None else ():
        there, nameless = share.idle + share.coming + share.begun, state.ahead.nameless.get(share.wish.job)
        found[share.wish.job] = (
            share.cause
            or (nameless if share.begun else None)
            or Readied(
                until=share.wish.at, why=share.wish.why, idle=share.idle, coming=there - share.idle, rooms=share.rooms
            )
        )
    return found


def _vain(state: State) -> dict[str, VainGroup]:
    """The groups that are remembered and that still have jobs."""
    found: dict[str, VainGroup] = {}
    for shape, m in state.vain.groups.items():
        if shape in state.queue.places or shape in state.refused:
            cause = m.cause(state.t) or m.probing()
            sizes = tuple(size.id for size in state.table.choices(shape)) if state.table is not None else ()
            group = VainGroup(shape, words_of(shape), sizes, m.reason, m.node, m.idle, m.until, cause)
            found[group_name(shape)] = group
    return found


def _resting(state: State) -> dict[str, Reason]:
    found: dict[str, Reason] = {}
    standing = state.plan.tally.nodes if state.plan is not None else 0
    for size, health in state.health.items():
        if health.backing_off is not None and health.is_backing_off(state.t, standing):
            cause = reasons.BackingOff(
                until=health.until, size=size, why=health.backing_off.value, detail=health.detail
            )
            found[size] = cause
    return found


# ---- for questions about the decisions -------------------------------------------------------------------------------


def _grounds(state: State, nodes: NodeTable, before: Grounds | None) -> Grounds | None:
    """Of this moment; the same as before, where nothing was planned since. `nodes`: as they are shown now."""
    picture = state.picture
    if picture is None or (before is not None and before.made == state.plans):
        return before
    ends = before.ends if before is not None else None
    was = before.picture.health if before is not None else {}
    if state.picture_of_ends is not None:
        ends = _of_ends(state, state.picture_of_ends, nodes, was)
        state.picture_of_ends, was = None, ends.picture.health
    return Grounds(state.plans, _still(picture, was), ends, _lacked(state))


def _still(picture: Picture, was: Mapping[str, SizeHealth]) -> Picture:
    """With copies of what the brain goes on to change, and without what may go. `was`: copies of how sizes fared, which
    do again for those that fare as they did then."""
    health = {
        size: before if (before := was.get(size)) == each else each.copied() for size, each in picture.health.items()
    }
    vain = {shape: copy(memory) for shape, memory in picture.vain.items()}
    return replace(picture, ends=None, health=health, vain=vain)


def _of_ends(state: State, picture: Picture, nodes: NodeTable, was: Mapping[str, SizeHealth]) -> EndGrounds:
    assert picture.ends is not None
    ends = replace(picture.ends, chances={})
    odd = {identity: _row(state, node) for identity, node in islice(state.stock.odd.items(), MOST_ODD)}
    left = len(state.stock.odd) - len(odd)
    return EndGrounds(_still(picture, was), ends, nodes, state.basis(), odd, state.roster.polls, left)


def _row(state: State, node: Node) -> OddRow:
    return OddRow(replace(node, use=copy(node.use)), pool_in(state, node), resumed_now(state, node))


def _lacked(state: State) -> dict[str, Mapping[str, int]]:
    if not state.policy.places:
        return {}
    found: dict[str, Mapping[str, int]] = {}
    for job, why in state.placements.whys.items():
        given = state.placements.given.get(job)
        if given is not None:
            found[job] = given.lacked
        elif isinstance(why, Returned | StaysPlaced):
            records = [state.roster.records.get(name) for name in why.names]
            sizes = [record.size or "" for record in records if record is not None]
            found[job] = {size: sizes.count(size) for size in dict.fromkeys(sizes)}
    return found
