"""Where the scheduler places jobs: nodes for exactly the names that it placed them on, and what cannot come given back.

Decided anew at each list of names, at each queue, and when a boot has ended. The plan is the one of all modes, asked
for what each placed job lacks: so limits, quota, price, rests and the gate are what they are everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from arvnodeman.fleet.decide.beside import boot_beside, boot_names, take_later
from arvnodeman.fleet.decide.closing import note_closed
from arvnodeman.fleet.decide.funds import heed_spending
from arvnodeman.fleet.decide.name_acts import begin_release, begin_return, release_paid
from arvnodeman.fleet.decide.name_upkeep import open_and_close
from arvnodeman.fleet.decide.picturing import replan
from arvnodeman.fleet.decide.placed import (
    BOOTING,
    LIMITS,
    GivenJob,
    PlacedDemand,
    PlacedNames,
    Tried,
    Wish,
    no_size,
    read,
)
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import Decided, Poll, PollNow, QueueListed
from arvnodeman.fleet.plan.plan import Plan, Share
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.queue import Queue
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import (
    Clears,
    Comes,
    NotListed,
    OnShut,
    Returned,
    Starts,
    StaysPlaced,
    Unread,
)
from arvnodeman.fleet.values.work import WorkKind

UNSEEN_FOR = 300.0  # seconds that a job which was given back may be missing: it may wait for what is not a node for now


def take_placed(state: State, event: QueueListed) -> None:
    """A queue has come."""
    placements = state.placements
    state.queue = Queue.of(event.jobs)
    take_later(state, event.later, event.outlook)
    heed_spending(state, event.spending)
    placements.queue_started = state.clock.steady(event.started)
    placements.returned = tuple(event.returned)
    state.reclaims.note_placed(state.queue.jobs)
    there = {job.id: job for job in state.queue.jobs}
    old = PlacedNames(state).in_hand  # and so is what the queue says of names with which something was done since
    old |= {name for name, at in placements.acted.items() if at >= placements.queue_started}
    for job, given in list(placements.given.items()):
        if job in there and (not there[job].names or not old.isdisjoint(there[job].names)):
            given.seen = state.t
        elif state.t < given.held_until:
            continue
        elif given.seen < placements.queue_started - (0.0 if job in there else UNSEEN_FOR):
            del placements.given[job]
    for job, tried in list(placements.tried.items()):
        if job in there:
            tried.seen = state.t
        elif tried.seen < placements.queue_started - UNSEEN_FOR:
            del placements.tried[job]


def count_alone(state: State) -> None:
    """A list of names has come: which of them wait for a node, and for no job."""
    alone, placements = read(state, PlacedNames(state)).alone, state.placements
    placements.alone = Counter({name: placements.alone[name] + 1 for name in alone})
    words = state.roster.slurm or {}
    waits = [name for name in placements.kept if name in words and words[name].placed and words[name].power in BOOTING]
    placements.kept = {name: placements.kept[name] for name in waits}
    old = [name for name, at in placements.acted.items() if at < state.records_started]
    for name in old:
        del placements.acted[name]


def decide_placed(state: State) -> None:
    """Begin boots, give back what cannot come, open and close names, as the newest lists ask for it."""
    state.placements.due = None
    if state.table is None or not state.context.gate.lets_boots or state.roster.slurm is None:
        return
    if state.quota.probe_due(state.t):
        state.context.decide(Decided.QUOTA, "quota", "Raising node quota to %d, as a probe", state.quota.value)
    state.slots.probe_due(state.t)
    names = PlacedNames(state)
    asked = read(state, names)
    plan, refused = _plan(state, asked.wishes)
    begun = _begin_boots(state, plan, asked.wishes, refused)
    begun |= boot_beside(state, plan, asked, names)
    _give_back(state, asked, refused)
    _tell(state, plan, asked.wishes, refused, begun)
    _tell_of_others(state, names)
    note_closed(state, plan, [size for name in begun if (size := state.table.named(names.size_of(name) or ""))])
    open_and_close(state)
    _release(state)
    _ask_for_lists(state, names)


# ---- what the plan has for each job ----------------------------------------------------------------------------------


def _plan(state: State, wishes: Sequence[Wish]) -> tuple[Plan, dict[int, Reason]]:
    """The plan without the jobs that are to be given back, and why each of these is. One that a limit stops makes way
    for those behind it: it does not wait here."""
    refused: dict[int, Reason] = {}
    for place, wish in enumerate(wishes):
        hopeless = [cause for size in wish.lacking if (cause := no_size(state, size)) is not None]
        if hopeless:
            refused[place] = hopeless[0]
    while True:
        demand: dict[JobShape, list[int]] = {}
        for place, wish in enumerate(wishes):
            if place not in refused:
                for shape in wish.shapes.values():
                    demand.setdefault(shape, []).append(place)
        plan = replan(state, demand=demand)
        assert plan is not None
        more = {
            place: share.cause
            for share in plan.shares.values()
            if share.cause is not None and not isinstance(share.cause, reasons.Behind | reasons.Unproven)
            for place in share.places[share.served :]
        }
        if not more:
            return plan, refused
        refused |= more


def _shares(plan: Plan, wish: Wish) -> Iterable[tuple[str, tuple[str, ...], Share]]:
    """Of each size that a job lacks: the names, and the share of its group."""
    for size, shape in wish.shapes.items():
        yield size, wish.lacking[size], plan.shares[shape]


def _begin_boots(state: State, plan: Plan, wishes: Sequence[Wish], refused: Mapping[int, Reason]) -> set[str]:
    """A boot for each name whose turn it is."""
    due: list[tuple[str, str]] = []
    payers: dict[str, JobShape] = {}
    for place, wish in enumerate(wishes):
        if place in refused:
            continue
        if wish.payer is not None:
            payers |= dict.fromkeys(wish.names, wish.payer)
        for size, lacking, share in _shares(plan, wish):
            following = share.places[share.served] if share.served < len(share.places) else len(wishes)
            count = len(lacking) if place < following else share.partly if place == following else 0
            due += [(size, name) for name in lacking[:count]]
    boot_names(state, plan, due, payers)
    return {name for _, name in due}


# ---- what cannot come ------------------------------------------------------------------------------------------------


def _give_back(state: State, asked: PlacedDemand, refused: Mapping[int, Reason]) -> None:
    """Names whose nodes cannot come, by size and cause. Those of which a job would be lost were asked for once."""
    placements = state.placements
    due: dict[tuple[str, Reason], list[str]] = {}
    nodes = {job.id: job.shape.nodes for job in state.queue.jobs if job.names} if refused else {}
    for place, cause in refused.items():
        wish = asked.wishes[place]
        state.poll_again(cause.until)
        back = {size: [name for name in names if name not in placements.kept] for size, names in wish.lacking.items()}
        for size, names in back.items():
            if names:
                due.setdefault((size, cause), []).extend(names)
        if any(back.values()):
            lacked = {size: len(names) for size, names in wish.lacking.items()}
            placements.given[wish.job] = GivenJob(wish.names, lacked, cause, state.t, payer=wish.payer)
            if isinstance(cause, LIMITS):
                needs = nodes.get(wish.job, 1)
                placements.tried.setdefault(wish.job, Tried(needs, state.t)).sizes.update(lacked)
    for (size, cause), names in due.items():
        begin_return(state, names, size, cause)


def _tell(state: State, plan: Plan, wishes: Sequence[Wish], refused: Mapping[int, Reason], begun: set[str]) -> None:
    """Where each placed job stands; those that were given back are told of as long as they wait."""
    placements = state.placements
    whys: dict[str, Reason] = {
        job: Returned(names=each.names, cause=each.cause) for job, each in placements.given.items()
    }
    served: set[str] = set()
    stopped: dict[str, tuple[type[Returned | StaysPlaced] | None, Reason]] = {}  # names that no node comes for
    for place, wish in enumerate(wishes):
        lacking = {name for names in wish.lacking.values() for name in names}
        found = next((stopped[name] for name in wish.names if name in stopped), None)  # for a job that is there too
        if place in refused:
            kind = StaysPlaced if any(name in placements.kept for name in lacking) else Returned
            found = kind, refused[place]
        elif wish.clears:
            whys[wish.job] = Clears(names=wish.names)
            continue
        elif found is None and not lacking <= begun:
            causes = (share.cause for _, _, share in _shares(plan, wish))
            cause = next((cause for cause in causes if cause is not None), None)
            found = None if cause is None else (None, cause)
        elif found is None:
            served.add(wish.job)
        if found is None:
            whys[wish.job] = Comes(names=wish.names)
            continue
        stopped.update(dict.fromkeys(lacking, found))
        told, cause = found
        whys[wish.job] = cause if told is None else told(names=wish.names, cause=cause)
    whys.pop("", None)
    placements.whys, placements.served = whys, frozenset(served - {""})
    for job in placements.served:
        placements.tried.pop(job, None)


def _tell_of_others(state: State, names: PlacedNames) -> None:
    """Of jobs that are placed where something is under way that has to end first, where all nodes are up, or where the
    newest list of names knows nothing of that."""
    whys = state.placements.whys
    for job in state.queue.jobs:
        if job.names and job.id not in whys:
            whys[job.id] = _stands(job, names)


def _stands(job: Job, names: PlacedNames) -> Reason:
    """Where a job stands that asks for nothing."""
    if all(map(names.is_up, job.names)):
        return Starts(names=job.names)
    if any(names.is_to_come(name) or not names.is_fresh(name) for name in job.names):
        return Clears(names=job.names)
    return _in_the_way(job, names) or Unread(names=job.names)


def _in_the_way(job: Job, names: PlacedNames) -> Reason | None:
    """What the newest list says of one of its names that is neither up, nor to come, nor free."""
    for name in job.names:
        work = names.work.get(name)
        if work is None:
            return NotListed(hostname=name)
        if work.state.kind in (WorkKind.DRAINED, WorkKind.DOWN):
            return OnShut(names=job.names, hostname=name, said=work.state.said, reason=work.reason)
    return None


def _release(state: State) -> None:
    """Jobs that were given back, and that nobody has let go since: by an earlier run, above all."""
    placements = state.placements
    if placements.returned and not any(not each.hostnames for each in state.name_operations.values()):
        begin_release(state, placements.returned)
        placements.returned = ()
    release_paid(state)


def _ask_for_lists(state: State, names: PlacedNames) -> None:
    """Jobs are placed that the queue, which is older, does not show: it is read anew. So are the names, once, where
    these are older, and the queue shows jobs on them of which they know nothing."""
    placements = state.placements
    queue, records = placements.queue_started, state.records_started
    if queue < records:
        known = {name for job in state.queue.jobs for name in job.names}
        if any(names.is_to_come(name) and work.placed and name not in known for name, work in names.work.items()):
            state.context.out.append(PollNow(frozenset({Poll.QUEUE})))
    elif records < queue != placements.read_for and any(isinstance(why, Unread) for why in placements.whys.values()):
        placements.read_for = queue
        state.context.out.append(PollNow(frozenset({Poll.RECORDS})))
