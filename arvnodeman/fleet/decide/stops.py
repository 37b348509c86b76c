"""Which nodes go: those that nobody needs, those that do not work, those that are gone already."""

from __future__ import annotations

from arvnodeman.fleet.decide.boots import boot_failed, unlink
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import DEBUG, WARNING, Decided, ResumeNode
from arvnodeman.fleet.nodes.eligible import eligible, undecided
from arvnodeman.fleet.nodes.node import BUSY, HOLD, NOT_UP, Node, Sight, drained_by_us
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.operations.shutdown_stages import Kind, Stage
from arvnodeman.fleet.plan.wishlist import IDLE, pool_of
from arvnodeman.fleet.values import causes
from arvnodeman.fleet.values.causes import Cause
from arvnodeman.fleet.values.causes_of_use import KeptInVain
from arvnodeman.fleet.values.model import NodeState, Word
from arvnodeman.fleet.values.work import OUR_SHUTDOWN

FIRST_DESTROY_WAIT = 60.0  # seconds before a node is proposed again after a destroy that failed; doubles


def begin_shutdown(state: State, node: Node, kind: Kind, *, drained: bool = False) -> Shutdown:
    """Begin the end of one node."""
    shutdown = Shutdown(state.desk, node, kind, state.roster.hostname(node), drained=drained)
    if node.namesake is not None and (kind is not Kind.GONE or not node.listed):  # of those no destroy is asked for
        shutdown.hostname, shutdown.shared = node.namesake.name, True
    if node.record is not None and state.roster.is_anothers(node.record, node):
        shutdown.record_uuid = None  # cleaned, it would halt the other
    node.shutdown = shutdown
    state.touch(node)
    node.set_state(NodeState.SHUTDOWN, state.t)
    state.shutdowns[shutdown.id] = shutdown
    state.desk.shutdowns = len(state.shutdowns)
    shutdown.begin()
    after_shutdown(state, shutdown)
    return shutdown


def after_shutdown(state: State, shutdown: Shutdown) -> None:
    """A shutdown has gone on: see whether it has ended."""
    state.touch(shutdown.node)
    if shutdown.past_return:  # its absence from the next list will be no surprise
        state.cloud_trust.forget(shutdown.node.cloud.report_id)
        if shutdown.kind is Kind.GONE:
            _disappeared(state, shutdown.node)
    if shutdown.outcome is None:
        state.schedule(shutdown)
        return
    if state.shutdowns.pop(shutdown.id, None) is None:
        return
    state.desk.shutdowns = len(state.shutdowns)
    node = shutdown.node
    node.shutdown = None
    match shutdown.outcome:
        case "destroyed":
            _destroyed(state, node, shutdown)
        case "cancelled":
            if drained_by_us(node) is not None:
                state.drain_taken_back(node)
            node.restart_idle_count()
            node.use.forget()
            node.ending = None
            node.reason = causes.Plain(text="its shutdown was taken back")
            node.set_state(NodeState.IDLE if node.record is not None else NodeState.UNPAIRED, state.t)
        case _:
            wait = max(FIRST_DESTROY_WAIT, node.destroy_wait * 2)
            node.destroy_wait = min(wait, state.policy.max_poll_time)
            node.destroy_again_at = state.t + node.destroy_wait
            done = {Stage.DRAIN: "drained", Stage.UNDO: "resumed"}.get(shutdown.stage, "destroyed")
            why = f" ({shutdown.failure.text})" if shutdown.failure is not None else ""
            node.down_cause = causes.IsDown(why=f"it could not be {done}{why}")
            node.reason = causes.NotYet(until=node.destroy_again_at, cause=node.down_cause)
            node.set_state(NodeState.DOWN, state.t)


def _disappeared(state: State, node: Node) -> None:
    """It is gone without us, by all that can be asked."""
    if node.gone:
        return
    node.gone = True
    how = "stopped" if node.stop_polls > 1 and not node.missing else "not listed any more"
    text = "Cloud node %s is gone without us (%s)"
    state.desk.decide(Decided.GONE, node.cloud.name, text, node.cloud.name, how, level=WARNING)
    state.desk.counters["nodes_disappeared"] += 1
    boot_failed(state, node)


def _destroyed(state: State, node: Node, shutdown: Shutdown) -> None:
    """Its record is free again; the row stays until the cloud does not list it any more."""
    state.roster.unpair(node)
    node.destroyed_at = state.t
    if shutdown.kind is not Kind.GONE:
        state.milestones.destroyed(node, shutdown.began, state.t)
    if node.missing or not node.listed or (shutdown.kind is Kind.GONE and not node.stop_polls):
        state.roster.drop(node)


def decide_stops(state: State) -> None:
    """A node poll has come, and all lists are fresh: begin the shutdowns that are due."""
    plan = state.plan
    assert plan is not None
    sight, t = state.sight(), state.t
    spare: dict[str, list[Node]] = {}  # idle nodes by pool
    up = state.roster.quiet + len(state.phantoms) + sum(boot.row is None for boot in state.boots.values())
    room = plan.room_wanted
    kept: list[Node] = []  # without a job, by Slurm, for one that it does not start
    for node in state.roster.awake():
        if node.destroyed_at is not None or node.shutdown is not None:
            room -= _leaves_room(node)
            continue
        slurm = node.slurm
        told = node.cloud.word is not None or (slurm is not None and slurm.state.kind.drained)
        if node.state is BUSY and node.size is not None and not told:
            up += 1  # nearly every node of every poll
            shielded = node.shield_until is not None
            node.reason = eligible(node, sight) if shielded else causes.working(slurm.state.said if slurm else "")
            if node.use.kept_since is not None and node.use.kept(t, state.policy.use_within):
                kept.append(node)
            continue
        busy = node.boot is not None or node.destroy_again_at > t or _is_being_resumed(state, node)
        if busy:
            node.reason = undecided(node, sight, node.destroy_again_at if node.destroy_again_at > t else None)
        elif (told and (_by_word(state, node) or _adopt(state, node))) or _remove(state, node, sight, spare):
            room -= _leaves_room(node)
            continue
        up += node.state not in NOT_UP
    _stop_unwanted(state, sight, spare, up, room, _kept_in_vain(state, sight, kept))


def decide_nothing(state: State) -> None:
    """A node poll has come, and the lists are not such that anything may be begun."""
    sight = state.sight()
    for node in state.roster.awake():
        if node.shutdown is None and node.destroyed_at is None:
            node.reason = undecided(node, sight)


def _kept_in_vain(state: State, sight: Sight, kept: list[Node]) -> list[tuple[Node, Cause]]:
    """Nodes that Slurm plans for a job which more nodes would not help, such as one that has to wait for the end of a
    maintenance: nobody who can have them wants them. They are drained first, and the last look must find no job there.
    """
    plan = state.plan
    assert plan is not None
    if not kept or not state.policy.slurm:
        return []
    found: list[tuple[Node, Cause]] = []
    for node in kept:
        if node.size is None or node.boot is not None or node.destroy_again_at > state.t:
            continue
        if plan.seeks(node.size.id, state.zone(node.hostname)):
            continue
        open_now = sight.windows.is_open(node.start(sight), sight.cloud_now, sight.clock_margin)
        if open_now and node.word is None:
            found.append((node, KeptInVain(seconds=state.t - (node.use.kept_since or state.t))))
    return found


def _leaves_room(node: Node) -> bool:
    """It is going, and soon: not one whose work has to end first, nor one that is being taken back."""
    return node.shutdown is None or not (node.slurm_busy or node.shutdown.cancelling)


def _is_being_resumed(state: State, node: Node) -> bool:
    """A resume of ours that comes late must not undo the drain of a shutdown."""
    chore = state.chores.get(node.chore) if node.chore is not None else None
    return chore is not None and isinstance(chore.last_step, ResumeNode)


def adopt_drained(state: State) -> None:
    """A queue poll has come: what was drained before a restart is taken up before the plan, which may take it back."""
    for node in [node for node in state.roster.awake() if node.slurm is not None and node.slurm.state.kind.drained]:
        if node.destroyed_at is not None or node.shutdown is not None or node.boot is not None:
            continue
        if node.word is None and node.destroy_again_at <= state.t and not _is_being_resumed(state, node):
            _adopt(state, node)


def _adopt(state: State, node: Node) -> bool:
    """Drained by us before a restart: its shutdown goes on. True when it does."""
    kind = drained_by_us(node) if node.word is not Word.HOLD else None
    if kind is None:
        return False
    text = "Going on with the shutdown of %s, which Slurm shows drained by us"
    state.desk.decide(Decided.SHUTDOWN, node.cloud.name, text, node.cloud.name)
    begin_shutdown(state, node, Kind.UNWANTED if kind == OUR_SHUTDOWN else Kind.REMOVAL, drained=True)
    state.plan_outdated = True  # its size may be wanted: asked before it is destroyed
    return True


def _remove(state: State, node: Node, sight: Sight, spare: dict[str, list[Node]]) -> bool:
    """What does not work, or is of no known size, goes. True when it does; idle nodes are put into `spare`."""
    if node.state is BUSY and node.size is not None:
        node.reason = eligible(node, sight)
        return False
    if node.state is NodeState.IDLE and node.size is not None and node.shield_until is None and not node.has_failed:
        spare.setdefault(pool_of(node.size.id, state.zone(node.hostname)), []).append(node)
        return False
    cause = eligible(node, sight)
    if node.size is None and node.state is NodeState.BUSY and state.policy.slurm and node.word is not Word.HOLD:
        cause = causes.SizeUnknown(tag=node.cloud.size_tag or "")  # drained at once
    if not cause.goes:
        _stays(state, node, cause)
        return False
    _decide_shutdown(state, node, cause)
    if node.state in (NodeState.UNPAIRED, NodeState.DOWN) or isinstance(cause, causes.CloudFailed):
        boot_failed(state, node)
    begin_shutdown(state, node, Kind.REMOVAL)
    return True


def _by_word(state: State, node: Node) -> bool:
    """Operators' words that a restart found in the tags. True when one began something."""
    if node.word is Word.KILL:
        begin_shutdown(state, node, Kind.KILL)
        return True
    if node.word is Word.DRAIN and (state.policy.slurm or node.state is not NodeState.BUSY):
        begin_shutdown(state, node, Kind.OPERATOR, drained=drained_by_us(node) is not None)
        return True
    return False


def _stop_unwanted(
    state: State, sight: Sight, spare: dict[str, list[Node]], up: int, room: int, candidates: list[tuple[Node, Cause]]
) -> None:
    """Idle nodes that were matched to nothing: the dearest first, then the longest idle, min_nodes kept. `room`: nodes
    that are to make room for jobs which a limit stops; `candidates`: others that nobody wants."""
    plan = state.plan
    assert plan is not None
    for pool, nodes in spare.items():
        unmatched = min(plan.supply.left(pool, IDLE), len(nodes))
        if unmatched:
            nodes.sort(key=lambda node: (node.word is HOLD, node.idle_since or state.t))
            candidates.extend((node, eligible(node, sight)) for node in nodes[:unmatched])
        wanted = causes.Wanted(size=nodes[0].size.id if nodes[0].size is not None else "")
        for node in nodes[unmatched:]:
            _stays(state, node, wanted)
    candidates.sort(key=lambda row: (-row[0].price, row[0].idle_since or state.t))
    for node, why in candidates:
        cause = why
        if not (cause.goes and up > state.policy.min_nodes) and room > 0 and _makes_room(state, node, cause):
            cause = causes.IdleExceeded(polls=node.idle_polls, makes_room=True)
        elif not (cause.goes and up > state.policy.min_nodes):
            _stays(state, node, causes.KeepsMinimum(min_nodes=state.policy.min_nodes) if cause.goes else cause)
            continue
        up -= 1
        room -= 1
        _decide_shutdown(state, node, cause)
        begin_shutdown(state, node, Kind.UNWANTED)


def _decide_shutdown(state: State, node: Node, cause: Cause) -> None:
    node.ending = cause
    text = "Suggesting shutdown of %s because %s"
    name = node.cloud.name
    state.desk.decide(Decided.SHUTDOWN, name, text, name, cause.words(state.t), level=DEBUG)


def _stays(state: State, node: Node, cause: Cause) -> None:
    """A node is not shut down, for a cause that may end by itself."""
    node.reason = cause
    state.look_again(cause.until)
    why = causes.InWords(cause, state.t)
    state.desk.debug("Not eligible for shut down: %s because %s", node.cloud.name, why)


def _makes_room(state: State, node: Node, cause: Cause) -> bool:
    """At a limit: may a node that nobody wants go for a job of another size, whatever window and min_nodes say?"""
    enough = node.idle_polls >= state.policy.consecutive_idle_count
    return enough and not isinstance(cause, causes.Held)


def departures(state: State) -> None:
    """Nodes that are gone without us: two lists in a row lack them and they give no sign of life, or the cloud lists
    them as stopped twice in a row."""
    _keep_returned(state)
    if not state.desk.gate.lets_boots:
        return
    for node in [node for node in state.absent if node.missing > 1 or node.stop_polls > 1]:
        if (
            state.roster.nodes.get(node.id) is not node
            or node.destroyed_at is not None
            or (node.shutdown is not None and node.shutdown.goes_anyway)
        ):
            continue
        if node.boot is not None and node.boot.node is not None:
            continue  # its last touches end first: they hold its record
        stopped = node.stop_polls > 1 and not node.missing
        if stopped and node.word is Word.HOLD:
            continue
        if not stopped and (node.missing <= 1 or not _is_gone(state, node)):
            continue
        if node.boot is not None:
            _disappeared(state, node)
            unlink(state, node)
            continue
        if node.shutdown is not None:
            node.shutdown.vanished()
            after_shutdown(state, node.shutdown)
        else:
            begin_shutdown(state, node, Kind.GONE)


def _keep_returned(state: State) -> None:
    """What the cloud lists again, or Slurm calls busy, is not gone, and DOWN would end its jobs."""
    for shutdown in list(state.shutdowns.values()):
        node = shutdown.node
        if shutdown.kind is not Kind.GONE or node.cloud.goes_stopped:
            continue
        there = node.listed and not node.missing
        works = not shutdown.shared and state.roster.slurm_works(shutdown.hostname)
        if (there or works) and shutdown.cancel("the cloud lists it again" if there else "Slurm says that it works"):
            after_shutdown(state, shutdown)


def _is_gone(state: State, node: Node) -> bool:
    """It is not listed. Does it give a sign of life, or is it too young to be listed?"""
    if not node.listed and (node.boot is not None or state.t - node.first_seen < state.policy.boot_fail_after):
        return False
    if node.missing_since is None or state.records_started <= node.missing_again:
        return False  # its ping has not been looked at since the second list
    heard = node.record is not None and node.record.uuid in state.roster.records
    if not heard and node.listed and node.boot is None and state.t - node.missing_since < state.policy.max_poll_time:
        return False  # it cannot ping yet, or this list does not tell: lists lag most where a node is young
    ping = node.record.last_ping_at if node.record is not None else None
    if ping != node.missing_ping or state.roster.slurm_works(state.roster.hostname(node)):
        if node.warned_at is None or state.t - node.warned_at >= 3600:
            node.warned_at = state.t
            state.desk.warning("Cloud node %s is not listed, but gives signs of life: it is kept", node.cloud.name)
        node.missing, node.missing_since, node.missing_ping = 1, state.t, ping
        return False
    return True
