"""Taking the picture that a plan is made of, and having the plan of now at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from arvnodeman.fleet.decide.cases import case_of, resumed_now
from arvnodeman.fleet.decide.cases_by_power import case_by_power
from arvnodeman.fleet.decide.funds import funds_of
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.decide.stock import is_plainly_busy, supply_kind
from arvnodeman.fleet.nodes.by_power import TO_COME
from arvnodeman.fleet.nodes.eligible import eligible
from arvnodeman.fleet.nodes.node import Basis, Node
from arvnodeman.fleet.nodes.roster import Roster
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.outlook.ahead import Names
from arvnodeman.fleet.plan.packing import COMING
from arvnodeman.fleet.plan.picture import (
    BOOTING,
    NOTHING,
    Case,
    Chance,
    Ends,
    IdleBin,
    NodeTally,
    PartlyUsed,
    Picture,
    Stop,
    pool_of,
)
from arvnodeman.fleet.plan.plan import Allotment, Plan, plan
from arvnodeman.fleet.plan.purses import Funds
from arvnodeman.fleet.values.capacity import Capacity
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import JobShape, Load
from arvnodeman.fleet.values.places import Zone
from arvnodeman.fleet.values.reasons_of_budgets import BudgetSpent

Demand = Mapping[JobShape, Sequence[int]]
Comes = tuple[str, float, Zone]  # size, price and zone of a node that no list shows yet


def replan(
    state: State, *, ends: bool = False, asking: str = "", in_force: bool = False, demand: Demand | None = None
) -> Plan | None:
    """The plan of now; None before the sizes are known. `ends`: nodes may go by it; `asking`: a node at its last
    look; `in_force`: its boots begin; `demand`: what is asked for, where that is not what waits in the queue."""
    if state.table is None:
        return None
    picture = picture_of(state, ends=ends, asking=asking, in_force=in_force, demand=demand)
    if state.allotment is None or not state.allotment.is_of(picture):
        state.allotment = Allotment(picture, state.allotment)
    state.plan = plan(picture, state.allotment)
    if not asking:
        state.picture, state.plans = picture, state.plans + 1
        state.picture_of_ends = picture if ends else state.picture_of_ends
    state.table.forget_others(state.plan.shares)
    if state.policy.spares:
        state.poll_again(state.t + state.spare_hours.until(state.policy.spares, state.clock.now) - state.clock.now)
    return state.plan


def wanted_again(state: State, node: Node) -> bool:
    """Just before a destroy: is the node to be taken back, by the newest lists?"""
    now = state.plan
    if now is None or now.news != state.news or (now.take_back and node.id not in now.take_back):
        now = replan(state, asking=node.id)
    return now is not None and node.id in now.take_back


def taken_back(state: State, identity: str) -> None:
    """What the plan asks for has been done for one node."""
    if state.plan is not None and identity in state.plan.take_back:
        left = [each for each in state.plan.take_back if each != identity]
        state.plan = replace(state.plan, take_back=left)


def all_taken_back(state: State) -> None:
    """All that the plan asks for has been done."""
    if state.plan is not None and state.plan.take_back:
        state.plan = replace(state.plan, take_back=())


def refresh(state: State) -> None:
    """Bring up to date what is kept of nodes and operations."""
    event, zoned = state.clock.events, state.is_zoned
    state.stock.refresh(state.roster.nodes, state.basis, state.zone, zoned=zoned, event=event)
    state.under_way.refresh(state.boots, state.shutdowns, state.zone, zoned=zoned)


def picture_of(
    state: State, *, ends: bool = False, asking: str = "", in_force: bool = False, demand: Demand | None = None
) -> Picture:
    """All that is known now. Boots for names that the scheduler chose are not the plan's to end."""
    assert state.table is not None
    refresh(state)
    funds, ahead = funds_of(state), state.ahead.wishes(state)
    return Picture(
        policy=state.policy,
        t=state.t,
        now=state.clock.now,
        news=state.news,
        gate=state.context.gate,
        table=state.table,
        bounds=state.bounds(),
        other_size_may_try=state.quota.other_size_may_try,
        health=state.health,
        demand=state.queue.places if demand is None else demand,
        tally=_with_unseen(state, state.stock.tally()),
        leaving=tuple(state.under_way.leaving.values()),
        pending=() if state.policy.places else tuple(state.under_way.pending.values()),
        outlook=state.outlook,
        names=_names(state),
        vain=state.vain.limits(state.queue.places),
        asking=asking,
        ends=_ends(state, funds) if ends else None,
        in_force=in_force,
        ahead=ahead,
        run_times=state.run_times,
        shut_rooms=state.rooms.reasons(state.t),
        funds=funds,
        coming_for=_coming_for(state),
        placed_on=_placed_on(state) if state.policy.places and (ahead or state.policy.spares) else {},
        placed_rooms=_placed_rooms(state) if state.policy.places and ahead else (),
    )


def pool_in(state: State, node: Node) -> str:
    """The pool that a node is in; '' where its size is not recognisable."""
    return pool_of(node.size.id, state.zone(node.hostname)) if node.size is not None else ""


def _with_unseen(state: State, tally: NodeTally) -> NodeTally:
    """And what no list shows yet, or any more. The same object for as long as all of that counts alike, so that a plan
    need not be made anew."""
    boots = [boot for boot in state.boots.values() if boot.row is None and boot.outcome is None]
    if not (boots or state.phantoms or state.unlisted):
        return tally
    if state.is_zoned:
        comes = [(boot.size.id, boot.sized.price, state.zone(boot.hostname)) for boot in boots]
        comes += [(intent.size, intent.price, state.zone(uuid)) for uuid, intent in state.phantoms.items()]
    else:
        comes = [(boot.size.id, boot.sized.price, ()) for boot in boots]
        comes += [(intent.size, intent.price, ()) for intent in state.phantoms.values()]
    prices = [record.intent.price for record in state.unlisted.values() if record.intent is not None]
    unseen = len(boots), comes, prices, len(state.unlisted)
    known = state.stock.counted
    if known is None or known[0] is not tally or known[1] != unseen:
        known = state.stock.counted = tally, unseen, _counted(state, tally, boots, comes, prices)
    return known[2]


def _counted(
    state: State, tally: NodeTally, boots: Sequence[Boot], comes: Sequence[Comes], prices: Sequence[float]
) -> NodeTally:
    """With what comes, and what is there at these prices."""
    supply, pending = dict(tally.supply), dict(tally.pending)
    for size, _, zone in comes:
        pending[size] = pending.get(size, 0) + 1
        pool = pool_of(size, zone)
        kinds = supply[pool] = list(supply.get(pool, NOTHING))
        kinds[BOOTING] += 1
    return NodeTally(
        supply=supply,
        nodes=tally.nodes + len(comes) + len(state.unlisted),
        price=tally.price + sum(price for _, price, _ in comes) + sum(prices),
        up=tally.up + len(comes),
        creating=Counter(boot.size.id for boot in boots),
        pending=pending,
        busy=tally.busy,
        planned=tally.planned,
        unused=tally.unused,
        rooms=tally.rooms,
        whole=tally.whole,
    )


def _coming_for(state: State) -> Mapping[str, Mapping[Load, int]]:
    """The jobs that are to share nodes which come, as they were when these were booted."""
    found: dict[str, Counter[Load]] = {}
    for boot in state.boots.values():
        if boot.load and boot.row is None and boot.outcome is None:
            found.setdefault(pool_of(boot.size.id, state.zone(boot.hostname)), Counter())[boot.load] += 1
    loaded = [node for node in state.stock.odd.values() if node.load and not node.been_up]
    if not loaded:
        return found
    basis = state.basis()
    for node in loaded:
        if node.size is not None and supply_kind(node, basis) in COMING:
            found.setdefault(pool_of(node.size.id, state.zone(node.hostname)), Counter())[node.load] += 1
    return found


def _placed_on(state: State) -> Mapping[str, int]:
    """Of nodes that come those whose names have a job, by size."""
    words = state.roster.slurm or {}
    names = {name for job in state.queue.jobs for name in job.names}
    boots = [boot for boot in state.boots.values() if boot.row is None and boot.outcome is None]
    comes = [(boot.size.id, boot.hostname) for boot in boots]
    comes += [(intent.size, uuid) for uuid, intent in state.phantoms.items()]
    comes += [(node.size.id, node.hostname) for node in state.stock.odd.values() if node.size and not node.been_up]
    names |= {name for name, work in words.items() if work.placed}
    return Counter(size for size, name in comes if name in names)


def _placed_rooms(state: State) -> Sequence[tuple[str, Capacity]]:
    """Of each node that comes for jobs its pool, and what these leave of it: others may be placed there, too."""
    found: list[tuple[str, Capacity]] = []
    for name, work in (state.roster.slurm or {}).items():
        record = state.roster.records.get(name)
        if record is None or not record.size or work.power not in TO_COME or not work.placed:
            continue
        if work.free is not None and work.free.cpus > 0 and not work.state.drained:
            found.append((pool_of(record.size, state.zone(name)), work.free))
    return found


def _ends(state: State, funds: Funds) -> Ends:
    """What may go."""
    basis, stock = state.basis(), state.stock
    cases: list[Case] = []
    idle = {pool: list(nodes.values()) for pool, nodes in stock.idle.items()}
    for node in (*stock.going.values(), *stock.odd_in_turn()):
        if state.policy.places:
            case = case_by_power(node, basis)
        else:
            case = case_of(node, basis, resumed_now(state, node), lambda node: pool_in(state, node))
        if isinstance(case, IdleBin):
            idle.setdefault(pool_in(state, node), []).append(case)
        else:
            cases.append(case)
    return Ends(
        cases=cases,
        idle=idle,
        chances=_Chances(state.roster, basis),
        busy=stock.plainly_busy,
        unlisted=len(state.phantoms) + sum(boot.row is None for boot in state.boots.values()),
        may_unplan=state.policy.slurm and not state.policy.places,
        partly_used=_partly_used(state, basis),
        spent=_at_work_for_spent(state, funds, basis),
    )


def _partly_used(state: State, basis: Basis) -> list[PartlyUsed]:
    """The nodes at work that may take no new jobs, where the operator wants that."""
    if not state.policy.drain_to_consolidate or not state.policy.slurm or state.policy.places:
        return []
    found: list[PartlyUsed] = []
    for identity, pool, free in state.stock.rooms():
        partly = partly_used(state.roster.nodes[identity], pool, free, basis)
        if partly is not None:
            found.append(partly)
    return found


def _at_work_for_spent(state: State, funds: Funds, basis: Basis) -> list[Stop]:
    """The nodes at work for spent budgets alone, within their windows."""
    if not state.policy.slurm or state.policy.places:
        return []
    spent = [each.budget.name for each in funds.standings if each.refuses and each.is_spent]
    told = state.purse.spending.alone
    alone = {budget: told[budget] for budget in spent if told.get(budget)}
    found: dict[str, Stop] = {}
    for budget, nodes in state.purse.alone.nodes(alone, state.roster.nodes, state.roster.hostname).items():
        for node in nodes:
            if basis.windows.is_open(node.start(basis), basis.cloud_now, basis.clock_margin):
                reason = BudgetSpent(budget=budget)
                found[node.id] = Stop(node.id, ShutdownKind.UNWANTED, reason, works=True)
    return list(found.values())


def partly_used(node: Node, pool: str, free: Capacity, basis: Basis) -> PartlyUsed | None:
    """A node at work of which so much is free; None where it may not run dry now."""
    has = node.slurm.has if node.slurm is not None else None
    if has is None or not is_plainly_busy(node):
        return None
    if not basis.windows.is_open(node.start(basis), basis.cloud_now, basis.clock_margin):
        return None
    return PartlyUsed(node.id, pool, node.price, has, free)


class _Chances(Mapping[str, Chance]):
    """Of each node, judged when it is asked about: few are."""

    def __init__(self, roster: Roster, basis: Basis) -> None:
        self._roster, self._basis = roster, basis

    def __getitem__(self, identity: str) -> Chance:
        node = self._roster.nodes[identity]
        self._roster.wake(node)  # as long as a job wants it, its polls are not counted
        enough = node.idle_polls >= self._basis.policy.consecutive_idle_count
        return Chance(eligible(node, self._basis), node.idle_polls, enough)

    def __iter__(self) -> Iterator[str]:
        return iter(self._roster.nodes)

    def __len__(self) -> int:
        return len(self._roster.nodes)


def _names(state: State) -> Names | None:
    """The names that a boot could have, where reservations are in the way of some, or jobs ask for some; None: that
    does not matter."""
    outlook, roster = state.outlook, state.roster
    if state.policy.places or not (outlook.reservations or state.names.needs):
        return None  # which name a node has is the scheduler's to choose, or is chosen when it is powered up
    if state.has_names:
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
