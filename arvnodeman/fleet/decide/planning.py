"""Putting the plan to work: at a queue poll boots begin, at a node poll nodes go."""

from __future__ import annotations

from collections import Counter

from arvnodeman.fleet.decide.boot_lifecycle import after_boot, begin_boot
from arvnodeman.fleet.decide.evidence import heed, judge, note_boots
from arvnodeman.fleet.decide.funds import heed_spending
from arvnodeman.fleet.decide.meant import JobsOfBoots
from arvnodeman.fleet.decide.picturing import all_taken_back, refresh, replan
from arvnodeman.fleet.decide.placed_room import room_wanted
from arvnodeman.fleet.decide.room_evidence import judge_rooms
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stops import adopt_drained, after_shutdown, carry_out, reopen
from arvnodeman.fleet.messages import DEBUG, INFO, Decided, QueueListed
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeState
from arvnodeman.fleet.values.queue import Queue


def decide_boots(state: State, event: QueueListed) -> Plan | None:
    """A queue poll has come: take shutdowns back and begin boots, as far as the limits allow."""
    state.queue = Queue.of(event.jobs)
    if event.outlook.differs(state.outlook):
        state.vain.end_all(state.t)
        state.rooms.end_all(state.t)
    shapes = (*state.queue.places, *event.refused)
    state.names.want(shape.place.needs for shape in shapes if shape.place.needs is not None)
    state.foresee(event.outlook)
    state.run_times = event.run_times
    state.ahead.told(event.later, state)
    heed_spending(state, event.spending)
    heed(state, event.refused)
    if state.context.gate.lets_boots:
        if state.quota.probe_due(state.t):
            state.context.decide(Decided.QUOTA, "quota", "Raising node quota to %d, as a probe", state.quota.value)
        state.slots.probe_due(state.t)
        adopt_drained(state)
    plan = replan(state, in_force=state.context.gate.lets_boots)
    if plan is None or not plan.in_force:
        return plan
    verdicts = (judge(state, plan), judge_rooms(state, plan))
    if any(verdicts):
        plan = replan(state, in_force=True)
        assert plan is not None
    note_boots(state, plan)
    state.poll_again(state.vain.next_end(state.t))
    state.poll_again(state.rooms.next_end(state.t))
    take_back(state, plan)
    if any(share.wants for share in plan.shares.values()):
        reopen(state)
    _begin_boots(state, plan)
    _note_stop(state, plan)
    summarise(state, plan)
    return plan


def _begin_boots(state: State, plan: Plan) -> None:
    if not plan.boots:
        return
    for size, count in Counter(new.size.id for new in plan.boots).items():
        state.context.decide(Decided.BOOT, size, "Want %d more %s nodes.  Booting a node.", count, size)
    standing, meant = plan.tally.nodes, JobsOfBoots(state, plan)
    for new in plan.boots:
        boot = begin_boot(state, new.size, new.place, shape=new.shape, jobs=meant.of(new), load=new.jobs)
        if new.ahead:
            state.ahead.booted(state, new.ahead, boot.id)
        standing += 1
        if standing > state.quota.value:
            boot.probes, state.quota.other_size_may_try = True, False


def stop_by_plan(state: State) -> None:
    """A node poll has come, and the gate is open: what the plan lets go, goes."""
    plan = replan(state, ends=True, demand=room_wanted(state) if state.policy.places else None)
    assert plan is not None
    take_back(state, plan)
    for number in plan.end_boots:
        boot = state.boots.get(number)
        if boot is not None and boot.stop("nobody needs the node any more"):
            after_boot(state, boot)
    carry_out(state, plan)
    state.ahead.note(state, plan)


def take_back(state: State, plan: Plan) -> None:
    """Shutdowns of wanted nodes are cancelled in preference to boots (row E15)."""
    for identity in plan.take_back:
        node = state.roster.nodes.get(identity)
        shutdown = node.shutdown if node is not None else None
        if shutdown is not None and shutdown.cancel("Node size is in wishlist"):
            after_shutdown(state, shutdown)
    all_taken_back(state)


def _note_stop(state: State, plan: Plan) -> None:
    """What a limit stopped, and when to look again."""
    stop, size = plan.stopped, plan.stopped_size
    _decide_held_back(state, plan)
    if isinstance(stop, reasons.AtPriceCap) and size is not None:
        state.context.info(
            "Not booting %s (price %g) because with it would exceed max_total_price of %g (current total_price is %g)",
            size.id,
            stop.price,
            stop.cap,
            stop.total,
        )
    if stop is not None:
        state.poll_again(stop.until)
    for share in plan.shares.values():
        if share.cause is not None and share.waits:
            state.poll_again(share.cause.until)


def _decide_held_back(state: State, plan: Plan) -> None:
    """A limit that stops boots is one decision for as long as it is the same limit and size."""
    stop, size = plan.stopped, plan.stopped_size.id if plan.stopped_size is not None else ""
    key = None if stop is None else (type(stop).__name__, size)
    if stop is not None and key != state.held_back:
        state.context.decide(Decided.HELD_BACK, size, "Not booting: %s", stop.words(state.t), level=DEBUG)
    state.held_back = key


def summarise(state: State, plan: Plan) -> None:
    """One line for each size: wishlist, nodes by state."""
    if not state.context.tells(INFO):
        return
    assert state.table is not None
    refresh(state)
    counts = Counter(state.stock.census())
    counts.update((boot.size.id, NodeState.BOOTING) for boot in state.boots.values() if boot.row is None)
    for size in state.table.cheapest_first:
        booting, unpaired = counts[size.id, NodeState.BOOTING], counts[size.id, NodeState.UNPAIRED]
        idle, busy = counts[size.id, NodeState.IDLE], counts[size.id, NodeState.BUSY]
        state.context.info(
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
