"""Which nodes go: those that nobody needs, those that do not work, those that are gone already."""

from __future__ import annotations

from operator import attrgetter

from arvnodeman.fleet.decide.boot_lifecycle import boot_failed, unlink
from arvnodeman.fleet.decide.cases import adopted, resumed_now
from arvnodeman.fleet.decide.funds import funds_of
from arvnodeman.fleet.decide.name_acts import after_name_shutdown
from arvnodeman.fleet.decide.picturing import taken_back, wanted_again
from arvnodeman.fleet.decide.rungs import note_taken
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.messages import DEBUG, WARNING, Decided
from arvnodeman.fleet.nodes.by_power import is_from_before
from arvnodeman.fleet.nodes.eligible import undecided
from arvnodeman.fleet.nodes.node import Node, drained_by_us
from arvnodeman.fleet.operations.name_shutdown import NameShutdown
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.operations.shutdown_stages import ShutdownStage
from arvnodeman.fleet.plan.picture import Keep, Stop
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import Directive, NodeState
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_budgets import BudgetSpent
from arvnodeman.fleet.values.reasons_of_placing import FromBefore, PoweredOff
from arvnodeman.fleet.values.reasons_of_use import RunsDry

_ID = attrgetter("id")

_FAILED = frozenset({NodeState.UNPAIRED, NodeState.DOWN})  # a node that goes so has not come up
_DONE = {ShutdownStage.DRAIN: "drained", ShutdownStage.MARK: "drained", ShutdownStage.UNDO: "resumed"}
FIRST_DESTROY_WAIT = 60.0  # seconds before a node is proposed again after a destroy that failed; doubles


def begin_shutdown(
    state: State, node: Node, kind: ShutdownKind, *, drained: bool = False, runs_dry: bool = False
) -> Shutdown:
    """Begin the end of one node. `runs_dry`: jobs are on it, and it goes when they have ended."""
    made = NameShutdown if state.policy.places else Shutdown
    shutdown = made(state.context, node, kind, state.roster.hostname(node), drained=drained)
    shutdown.runs_dry = runs_dry
    if isinstance(shutdown, NameShutdown):
        shutdown.lost_name = _has_lost_name(state, node)
        shutdown.is_old = is_from_before(node, state.basis())
    only_traces = kind is ShutdownKind.GONE and node.listed  # no destroy is asked for
    if node.namesake is not None and not only_traces:
        shutdown.hostname, shutdown.shared = node.namesake.name, True
    if node.record is not None and state.roster.is_anothers(node.record, node):
        shutdown.record_uuid = None  # cleaned, it would halt the other
    node.shutdown = shutdown
    state.touch(node)
    node.set_state(NodeState.SHUTDOWN, state.t)
    state.shutdowns[shutdown.id] = shutdown
    state.context.shutdowns = len(state.shutdowns)
    shutdown.begin()
    after_shutdown(state, shutdown)
    return shutdown


def _has_lost_name(state: State, node: Node) -> bool:
    """Has another node, which the cloud lists, the name that this one goes by?"""
    if node.record is not None:
        return state.roster.is_anothers(node.record, node)
    name = state.roster.hosts.get(node.namesake.name) if node.namesake is not None else None
    return name is not None and name.instance_id != node.cloud.report_id and state.roster.is_reported(name.instance_id)


def after_shutdown(state: State, shutdown: Shutdown) -> None:
    """A shutdown has gone on: answer what it asks, and see whether it has ended."""
    _changed(state, shutdown)
    _follow(state, shutdown)
    _changed(state, shutdown)


def _changed(state: State, shutdown: Shutdown) -> None:
    state.went_on(shutdown)
    state.touch(shutdown.node)


def _follow(state: State, shutdown: Shutdown) -> None:
    if isinstance(shutdown, NameShutdown):
        after_name_shutdown(state, shutdown)
    if shutdown.stage is ShutdownStage.ASK:
        wanted = wanted_again(state, shutdown.node)
        if wanted:
            taken_back(state, shutdown.node.id)
        shutdown.answer(wanted=wanted)
    if shutdown.past_return:  # its absence from the next list will be no surprise
        state.cloud_trust.forget(shutdown.node.cloud.report_id)
    if shutdown.kind is ShutdownKind.GONE and (shutdown.past_return or shutdown.marked):
        _disappeared(state, shutdown.node)
    if shutdown.outcome is None:
        state.schedule(shutdown)
        return
    if state.shutdowns.pop(shutdown.id, None) is None:
        return
    state.context.shutdowns = len(state.shutdowns)
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
            node.reason = reasons.Plain(text="its shutdown was taken back")
            node.set_state(NodeState.IDLE if node.record is not None else NodeState.UNPAIRED, state.t)
        case _:
            wait = max(FIRST_DESTROY_WAIT, node.destroy_wait * 2)
            node.destroy_wait = min(wait, state.policy.max_poll_time)
            node.destroy_again_at = state.t + node.destroy_wait
            done = _DONE.get(shutdown.stage, "destroyed")
            why = f" ({shutdown.failure.text})" if shutdown.failure is not None else ""
            node.down_cause = reasons.IsDown(why=f"it could not be {done}{why}")
            node.reason = reasons.NotYet(until=node.destroy_again_at, cause=node.down_cause)
            node.set_state(NodeState.DOWN, state.t)


def _disappeared(state: State, node: Node) -> None:
    """It is gone without us, by all that can be asked."""
    if node.gone:
        return
    node.gone = True
    how = "stopped" if node.stop_polls > 1 and not node.missing else "not listed any more"
    text = "Cloud node %s has disappeared without us (%s)"
    state.context.decide(Decided.GONE, node.cloud.name, text, node.cloud.name, how, level=WARNING)
    state.context.counters["nodes_disappeared"] += 1
    if not node.noticed:
        note_taken(state, node)
    boot_failed(state, node)


def _destroyed(state: State, node: Node, shutdown: Shutdown) -> None:
    """Its record is free again; the row stays until the cloud does not list it any more."""
    state.roster.unpair(node)
    node.destroyed_at = state.t
    if shutdown.kind is not ShutdownKind.GONE:
        state.milestones.destroyed(node, shutdown.began, state.t)
    if node.missing or not node.listed or (shutdown.kind is ShutdownKind.GONE and not node.stop_polls):
        state.roster.drop(node)


def carry_out(state: State, plan: Plan) -> None:
    """A node poll has come, and the gate is open: what the plan says of nodes, with its reasons."""
    _note_busy(state)
    for verdict in plan.verdicts:
        node = state.roster.nodes.get(verdict.id)
        if node is None:
            continue
        if isinstance(verdict, Keep):
            _stays(state, node, verdict.reason, told=verdict.told)
        elif node.shutdown is None:
            _goes(state, node, verdict)
    _note_wanted(state, plan)


def _note_wanted(state: State, plan: Plan) -> None:
    """Idle nodes that jobs have: the reason is that. Most have had it since the poll before."""
    stock = state.stock
    others = stock.odd | stock.newly_idle
    for nodes, reason in plan.wanted_idle:
        rows = list(map(others.__getitem__, filter(others.__contains__, map(_ID, nodes))))
        for row in sorted((row for row in rows if row.reason is not reason), key=lambda row: row.turn):
            _stays(state, row, reason)
        for row in rows:
            stock.newly_idle.pop(row.id, None)


def _note_busy(state: State) -> None:
    """Nodes that plainly work: the reason is that."""
    for node in state.stock.newly_busy.values():
        reason = reasons.working(node.slurm.state.said if node.slurm is not None else "")
        if node.reason is not reason:  # nearly all have it: one object for all that work alike
            _give_reason(state, node, reason)
    state.stock.newly_busy.clear()


def decide_nothing(state: State) -> None:
    """A node poll has come, and the lists are not such that anything may be begun."""
    basis = state.basis()
    state.roster.wake_idle()
    for node in state.roster.awake():
        if node.shutdown is None and node.destroyed_at is None and _give_reason(state, node, undecided(node, basis)):
            state.stock.touch(node.id)  # one that works has another reason again, once something may be begun


def _give_reason(state: State, node: Node, reason: Reason) -> bool:
    """Why it stays, from now on. False when that is what it was."""
    if node.reason is reason or node.reason == reason:
        return False
    node.reason = reason
    if node.state is NodeState.IDLE:
        state.stock.newly_idle[node.id] = node
    state.show(node)
    return True


def _stays(state: State, node: Node, reason: Reason, *, told: bool = True) -> None:
    """A node is not shut down, for a reason that may end by itself; a line when that becomes another."""
    new = _give_reason(state, node, reason)
    if not told:
        return
    state.poll_again(reason.until)
    if new:
        why = reasons.InWords(reason, state.t)
        state.context.debug("Not eligible for shut down: %s because %s", node.cloud.name, why)


def _goes(state: State, node: Node, stop: Stop) -> None:
    name = node.cloud.name
    if stop.reason is not None:
        node.ending = stop.reason
        text = "Suggesting shutdown of %s because %s"
        state.context.decide(Decided.SHUTDOWN, name, text, name, stop.reason.words(state.t), level=DEBUG)
        had_its_time = isinstance(stop.reason, PoweredOff | FromBefore)
        if stop.kind is ShutdownKind.REMOVAL and (
            (node.state in _FAILED and not had_its_time) or isinstance(stop.reason, reasons.CloudFailed)
        ):
            boot_failed(state, node)
    elif stop.drained and stop.kind is not ShutdownKind.OPERATOR:
        text = "Continuing the shutdown of %s, which Slurm shows as drained by us"
        state.context.decide(Decided.SHUTDOWN, name, text, name)
        state.news += 1  # its size may be wanted: asked before it is destroyed
    begin_shutdown(
        state, node, stop.kind, drained=stop.drained, runs_dry=isinstance(stop.reason, RunsDry | BudgetSpent)
    )


def reopen(state: State) -> None:
    """Jobs wait: nodes that were to run dry, and on which jobs are yet, take new ones. Not those of a budget that is
    spent, while it is."""
    spent = {each.budget.name for each in funds_of(state).standings if each.refuses and each.is_spent}
    for shutdown in [each for each in state.shutdowns.values() if each.runs_dry and each.node.slurm_busy]:
        ending = shutdown.node.ending
        if isinstance(ending, BudgetSpent) and ending.budget in spent:
            continue
        if shutdown.cancel("waiting jobs may have room on it"):
            after_shutdown(state, shutdown)


def adopt_drained(state: State) -> None:
    """A queue poll has come: what was drained before a restart is taken up before the plan, which may take it back."""
    for node in state.roster.awake():
        if node.slurm is None or not node.slurm.state.drained:
            continue
        if node.destroyed_at is not None or node.shutdown is not None or node.boot is not None:
            continue
        if node.directive is None and node.destroy_again_at <= state.t and not resumed_now(state, node):
            stop = adopted(node)
            if stop is not None:
                _goes(state, node, stop)


def departures(state: State) -> None:
    """Nodes that are gone without us: two lists in a row lack them and they give no sign of life, or the cloud lists
    them as stopped twice in a row."""
    _keep_returned(state)
    if not state.context.gate.lets_boots:
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
        if stopped and node.directive is Directive.HOLD:
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
            begin_shutdown(state, node, ShutdownKind.GONE)


def _keep_returned(state: State) -> None:
    """What the cloud lists again, or Slurm calls busy, is not gone, and DOWN would end its jobs."""
    for shutdown in list(state.shutdowns.values()):
        node = shutdown.node
        if shutdown.kind is not ShutdownKind.GONE or node.cloud.goes_stopped:
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
            state.context.warning("Cloud node %s is not listed, but gives signs of life: it is kept", node.cloud.name)
        node.missing, node.missing_since, node.missing_ping = 1, state.t, ping
        return False
    return True
