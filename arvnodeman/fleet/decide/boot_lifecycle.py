"""Beginning boots, letting them through to the cloud, and learning from how they end."""

from __future__ import annotations

from dataclasses import replace

from arvnodeman.fleet.decide.picturing import refresh
from arvnodeman.fleet.decide.rungs import MINUTE, Rungs, no_rung_left, plan_rung
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import ERROR, INFO, WARNING, Decided, Poll, PollNow
from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.moves_of_boots import BootStage
from arvnodeman.fleet.outlook.ahead import serves
from arvnodeman.fleet.sizes.bounds import Room
from arvnodeman.fleet.sizes.limits import BackOff
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.leading import token_of
from arvnodeman.fleet.values.meant_for import MeantFor
from arvnodeman.fleet.values.model import NO_LIMIT, ErrorKind, JobShape, Load, NodeSize
from arvnodeman.fleet.values.places import ANYWHERE, Place
from arvnodeman.fleet.values.reasons_of_rungs import NOT_DELIVERED
from arvnodeman.fleet.values.rungs import purchase_of, words_of

TOGETHER = 0.1  # seconds in which boots that end are taken together, where their names go back
BLIND = frozenset({BackOff.UNREADABLE, BackOff.UNSEEN})  # a node may be there, paid for, that nobody can see


def begin_boot(
    state: State,
    size: NodeSize,
    place: Place = ANYWHERE,
    *,
    name: str | None = None,
    shape: JobShape | None = None,
    jobs: tuple[MeantFor, ...] = (),
    load: Load = (),
) -> Boot:
    """Boot one node of this size. A stale record is taken first, one that still has a slot before others (row B7).
    `name`: the node is to have this one; a boot that an earlier run began for it goes on under its token. `shape`: the
    jobs that it is for, where that is known; `jobs`: the first of them, or those on its name; `load`: those that are
    to share it."""
    reuse = name if name is not None else _record_for(state, size, place)
    token = token_of(state.lead.generation, f"{int(state.began * 1000):x}-{state.context.last_id + 1}")
    earlier = state.phantoms.pop(name, None) if name is not None else None
    boot = Boot(state.context, size, earlier.token if earlier is not None else token, reuse)
    boot.looks_first = earlier is not None
    boot.of_names = reuse is not None and reuse in state.roster.records and state.roster.records[reuse].is_name
    boot.wanted_for, boot.meant_for, boot.load = shape, jobs, load
    if size.ladder:
        boot.shuns = state.reclaims.shuns(state.policy.spot_tries, name, shape)
        if state.policy.places:
            plan_rung(state, boot, earlier)
    state.boots[boot.id] = boot
    boot.begin()
    state.went_on(boot)
    return boot


def _record_for(state: State, size: NodeSize, place: Place) -> str | None:
    """The first record for a node of this size. Where records are names, Slurm gives the node work of the partitions
    that its name is in, and no other; names in reservations, or that other jobs ask for, come after the others. A name
    of a size is for its nodes alone, and a size that has such names gets no other."""
    stale = state.stale_records
    owns = any(section.node_names for section in state.policy.sections if section.id == size.id)
    last: tuple[int, str] | None = None
    for uuid in stale:
        record = state.roster.records.get(uuid)
        if record is not None and not serves(record.partitions, size.partitions):
            continue
        if record is not None and record.is_name and record.size != (size.id if owns else None):
            continue
        if record is not None and record.is_name:
            zone = state.zone(record.hostname)
            if not place.has(zone) or state.is_taken(record):
                continue
            if zone:
                last = min(last or (len(zone), uuid), (len(zone), uuid), key=lambda each: each[0])
                continue
        stale.remove(uuid)
        return uuid
    if last is None:
        return None
    stale.remove(last[1])
    return last[1]


def _names_are_left(state: State) -> bool:
    records = state.roster.records
    return any(uuid in records and records[uuid].is_name for uuid in state.stale_records)


def let_through(state: State) -> None:
    """Boots that wait for the cloud's turn go on while lists are fresh and there is room under the limits."""
    if not state.context.gate.lets_requests:
        return
    ready = [
        boot
        for boot in state.boots.values()
        if boot.outcome is None
        and (boot.stage is BootStage.READY or (boot.stage is BootStage.UNREAD and boot.row is not None))
    ]
    if not ready:
        return
    bounds = replace(state.bounds(), slots=NO_LIMIT)  # they have their slots
    room = Room(bounds, state.existing(), _price(state) if bounds.price_cap > 0 else 0.0)
    pending = len(state.phantoms)  # what an earlier run began may yet appear
    rungs = Rungs(state)
    for boot in ready:
        over = int(boot.probes)
        rung = boot.rung
        if boot.size.ladder and boot.row is None and not boot.looks_first and not boot.bound:
            rung = rungs.choose(boot)
            if rung is None:
                _without_rung(state, boot, rungs)
                continue
        size = boot.size.at(rung)
        stop = room.forbid(size, 1, wanted=1, over=over)
        if boot.row is not None:
            boot.adopt_node()
        elif (unread := _unread(state, boot.size)) is not None:
            boot.stop(unread)
        elif stop is not None:
            boot.stop(stop.words(state.t))
        elif pending and room.forbid(size, 1, wanted=1, over=over, beside=pending):
            continue
        elif boot.looks_first:
            boot.find_first()
        elif rungs.ask(boot, rung):
            room.take(size, 1)
        after_boot(state, boot)


def _without_rung(state: State, boot: Boot, rungs: Rungs) -> None:
    """No rung is open for it: it waits for what a request under way tells of one, or ends."""
    if not rungs.awaited(boot):
        no_rung_left(state, boot)
        after_boot(state, boot)


def _unread(state: State, size: NodeSize) -> str | None:
    """Why no node of this size may be asked for, where one may be there that nobody shows."""
    health = state.health_of(size)
    if health.backing_off not in BLIND or state.t >= health.until:
        return None
    return f"{health.backing_off.value} ({health.detail})"


def _price(state: State) -> float:
    """What exists, and what the cloud is asked for now, in $/hour."""
    refresh(state)
    nodes = state.stock.price
    flying = sum(boot.sized.price for boot in state.boots.values() if boot.in_flight and boot.row is None)
    unlisted = sum(record.intent.price for record in state.unlisted.values() if record.intent is not None)
    return nodes + flying + unlisted


def after_boot(state: State, boot: Boot) -> None:
    """A boot has gone on: keep its node in the books, and see whether it has ended."""
    state.went_on(boot)
    if boot.node is not None and not boot.counted:
        boot.counted = True
        if boot.row is None:
            row = state.roster.nodes.get(boot.node.id) or _new_row(state, boot)
            link(state, boot, row)
            state.milestones.created(row, state.t)
        _created(state, boot)
    if boot.trouble is not None:
        state.health_of(boot.size).troubled(boot.trouble.text, state.t)
    if boot.refusal is not None and not boot.learnt:
        boot.learnt = True
        _learn(state, boot)
    if boot.outcome is None:
        state.schedule(boot)
    elif state.boots.pop(boot.id, None) is not None:
        _ended(state, boot)


def _new_row(state: State, boot: Boot) -> Node:
    assert boot.node is not None
    return state.roster.add(boot.node, state.t, state.table, listed=False)


def link(state: State, boot: Boot, node: Node) -> None:
    """This node is what the boot made, whether its create request has answered or not."""
    boot.row = node
    state.ahead.made(boot.id, node.id)
    state.went_on(boot)
    state.touch(node)
    node.booted, node.wanted_for, node.meant_for, node.load = True, boot.wanted_for, boot.meant_for, boot.load
    if boot.outcome is None:
        node.boot = boot
    if node.record is None and boot.record is not None:
        node.prepared = boot.record
    if node.size is None:
        node.size = boot.size
    node.reprice()


def unlink(state: State, node: Node) -> bool:
    """The node of a boot that still asks for it is gone, and so the boot ends. False when it has been answered."""
    boot = node.boot
    if boot is None or boot.node is not None:
        return False
    node.boot = None
    state.touch(node)
    state.roster.drop(node)
    boot.abandon()
    after_boot(state, boot)
    return True


def _created(state: State, boot: Boot) -> None:
    state.health_of(boot.size).create_succeeded(boot.rung_key)
    standing = state.existing()
    if state.quota.created(standing):
        text = "After successful boot setting node quota to %d"
        state.context.decide(Decided.QUOTA, "quota", text, state.quota.value, level=WARNING)
    state.slots.created(standing)


def _ended(state: State, boot: Boot) -> None:
    if boot.row is not None:
        boot.row.boot = None
        return
    if state.policy.places:
        _name_is_left(state, boot)
    state.ended_tokens[boot.token] = state.t
    if boot.outcome == "stopped" or boot.refusal is None:
        state.context.counters["boots_stopped"] += boot.outcome == "stopped"
        return
    state.context.out.append(PollNow(frozenset({Poll.QUEUE})))  # the jobs it was for are decided anew


def _name_is_left(state: State, boot: Boot) -> None:
    """The scheduler waits for a node of its name yet, unless it has just said that it does not."""
    if boot.refusal is not None and boot.refusal.kind is ErrorKind.SLOTS and boot.hostname is not None:
        state.placements.acted[boot.hostname] = state.t
        state.context.out.append(PollNow(frozenset({Poll.RECORDS})))
    elif state.placements.due is None:
        state.placements.due = state.context.in_round(TOGETHER)


def _learn(state: State, boot: Boot) -> None:
    """What a refusal says of the quota, of slots, or of the size."""
    assert boot.refusal is not None
    error = boot.refusal
    standing = state.existing()
    state.context.counters["boots_refused_" + error.kind.value] += 1
    state.health_of(boot.size).troubled(error.text, state.t)
    at = boot.rung_key
    match error.kind:
        case ErrorKind.QUOTA:
            _over_quota(state, boot.size, error.text, standing, at=at)
        case ErrorKind.SLOTS if state.policy.places:
            pass  # the name is wanted no more, which tells nothing of others
        case ErrorKind.SLOTS if _names_are_left(state):  # of other partitions: their sizes go on
            _rest(state, boot.size, BackOff.CAPACITY, error.text)
        case ErrorKind.SLOTS:
            state.slots.refused(len(state.roster.nodes), state.t)
            text = "No free slot for a node record, at %d nodes: %s"
            state.context.decide(Decided.QUOTA, "slots", text, state.slots.value, error.text, level=WARNING)
        case ErrorKind.CAPACITY:
            _rest(state, boot.size, BackOff.CAPACITY, error.text, at=at)
        case ErrorKind.REFUSED if boot.refused_by == "cloud":
            _rest(state, boot.size, BackOff.REFUSED, error.text, at=at)
        case ErrorKind.UNREADABLE:
            _rest(state, boot.size, BackOff.UNREADABLE, error.text)
            state.poll_again(state.health_of(boot.size).until)
        case _:  # gave up: the other side is sick, for this size or for all
            _rest(state, boot.size, BackOff.GAVE_UP, error.text, at=at)


def _over_quota(state: State, size: NodeSize, detail: str, standing: int, *, late: bool = False, at: str = "") -> None:
    """The cloud allows no more than `standing` nodes now; this size waits for a place. Clouds have quotas for each way
    to pay: what is told at one rung tells of all that are paid for so, and of all nodes only where no other is left."""
    for other in (rung for rung in size.ladder if at and rung.key != at and rung.purchase is purchase_of(at)):
        state.health_of(size).at(other.key).rest(BackOff.QUOTA, state.t, detail, standing, late=late)
    _rest(state, size, BackOff.QUOTA, detail, standing, late=late, at=at)
    if at and state.health_of(size).backing_off is not BackOff.QUOTA:
        return
    state.quota.refused(standing, state.t)
    text = "After quota exceeded error setting node quota to %d"
    state.context.decide(Decided.QUOTA, "quota", text, state.quota.value, level=WARNING)


def _rest(
    state: State, size: NodeSize, why: BackOff, detail: str, standing: int = 0, *, late: bool = False, at: str = ""
) -> None:
    """Let a size rest, or one rung of it; one line when that begins."""
    whole = state.health_of(size)
    health = whole.at(at) if at else whole
    before = health.until
    blind = why in BLIND
    least = state.policy.boot_fail_after if blind else 0.0  # each may cost a node that nobody can see
    if why is BackOff.UNDELIVERED:  # the next takes so long to be found out, too
        least = state.policy.rung_patience * MINUTE
    health.rest(why, state.t, detail, standing, late=late, least=least)
    if health is not whole:
        whole.settle()
    if health.until != before:
        text = "Size %s rests for %.0f seconds: %s (%s)" if health is whole else "%s rests for %.0f seconds: %s (%s)"
        of = size.id if health is whole else f"The rung {words_of(at)} of size {size.id}"
        seconds = health.until - state.t
        level = ERROR if blind else WARNING
        state.context.decide(Decided.REST, size.id, text, of, seconds, why.value, detail, level=level)


def boot_failed(state: State, node: Node) -> None:
    """A node that we booted did not come up, or vanished before it did. Where it is known what all nodes of its size
    lack, one is enough for the size to rest, as for a create that the cloud refused. What the cloud took back before
    that tells nothing of its size."""
    if not node.booted or node.been_up or node.noticed:
        return
    node.booted = False  # counted once
    state.context.counters["boot_failures"] += 1
    name = node.cloud.name
    rest, why = _what_failed(node)
    text, after = "Cloud node %s did not come up%s", f": {why}" if why else ""
    level = ERROR if rest is BackOff.UNSEEN else WARNING if why else INFO
    state.context.decide(Decided.BOOT_FAILED, name, text, name, after, level=level)
    if node.size is None:
        return
    health, at = state.health_of(node.size), node.cloud.rung
    health.troubled(text % (name, after), state.t)
    if rest is not None:
        if node.cloud.fault_kind is not None:
            state.context.counters["boots_failed_" + node.cloud.fault_kind.value] += 1
        standing = state.existing() - 1  # it goes
        if rest is BackOff.QUOTA:
            _over_quota(state, node.size, why, standing, late=True, at=at)
        else:
            _rest(state, node.size, rest, why, late=True, at="" if rest in BLIND else at)
        state.context.out.append(PollNow(frozenset({Poll.QUEUE})))  # the jobs it was for are decided anew
    elif health.boot_failed(state.t, at):
        text = "Nodes of size %s fail to come up: it rests for a while"
        what = f"{node.size.id} at the rung {words_of(at)}" if at else node.size.id
        state.context.decide(Decided.REST, node.size.id, text, what, level=ERROR)


FAULTS = {ErrorKind.CAPACITY: BackOff.CAPACITY, ErrorKind.QUOTA: BackOff.QUOTA, ErrorKind.REFUSED: BackOff.REFUSED}


def _what_failed(node: Node) -> tuple[BackOff | None, str]:
    """Why the size is to rest for this one node, None where more have to fail; and what is known, in words."""
    cloud = node.cloud
    if not node.listed:
        return BackOff.UNSEEN, f"no list of the cloud has shown {cloud.id}; does it match [Cloud List]?"
    if cloud.failed:
        said = reasons.CloudFailed(fault=cloud.fault).words(0)
        otherwise = BackOff.UNDELIVERED if cloud.rung else None  # another rung is there to be tried
        return (FAULTS.get(cloud.fault_kind) if cloud.fault_kind else otherwise), said
    if node.undelivered:
        return BackOff.UNDELIVERED, NOT_DELIVERED
    return (BackOff.NO_ADDRESS, node.lacks.words(0)) if node.lacks else (None, "")
