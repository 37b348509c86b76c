"""Putting the plan to work: supply as it is now against the queue, then boots, and the account for others to read."""

from __future__ import annotations

from collections import Counter

from arvnodeman.fleet.decide.boots import begin_boot
from arvnodeman.fleet.decide.evidence import heed, judge, note_boots
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stops import adopt_drained, after_shutdown
from arvnodeman.fleet.messages import DEBUG, Decided, QueueListed
from arvnodeman.fleet.nodes.node import BUSY, NOT_UP, RESERVED, Node, drained_by_us
from arvnodeman.fleet.outlook.ahead import Names
from arvnodeman.fleet.plan.demand import Limits, Plan, make_plan
from arvnodeman.fleet.plan.wishlist import BOOTING, IDLE, SHIELDED, UNPAIRED, Supply, pool_of
from arvnodeman.fleet.values import causes
from arvnodeman.fleet.values.model import NodeState, Word, Zone
from arvnodeman.fleet.values.queue import Queue

GOING_WORDS = frozenset({Word.DRAIN, Word.KILL})
SUPPLY_KIND = {NodeState.IDLE: IDLE, NodeState.UNPAIRED: UNPAIRED, NodeState.BOOTING: BOOTING}


def supply_kind(state: State, node: Node) -> int | None:
    """What a node is to a waiting job; None: nothing."""
    if node.size is None or node.destroyed_at is not None or node.word in GOING_WORDS:
        return None
    if node.shutdown is not None:
        return IDLE if node.shutdown.cancelling else None
    if drained_by_us(node) is not None:
        return None
    if node.shield_until is not None:  # many turned down at once: nothing is booted in its place for a while
        return SHIELDED if node.supply_until > state.t else None
    if node.state is RESERVED:
        return UNPAIRED if not node.been_up and not node.boot_exceeded(state.sight()) else None
    return SUPPLY_KIND.get(node.state)


def take_stock(state: State) -> Supply:
    """One pass over everything that exists or is booting."""
    supply = Supply()
    price, up, t, sight = 0.0, 0, state.t, state.sight()
    for node in state.roster.nodes.values():
        price += node.price
        shutdown = node.shutdown
        if shutdown is not None:
            up += shutdown.cancelling
        elif node.destroyed_at is None:
            if node.state not in NOT_UP:
                up += 1
            if node.booted and not node.been_up and node.size is not None and not node.boot_exceeded(sight):
                supply.coming[node.size.id] += 1
        if node.state is BUSY and node.supply_until <= t:
            if node.use.kept_since is not None and node.size is not None:
                supply.planned[node.size.id] += 1
            continue
        kind = supply_kind(state, node)
        if kind is not None and node.size is not None:
            supply.unused = True
            supply.add(node.size.id, kind, state.zone(node.hostname))
    supply.nodes = len(state.roster.nodes)
    supply.price, supply.up = price, up
    _add_unseen(state, supply)
    return supply


def _add_unseen(state: State, supply: Supply) -> None:
    """What no list shows yet, or any more."""
    for boot in state.boots.values():
        if boot.row is None and boot.outcome is None:
            _add_coming(supply, boot.size.id, boot.size.price, state.zone(boot.hostname))
            supply.creating[boot.size.id] += 1
    for uuid, intent in state.phantoms.items():
        _add_coming(supply, intent.size, intent.price, state.zone(uuid))
    for record in state.unlisted.values():
        supply.nodes += 1
        supply.price += record.intent.price if record.intent is not None else 0.0


def _add_coming(supply: Supply, size: str, price: float, zone: Zone) -> None:
    supply.add(size, BOOTING, zone)
    supply.nodes += 1
    supply.up += 1
    supply.price += price
    supply.coming[size] += 1


def _limits(state: State) -> Limits:
    assert state.table is not None
    cancellable = Counter(
        pool_of(shutdown.node.size.id, state.zone(shutdown.node.hostname))
        for shutdown in state.shutdowns.values()
        if shutdown.cancellable and not shutdown.cancelling and shutdown.node.size is not None
    )
    return Limits(
        policy=state.policy,
        t=state.t,
        bounds=state.bounds(),
        other_size_may_try=state.quota.other_size_may_try,
        health=state.health,
        cancellable=dict(cancellable),
        table=state.table,
        now=state.clock.now,
        outlook=state.outlook,
        names=_names(state),
        vain=state.vain.limits(state.queue.places.keys()),
    )


def _names(state: State) -> Names | None:
    """The names that a boot could have, where reservations are in the way of some, or jobs ask for some; None: that
    does not matter."""
    outlook, roster = state.outlook, state.roster
    if state.has_names and (outlook.reservations or state.names.needs):
        records = [roster.records[uuid] for uuid in state.stale_records if uuid in roster.records]
        free = (record for record in records if not state.is_taken(record))
        return Names(Counter((state.zone(record.hostname), record.partitions) for record in free))
    if not outlook.reservations or roster.slurm is None:
        return None
    taken = {node.hostname for node in roster.nodes.values()} | outlook.never_ours
    reserved = outlook.zones()
    beside = state.names.met_by(None)
    zones = Counter((*reserved.get(name, ()), *beside) for name in roster.slurm if name not in taken)
    return Names(Counter({(zone, ()): number for zone, number in zones.items()}), counted=False)


def replan(state: State) -> Plan | None:
    """Supply against demand, as of now; None before the sizes are known."""
    if state.table is None:
        return None
    for size in state.table.cheapest_first:
        state.health_of(size)
    state.plan_outdated = False
    state.plan = make_plan(state.queue, take_stock(state), _limits(state))
    return state.plan


def wanted_again(state: State, node: Node) -> bool:
    """Just before a destroy: is such a node wanted after all, by the newest lists?"""
    plan = replan(state) if state.plan_outdated else state.plan
    pool = pool_of(node.size.id, state.zone(node.hostname)) if node.size is not None else ""
    if plan is None or plan.cancels.get(pool, 0) <= 0:
        return False
    plan.cancels[pool] -= 1
    return True


def decide_boots(state: State, event: QueueListed) -> Plan | None:
    """A queue poll has come: take shutdowns back and begin boots, as far as the limits allow."""
    state.queue = Queue.of(event.jobs)
    if event.outlook.differs(state.outlook):
        state.vain.end_all(state.t)
    shapes = (*state.queue.places, *event.refused)
    state.names.want(shape.place.needs for shape in shapes if shape.place.needs is not None)
    state.foresee(event.outlook)
    heed(state, event.refused)
    if state.desk.gate.lets_boots:
        if state.quota.probe_due(state.t):
            state.desk.decide(Decided.QUOTA, "quota", "Raising node quota to %d, as a probe", state.quota.value)
        state.slots.probe_due(state.t)
        adopt_drained(state)
    plan = replan(state)
    if plan is None or not state.desk.gate.lets_boots:
        return plan
    if judge(state, plan):
        plan = replan(state)
        assert plan is not None
    plan.in_force = True
    note_boots(state, plan)
    state.look_again(state.vain.next_end(state.t))
    take_back(state, plan)
    for size, count in Counter(size.id for size in plan.boots).items():
        state.desk.decide(Decided.BOOT, size, "Want %d more %s nodes.  Booting a node.", count, size)
    standing = plan.supply.nodes
    for boot_size, place in zip(plan.boots, plan.places, strict=True):
        boot = begin_boot(state, boot_size, place)
        standing += 1
        if standing > state.quota.value:
            boot.probes, state.quota.other_size_may_try = True, False
    _note_stop(state, plan)
    _summarise(state, plan)
    return plan


def take_back(state: State, plan: Plan) -> None:
    """Shutdowns of wanted nodes are cancelled in preference to boots (row E15), the newest first."""
    left = dict(plan.cancels)
    if not left:
        return
    for shutdown in sorted(state.shutdowns.values(), key=lambda shutdown: -shutdown.id):
        size = shutdown.node.size
        pool = pool_of(size.id, state.zone(shutdown.node.hostname)) if size is not None else ""
        if not left.get(pool) or not shutdown.cancellable or shutdown.cancelling:
            continue
        if shutdown.cancel("Node size is in wishlist"):
            left[pool] -= 1
            plan.cancels[pool] -= 1
        after_shutdown(state, shutdown)


def _note_stop(state: State, plan: Plan) -> None:
    """What a limit stopped, and when to look again."""
    stop, size = plan.stopped, plan.stopped_size
    _decide_held_back(state, plan)
    if isinstance(stop, causes.AtPriceCap) and size is not None:
        state.desk.info(
            "Not booting %s (price %g) because with it would exceed max_total_price of %g (current total_price is %g)",
            size.id,
            size.price,
            stop.cap,
            stop.total,
        )
    if stop is not None:
        state.look_again(stop.until)
    for group in plan.groups.values():
        if group.cause is not None and group.open:
            state.look_again(group.cause.until)


def _decide_held_back(state: State, plan: Plan) -> None:
    """A limit that stops boots is one decision for as long as it is the same limit and size."""
    stop, size = plan.stopped, plan.stopped_size.id if plan.stopped_size is not None else ""
    key = None if stop is None else (type(stop).__name__, size)
    if stop is not None and key != state.held_back:
        state.desk.decide(Decided.HELD_BACK, size, "Not booting: %s", stop.words(state.t), level=DEBUG)
    state.held_back = key


def _summarise(state: State, plan: Plan) -> None:
    """One line for each size: wishlist, nodes by state."""
    assert state.table is not None
    counts = state.roster.census()
    counts.update((boot.size.id, NodeState.BOOTING) for boot in state.boots.values() if boot.row is None)
    for size in state.table.cheapest_first:
        booting, unpaired = counts[size.id, NodeState.BOOTING], counts[size.id, NodeState.UNPAIRED]
        idle, busy = counts[size.id, NodeState.IDLE], counts[size.id, NodeState.BUSY]
        state.desk.info(
            "%s: wishlist %d, up %d (booting %d, unpaired %d, idle %d, busy %d), down %d, shutdown %d",
            size.id,
            plan.wanted.get(size.id, 0),
            booting + unpaired + idle + busy,
            booting,
            unpaired,
            idle,
            busy,
            counts[size.id, NodeState.DOWN] + counts[size.id, NodeState.FAIL],
            counts[size.id, NodeState.SHUTDOWN],
        )
