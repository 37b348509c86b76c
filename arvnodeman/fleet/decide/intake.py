"""Taking in what the polls bring: the lists are believed or doubted, nodes are judged, changes are noted."""

from __future__ import annotations

from arvnodeman.fleet.decide.boot_lifecycle import link
from arvnodeman.fleet.decide.quiet import ring
from arvnodeman.fleet.decide.rungs import note_taken, note_undelivered
from arvnodeman.fleet.decide.state import OFFSET_NOISE, State
from arvnodeman.fleet.messages import WARNING, CloudListed, Decided, Poll, RecordsListed
from arvnodeman.fleet.nodes.by_power import judge_by_power
from arvnodeman.fleet.nodes.node import (
    BUSY,
    DOWN,
    LONG_STALE,
    Basis,
    Node,
    at_work_too_long,
    drained_by_us,
    judge,
    note_work,
    settle,
    undrained,
)
from arvnodeman.fleet.nodes.polls import CLOCKS_DIFFER
from arvnodeman.fleet.nodes.record_index import RecordChange
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.model import NodeState
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.work import FREE, OUR_NOTICE

MASS = 3  # nodes that must turn down at once, at least, to be more than bad luck
ADDRESS_LATE = 1 / 4  # of boot_fail_after: a node without an address for so long is worth a warning
CAREFUL_POLLS = 2  # node polls after Slurm was away
Verdict = tuple[Node, NodeState, Reason | None]  # what a node poll makes of a node, before any counting


def take_cloud(state: State, event: CloudListed) -> None:
    """A cloud list has come."""
    state.cloud_clock = event.clock_offset if event.clock_offset is not None else state.cloud_clock
    state.cloud_offset = _offset(state, event.clock_offset, state.cloud_offset, "cloud")
    first = Poll.CLOUD not in state.freshness.succeeded
    state.freshness.success(Poll.CLOUD, state.t, state.record_now)
    if first:
        _expect_pinging_nodes(state)
    _compare_clocks(state)
    change = state.roster.take_cloud(event.nodes, state.t, state.table)
    came = [entry.report_id for entry in change.entries.came]
    left = [entry.report_id for entry in change.entries.left]
    if not state.cloud_trust.follow(came, left, state.roster.listed.report_ids):
        state.context.warning(
            "The cloud's list lacks %d nodes that were there: it is not believed until a second one says the same",
            len(state.cloud_trust.doubted),
        )
    state.news += 1
    _revive(state)
    for identity in change.entries.duplicates:
        state.context.warning("The cloud lists node %s twice: the second is ignored", identity)
    for node in change.new:
        state.context.info("Registering new cloud node %s", node.id)
        _note_pairing(state, node)
        _find_boot(state, node)
    for node in (*change.new, *change.changed):
        if node.failed_polls == 1 and node.destroyed_at is None:  # once
            fault = node.cloud.fault or "it does not say why"
            state.context.warning("The cloud calls node %s failed: %s", node.cloud.name, fault)
    state.touch_rows([*change.new, *change.changed, *change.delisted])
    for node in change.missing:
        node.missing += 1
        if node.missing == 2:
            node.missing_again = state.t
        if node.missing == 1:
            node.missing_since = state.t
            node.missing_ping = node.record.last_ping_at if node.record is not None else None
    note_undelivered(state)
    state.absent = [*change.missing, *(node for node in change.changed if node.stop_polls > 1)]
    for node in change.delisted:
        state.roster.drop(node)


def _revive(state: State) -> None:
    """The cloud said yes to a destroy, and lists the node for ever: it is there, it costs, it has to go again. A
    shutdown that is under way ends first."""
    for node in state.roster.awake():
        if node.destroyed_at is None or node.shutdown is not None or node.id not in state.roster.listed.entries:
            continue
        if state.t - node.destroyed_at > state.policy.boot_fail_after:
            node.destroyed_at = None
            node.down_cause = reasons.IsDown(why="the cloud still lists it, long after it was destroyed")
            node.set_state(NodeState.DOWN, state.t)
            state.touch(node)
            state.context.warning("Cloud node %s is still listed, long after it was destroyed", node.cloud.name)


def _compare_clocks(state: State) -> None:
    """Before nodes are paired, by whichever list: the newest of both. A cloud that shows no clock has none."""
    known = state.cloud_clock is not None
    state.roster.clocks_apart = state.record_offset - state.cloud_offset if known else 0.0


def _offset(state: State, told: float | None, before: float, whose: str) -> float:
    """The server's clock less ours; small differences are noise, large ones are worth a line when they begin."""
    if told is None:
        return before
    offset = told if abs(told) > OFFSET_NOISE else 0.0
    if abs(offset) > CLOCKS_DIFFER >= abs(before):
        state.context.warning("The clock of the %s differs from ours by %.0f seconds", whose, offset)
    return offset


def _expect_pinging_nodes(state: State) -> None:
    """After a start there is no earlier list: records that ping young stand for it."""
    state.cloud_trust.expect(
        record.instance_id
        for record in state.roster.records.values()
        if record.instance_id
        and record.last_ping_at is not None
        and state.record_now - record.last_ping_at < state.policy.boot_fail_after
    )


def _find_boot(state: State, node: Node) -> None:
    """A node that is listed before its create request has answered belongs to that boot."""
    made = node.record or node.prepared
    for boot in state.boots.values():
        if boot.row is not None or boot.record is None or not boot.tried:
            continue
        if node.cloud.token == boot.token or (made is not None and made.uuid == boot.record.uuid):
            link(state, boot, node)
            state.milestones.created(node, state.t)
            return


def _note_pairing(state: State, node: Node) -> None:
    if node.record is not None:
        state.context.info(
            "Cloud node %s is now paired with Arvados node %s with hostname %s",
            node.cloud.name,
            node.record.uuid,
            node.record.hostname,
        )


def take_records(state: State, event: RecordsListed) -> bool:
    """A node record list, joined with what the scheduler says of nodes, has come: every node is judged. True when names
    came or went, or nodes have other features or partitions."""
    state.record_offset = _offset(state, event.clock_offset, state.record_offset, "node record server")
    first = Poll.RECORDS not in state.freshness.succeeded
    state.records_started = state.clock.steady(event.started)
    state.freshness.success(Poll.RECORDS, state.t, state.record_now)
    state.news += 1
    ring(state)
    _compare_clocks(state)
    joining = state.roster.take_records(event.records, event.slurm)
    records = joining.records
    if not state.record_trust.follow(records.came, records.before, lambda: set(state.roster.records)):
        state.context.warning(
            "The list of node records lacks %d that were there: it is not believed until a second one says the same",
            len(state.record_trust.doubted),
        )
    for uuid in records.new:
        state.context.info("Registering new Arvados node %s", uuid)
    for node in joining.paired:
        _note_pairing(state, node)
    state.touched.update(node.id for node in joining.fresh)
    for node, resumed_at in state.resumed.values():
        if state.records_started <= resumed_at:
            undrained(node)
    state.resumed = {name: row for name, row in state.resumed.items() if state.records_started <= row[1]}
    if first and state.freshness.counts[Poll.CLOUD]:
        _check_first_cloud_list(state)
    _find_prepared(state)
    judge_all(state)
    state.stock.touch_rows(state.roster.awake())
    return joining.words or bool(records.new or records.gone) or _are_elsewhere(records)


def _are_elsewhere(records: RecordChange) -> bool:
    """Are names in other partitions?"""
    before = records.before
    return any(uuid in before and record.partitions != before[uuid].partitions for uuid, record in records.came.items())


def _check_first_cloud_list(state: State) -> None:
    """The records came after the first cloud list: hold that against them now."""
    _expect_pinging_nodes(state)
    if not state.cloud_trust.judge({node.cloud.report_id for node in state.roster.nodes.values()}):
        state.context.warning("The first cloud list lacks nodes that ping: it is not believed until a second one comes")


def _find_prepared(state: State) -> None:
    """A prepare that failed may have worked: its record carries the boot's token, and is used at the next try."""
    for boot in state.boots.values():
        record = state.roster.index.of_token(boot.token) if boot.record is None else None
        if record is not None:
            boot.adopt_record(record.uuid)


def judge_all(state: State) -> None:
    """What this node poll makes of every node that is awake."""
    basis = state.basis()
    polls = state.record_polls
    state.roster.polled(state.t)
    polls.append(state.t)
    while state.t - polls[0] > state.policy.boot_fail_after:
        polls.popleft()
    watched = state.t - state.began >= state.policy.boot_fail_after
    judged, turned, unheard = _judge_each(state, basis)
    _give_grace(state, turned)
    lifted = _end_graces(state, judged)
    for node, verdict, cause in judged:
        if not node.been_up and node.record is not None:
            _note_up(state, node, verdict)
        if node.at_work_since is not None:
            _warn_at_work(state, node)
        if node.grace_until is not None and (verdict is not DOWN or node.id in lifted):
            node.grace_until, node.supply_until = None, 0.0
        if node.destroyed_at is None and node.shutdown is None:
            settle(node, verdict, cause, basis, len(polls) if watched else None)
    for node in unheard:
        _warn_protected(state, node, basis)
        _warn_no_address(state, node)


def _judge_each(state: State, basis: Basis) -> tuple[list[Verdict], list[Node], list[Node]]:
    """The verdict on each node that is not as busy as it was; nodes that Slurm calls down now, and did not before;
    nodes that nobody has heard from lately."""
    judged: list[Verdict] = []
    turned: list[Node] = []
    unheard: list[Node] = []
    t, fresh, heard = basis.t, basis.record_now - basis.policy.node_stale_after, basis.heard
    judged_as = judge_by_power if basis.policy.places else judge
    for node in state.roster.awake():
        slurm, record = node.slurm, node.record
        if slurm is not None and slurm.state.drained and not node.noticed:
            _note_notice(state, node)
        if record is None:
            unheard.append(node)
            judged.append((node, *judged_as(node, basis)))
            continue
        if (
            slurm is not None
            and slurm.responding
            and (record.last_ping_at or 0.0) >= fresh
            and (record.modified_at or 0.0) >= fresh
        ):
            node.doubtful, node.unresponsive_since = False, None
        else:
            unheard.append(node)
        if slurm is not None and slurm.state.works and node.state is BUSY and _is_steady(node):
            node.slurm_down, node.busy_at, node.at_work_since = False, t, None  # nearly every node of every poll
            continue
        note_work(node, t)
        judged.append((node, *judged_as(node, basis)))
        if heard:
            down = slurm is None or slurm.state.down
            if down and node.slurm_down is False and node.destroyed_at is None and node.shutdown is None:
                turned.append(node)
            node.slurm_down = down
    return judged, turned, unheard


def _note_notice(state: State, node: Node) -> None:
    """The node has drained itself, since the cloud takes it back: said and counted once."""
    if drained_by_us(node) == OUR_NOTICE:
        node.noticed = True
        state.context.counters["reclaim_notices"] += 1
        note_taken(state, node)
        text = "Cloud node %s (%s) reports that the cloud takes it back"
        state.context.decide(Decided.RECLAIMED, node.cloud.name, text, node.cloud.name, node.hostname, level=WARNING)


def _is_steady(node: Node) -> bool:
    """Of a busy node: nothing is being counted. One in its grace period is: the poll that gave it was down."""
    return node.been_up and not node.down_polls and node.use.kept_since is None


def _note_up(state: State, node: Node, verdict: NodeState) -> None:
    """The first time that Slurm calls it idle or busy proves that its size comes up."""
    slurm = node.slurm
    if slurm is not None:
        up = slurm.state.busy or (slurm.state.kind is FREE and slurm.responding)
    else:  # without Slurm, by its record; one that Slurm does not know is down
        up = verdict in (NodeState.IDLE, NodeState.BUSY)
    if not up:
        return
    node.been_up = True
    state.context.counters["nodes_came_up"] += 1
    state.context.counters["boots_up"] += node.booted
    if node.size is not None:
        state.health_of(node.size).came_up(node.cloud.rung)


def _give_grace(state: State, turned: list[Node]) -> None:
    """Many nodes turn down at once, or right after Slurm was away: that is Slurm's trouble rather than theirs."""
    careful = state.slurm_back > 0
    state.slurm_back = max(0, state.slurm_back - 1)
    if not turned or not (careful or (len(turned) > MASS and 2 * len(turned) > len(state.roster.paired))):
        return
    state.context.warning("%d nodes went down at once in Slurm: they keep their state for now", len(turned))
    for node in turned:
        node.grace_until = state.t + state.policy.boot_fail_after
        node.supply_until = state.t + state.policy.poll_stale_after


def _end_graces(state: State, judged: list[Verdict]) -> set[str]:
    """Those that are still down when their grace period is over are down: a few in each node poll."""
    over = [
        node
        for node, verdict, _ in judged
        if node.grace_until is not None and state.t >= node.grace_until and verdict is DOWN
    ]
    return {node.id for node in over[: max(MASS, len(over) // 4)]}


def _warn_namesake(state: State, node: Node, basis: Basis) -> None:
    """Once an hour, name a node that would have gone by now, but for the work under a name that may be its."""
    namesake = node.namesake
    node.doubtful = namesake is not None and namesake.state.busy and node.boot_exceeded(basis)
    if namesake is None or not node.doubtful:
        return
    if node.warned_at is None or state.t - node.warned_at >= LONG_STALE:
        node.warned_at = state.t
        text = "Cloud node %s (%s) is kept although it never paired: Slurm says %s of %s, which may be this node"
        state.context.warning(text, node.cloud.name, node.id, namesake.state.said, namesake.name)


def _warn_no_address(state: State, node: Node) -> None:
    """Once, while there is time yet: a node that nobody can find will not come up."""
    lacks = node.lacks
    if lacks is None or node.address_warned or node.been_up or node.shutdown is not None:
        return
    if state.t - node.first_seen >= ADDRESS_LATE * state.policy.boot_fail_after:
        node.address_warned = True
        text = "Cloud node %s (%s) has been listed for %.0f seconds, and %s"
        waited = state.t - node.first_seen
        state.context.warning(text, node.cloud.name, node.id, waited, lacks.words(state.t))


def _warn_at_work(state: State, node: Node) -> None:
    """Once, name a node that counts as down since somebody has been at work on it for too long."""
    if node.slurm is None or node.at_work_told or not at_work_too_long(node, state.policy, state.t):
        return
    node.at_work_told = True
    text = (
        "Cloud node %s (%s) counts as down from now on: Slurm has said %s of it for longer than boot_fail_after (%d s)"
    )
    state.context.warning(text, node.cloud.name, node.hostname, node.slurm.state.said, state.policy.boot_fail_after)


def _warn_protected(state: State, node: Node, basis: Basis) -> None:
    """Once an hour, name a node that may be leaking money: busy with an old ping or without an answer for an hour, or
    protected since its record is old."""
    slurm = node.slurm
    if slurm is None or slurm.responding:
        node.unresponsive_since = None
    elif node.unresponsive_since is None:
        node.unresponsive_since = state.t
    node.doubtful = False
    if node.shutdown is not None or node.destroyed_at is not None:
        return
    if node.record is None:
        _warn_namesake(state, node, basis)
        return
    silent = node.unresponsive_since is not None and state.t - node.unresponsive_since >= LONG_STALE
    if node.slurm_busy:
        doubtful = silent or basis.too_old(node.record.last_ping_at)
    else:
        doubtful = basis.too_old(node.record.modified_at)
    node.doubtful = doubtful
    if not doubtful or (node.warned_at is not None and state.t - node.warned_at < LONG_STALE):
        return
    node.warned_at = state.t
    state.context.warning(
        "Cloud node %s (%s) is kept although it has been silent for long: Slurm says %s",
        node.cloud.name,
        node.hostname,
        slurm.state.said if slurm is not None else "nothing",
    )
