"""Whatever answers come, and whatever is said meanwhile: no boot and no shutdown makes a move that its table lacks, and
each row of the tables is needed.

What can befall one boot, or one shutdown, is tried from every situation that it can come into, until none is new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pytest
from world import EPOCH, World, policy

from arvnodeman.fleet.messages import (
    CreateNode,
    FindNode,
    LookAtNode,
    LookForNode,
    NodeSeen,
    PrepareRecord,
    RecordPrepared,
    ResumeNode,
    Step,
    StepResult,
)
from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.nodes.polls import BrainClock
from arvnodeman.fleet.operations.boot import Boot
from arvnodeman.fleet.operations.moves_of_boots import BOOT_MOVES, BootStage
from arvnodeman.fleet.operations.name_shutdown import BOOTING, NameShutdown
from arvnodeman.fleet.operations.name_steps import GiveBack, OpenNames
from arvnodeman.fleet.operations.operation import Operation, OperationContext
from arvnodeman.fleet.operations.shutdown import Shutdown
from arvnodeman.fleet.operations.shutdown_stages import SHUTDOWN_MOVES, ShutdownStage
from arvnodeman.fleet.values.gate import AT_FIRST, OPEN
from arvnodeman.fleet.values.leaving import ShutdownKind
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    ErrorKind,
    NodeRecord,
    OperatorDirective,
    RemoteError,
    Secret,
)
from arvnodeman.fleet.values.moves import Moves
from arvnodeman.fleet.values.placed import GivenBack, NamesOpened, PlacedJob
from arvnodeman.fleet.values.rungs import Rung
from arvnodeman.fleet.values.work import OUR_DESTROY, NodeWork, Power, WorkKind, WorkState, reason_for
from arvnodeman.slurm.words import node_work

Op = TypeVar("Op", bound=Operation)
Happening = tuple[str, Callable[[Op], object]]
CLOUD = CloudNode("i-1", "n.z", "i-1", "n.z", "small", "small", token="token")
RECORD = NodeRecord("r-1", "n", "z", 1, "i-1")
TABLE = World().begin().fleet._state.table
assert TABLE is not None
SMALL = TABLE.by_id["small"]
ATTEMPTS = 2
IDLE, MARKED = node_work("n", "idle"), node_work("n", "drain", reason=reason_for(OUR_DESTROY, "i-1"))
WORDS = ("idle", "alloc", "alloc*", "drain", "drng", "down", "boot", None)


def context(**options: Any) -> OperationContext:
    return OperationContext(policy(boot_attempts=ATTEMPTS, **options), BrainClock(EPOCH), OPEN)


def explore(first: Op, happenings: Callable[[Op], Iterator[Happening[Op]]], situation: Callable[[Op], Hashable]) -> int:
    """Try everything; how many situations there are. What goes wrong is told with all that came before."""
    known: set[Hashable] = set()
    new: deque[tuple[Op, tuple[str, ...]]] = deque([(first, ())])
    while new:
        before, path = new.popleft()
        for name, happen in happenings(before):
            after = copy(before)
            after.context = copy(before.context)
            if isinstance(after, Shutdown):
                after.node = copy(after.node)
            try:
                happen(after)
            except AssertionError as error:
                raise AssertionError(" > ".join((*path, name))) from error
            after.context.out.clear()
            if after.outcome is None and (found := situation(after)) not in known:
                known.add(found)
                new.append((after, (*path, name)))
    return len(known)


def failures(*kinds: ErrorKind) -> Iterator[tuple[str, Callable[[Operation], object]]]:
    for kind in kinds:
        yield kind.value, failure(RemoteError(kind, "it broke"))


def failure(error: RemoteError) -> Callable[[Operation], object]:
    def give(op: Operation) -> None:
        assert op.step is not None
        op.failed(op.step, error)

    return give


def answer(result: StepResult) -> Callable[[Operation], object]:
    def give(op: Operation) -> None:
        assert op.step is not None
        op.done(op.step, result)

    return give


# ---- boots ----------------------------------------------------------------------------------------------------------


def of_boot(boot: Boot) -> Hashable:
    """All that its next moves depend on."""
    return (
        boot.stage, type(boot.step), boot.due is None, boot.record is None, boot.node is None, boot.row is None,
        boot._ending, boot._create_pending, boot._unread_until is None, boot.tried, min(boot.attempts, ATTEMPTS),
        boot.looks_first,
    )  # fmt: skip


def befalls_boot(boot: Boot) -> Iterator[Happening[Boot]]:
    match boot.step:
        case None:
            yield "begin", lambda boot: boot.begin() if boot.stage is BootStage.PREPARE else None
        case PrepareRecord():
            yield "prepared", answer(RecordPrepared(RECORD, Secret("")))
        case CreateNode() | FindNode():
            yield "a node", answer(CLOUD)
            yield "no node", answer(None)
        case _:
            yield "done", answer(None)
    if boot.step is not None:
        yield from failures(*ErrorKind)
    if boot.due is not None:
        yield "wake", Boot.wake
    if boot.tried and boot.row is None and boot.node is None:
        yield "listed", lambda boot: setattr(boot, "row", Node(CLOUD, boot.size, EPOCH))
    if boot.row is not None and boot.node is None:
        yield "not listed any more", Boot.abandon
    if boot.row is not None and boot.stage in (BootStage.READY, BootStage.UNREAD):
        yield "its list", Boot.adopt_node
    elif boot.stage is BootStage.READY:
        yield "let through", Boot.find_first if boot.looks_first else Boot.create
        if boot.context.policy.places:
            yield "let through at another rung", lambda boot: boot.note_rung(Rung("a"))
    yield "stop", lambda boot: boot.stop("not wanted")


def boots(*, slurm: bool, begun_earlier: bool = False) -> int:
    boot = Boot(context(slurm=slurm, places=begun_earlier), SMALL, "token", None)
    boot.looks_first = begun_earlier
    return explore(boot, befalls_boot, of_boot)


def test_a_boot_makes_no_move_that_there_is_none_for_and_all_that_there_are(seen: set[tuple[str, str]]) -> None:
    assert boots(slurm=True) > 100
    assert boots(slurm=False) > 100
    assert seen == edges(BOOT_MOVES) - {("READY", "FIND"), ("READY", "PREPARE"), ("PREPARE", "FINISH")}
    assert boots(slurm=True, begun_earlier=True) > 100
    assert seen == edges(BOOT_MOVES)


# ---- shutdowns ------------------------------------------------------------------------------------------------------


def of_shutdown(shutdown: Shutdown) -> Hashable:
    """All that its next moves depend on."""
    node, step = shutdown.node, shutdown.step
    return (
        shutdown.stage, shutdown.kind, type(step), isinstance(step, LookAtNode) and step.jobs, shutdown.due is None,
        shutdown.ours, shutdown.drain_reason, shutdown.marked, shutdown._mark_written,
        shutdown.has_to_be_marked, min(shutdown._undrained, 2), shutdown._kill, bool(shutdown._cancel),
        min(shutdown.attempts, ATTEMPTS), shutdown.context.gate is OPEN, node.destroyed_at is None, node.directive,
        node.cloud.stopped,
    )  # fmt: skip


def befalls_shutdown(shutdown: Shutdown) -> Iterator[Happening[Shutdown]]:
    """As the Fleet lets it: what is asked is answered before anything else, and a destroyed node hears of nothing."""
    node = shutdown.node
    if shutdown.stage is ShutdownStage.ASK:
        yield "wanted", lambda shutdown: shutdown.answer(wanted=True)
        yield "not wanted", lambda shutdown: shutdown.answer(wanted=False)
        return
    match shutdown.step:
        case None if shutdown.stage is ShutdownStage.DRAIN and shutdown.due is None:
            yield "begin", Shutdown.begin
            return
        case None:
            pass
        case LookAtNode():
            yield from looks(shutdown)
        case LookForNode():
            yield "it is there", answer(node.cloud)
            yield "it is not there", answer(None)
        case _:
            yield "done", answer(None)
    if shutdown.step is not None:
        yield from failures(ErrorKind.TRANSIENT, ErrorKind.THROTTLED, ErrorKind.GONE, ErrorKind.REFUSED)
    if shutdown.due is not None:
        yield "wake", Shutdown.wake
    yield "gate", turn_gate
    if node.destroyed_at is not None:
        return
    for directive in Directive:
        yield directive.value, partial(say, directive=directive)
    if shutdown.cancellable or (shutdown.kind is ShutdownKind.GONE and not node.cloud.goes_stopped):
        yield "taken back", lambda shutdown: shutdown.cancel("it is there, or wanted")
    if not shutdown.goes_anyway:
        yield "vanished", Shutdown.vanished
        yield "stopped", stopped


def looks(shutdown: Shutdown) -> Iterator[Happening[Shutdown]]:
    jobs = (0, 1) if isinstance(shutdown.step, LookAtNode) and shutdown.step.jobs else (None,)
    for word in WORDS:
        for reason in {"", shutdown.drain_reason, "disk full"} if word in ("drain", "drng") else {""}:
            for number in jobs:
                seen = node_work("n", word.rstrip("*"), not word.endswith("*"), reason=reason) if word else None
                yield f"{word} {reason!r} {number}", answer(NodeSeen(seen, number if word else None))


def turn_gate(shutdown: Shutdown) -> None:
    shutdown.context.gate = AT_FIRST if shutdown.context.gate is OPEN else OPEN


def say(shutdown: Shutdown, directive: Directive) -> None:
    said = None if directive is Directive.RUN else OperatorDirective(directive, "")
    shutdown.node.cloud = replace(shutdown.node.cloud, directive=said)
    shutdown.obey()


def stopped(shutdown: Shutdown) -> None:
    shutdown.node.cloud = replace(shutdown.node.cloud, stopped=True)
    shutdown.vanished()


def shutdowns(
    kind: ShutdownKind,
    *,
    slurm: bool = True,
    listed: bool = True,
    hostname: str | None = "n",
    said: NodeWork = IDLE,
    drained: bool = False,
) -> int:
    node = Node(CLOUD, SMALL, EPOCH, listed)
    node.record, node.slurm = RECORD, said if hostname else None
    return explore(Shutdown(context(slurm=slurm), node, kind, hostname, drained=drained), befalls_shutdown, of_shutdown)


def test_a_shutdown_makes_no_move_that_there_is_none_for_and_all_that_there_are(seen: set[tuple[str, str]]) -> None:
    """Operators' words make an unwanted node's end one of each other kind."""
    assert shutdowns(ShutdownKind.UNWANTED) > 5000
    assert shutdowns(ShutdownKind.REMOVAL, said=MARKED, drained=True) > 100
    assert seen == edges(SHUTDOWN_MOVES) - {("RELEASE", "OPEN")}


@pytest.mark.parametrize("kind", ShutdownKind)
def test_what_is_marked_is_never_resumed(kind: ShutdownKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is answered and said after the mark, by the manager that wrote it or by the next one."""
    marked: list[bool] = []

    def send(shutdown: Shutdown, step: Step) -> None:
        marked.append(shutdown.marked)
        assert not (shutdown.marked and isinstance(step, ResumeNode)), "it is resumed"
        sent(shutdown, step)

    sent = Shutdown.send
    monkeypatch.setattr(Shutdown, "send", send)
    shutdowns(kind)
    if kind not in (ShutdownKind.KILL, ShutdownKind.GONE):
        shutdowns(kind, said=MARKED, drained=True)
        assert any(marked)


@pytest.mark.parametrize("kind", ShutdownKind)
def test_nor_does_one_without_slurm_or_without_a_name(kind: ShutdownKind, seen: set[tuple[str, str]]) -> None:
    assert shutdowns(kind, slurm=False) > 500
    assert shutdowns(kind, hostname=None) > 20
    assert seen < edges(SHUTDOWN_MOVES)


def test_nor_does_that_of_one_that_no_list_has_shown(seen: set[tuple[str, str]]) -> None:
    assert shutdowns(ShutdownKind.GONE, listed=False) > 2000
    assert seen < edges(SHUTDOWN_MOVES)


# ---- shutdowns of names that the scheduler powers down --------------------------------------------------------------


def of_name_shutdown(shutdown: NameShutdown) -> Hashable:
    """All that its next moves depend on."""
    up = shutdown._power in (Power.ON, Power.LEAVING)
    return of_shutdown(shutdown), up, shutdown._power in BOOTING, shutdown._was_down, shutdown.is_old


def befalls_name_shutdown(shutdown: NameShutdown) -> Iterator[Happening[NameShutdown]]:
    match shutdown.step:
        case GiveBack():
            yield "given back", answer(GivenBack({"n": (PlacedJob("1"),)}))
            yield "kept", answer(GivenBack({}, ("n",)))
        case OpenNames():
            yield "opened", answer(NamesOpened(("n",)))
            yield "not opened", answer(NamesOpened())
        case LookAtNode():
            for state, power, placed in POWERS:
                yield f"{state} {power}", answer(NodeSeen(NodeWork("n", state, power=power, placed=placed)))
            yield "unknown", answer(NodeSeen(None))
    for name, happen in befalls_shutdown(shutdown):
        answered = isinstance(shutdown.step, LookAtNode | GiveBack | OpenNames) and name in ANSWERS
        if not answered and name not in ELSEWHERE:
            yield name, happen


ANSWERS = {"done", *(f"{word} '' {number}" for word in WORDS for number in (None, 0, 1))}
ELSEWHERE = {
    "gate",
    "throttled",
    "refused",
    Directive.DRAIN.value,
    Directive.RUN.value,
}  # no other than for all shutdowns
POWERS = [
    (WorkState(WorkKind.OFF, "idle~"), Power.OFF, False),
    (WorkState(WorkKind.UNHEARD, "idle#"), Power.STARTING, False),
    (WorkState(WorkKind.FREE, "idle"), Power.ON, False),
    (WorkState(WorkKind.DRAINING, "mix!"), Power.LEAVING, True),
    (WorkState(WorkKind.OFF, "idle%"), Power.GOING, False),
]


@pytest.mark.parametrize(("kind", "power"), [(ShutdownKind.UNWANTED, Power.ON), (ShutdownKind.REMOVAL, Power.STARTING)])
def test_nor_does_one_of_a_name_that_is_powered_down(
    kind: ShutdownKind, power: Power, seen: set[tuple[str, str]]
) -> None:
    node = Node(CLOUD, SMALL, EPOCH)
    state = next(state for state, found, _ in POWERS if found is power)
    node.record, node.slurm = RECORD, NodeWork("n", state, power=power)
    shutdown = NameShutdown(context(places=True), node, kind, "n")
    assert explore(shutdown, befalls_name_shutdown, of_name_shutdown) > 100
    assert ("RELEASE", "OPEN") in seen
    assert seen < edges(SHUTDOWN_MOVES)


# ---- both -----------------------------------------------------------------------------------------------------------


def edges(table: Moves[Any]) -> set[tuple[str, str]]:
    """All moves of a table."""
    return {(source.name, move.target.name) for move in table.moves for source in move.sources}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """The moves that are made."""
    found: set[tuple[str, str]] = set()
    may = Moves.may

    def noted(table: Moves[Any], before: Any, after: Any) -> bool:
        if before is not after:
            found.add((before.name, after.name))
        return may(table, before, after)

    monkeypatch.setattr(Moves, "may", noted)
    return found
