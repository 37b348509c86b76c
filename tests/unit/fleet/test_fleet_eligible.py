"""May a node be shut down, and why: the table of section 4 of the rules, and what stands before it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from world import EPOCH, HOUR, MINUTE, NEVER, World, jobs, policy

from arvnodeman.fleet.nodes.eligible import eligible
from arvnodeman.fleet.nodes.node import Basis, Node
from arvnodeman.fleet.nodes.polls import Ages
from arvnodeman.fleet.values.model import (
    CloudNode,
    Directive,
    NodeRecord,
    NodeSize,
    NodeState,
    OperatorDirective,
    Policy,
    SizeSection,
)
from arvnodeman.fleet.values.windows import ShutdownWindows
from arvnodeman.slurm.words import node_work

SIZE = NodeSize("small", "small", "small", "small", cores=1, ram=1000, disk=0, scratch=0, price=0.1)
OPEN, SHUT = (0.0, 60.0), (1e6, 60.0)
SLURM = {
    NodeState.BUSY: "alloc",
    NodeState.IDLE: "idle",
    NodeState.FAIL: "fail",
    NodeState.RESERVED: "resv",
    NodeState.DOWN: "down",
}


def basis(*, window: bool = True, **fields: Any) -> Basis:
    windows = OPEN if window else SHUT
    rules = Policy(sections=(), shutdown_windows=windows)
    return replace(
        Basis(rules, ShutdownWindows(windows), Ages(EPOCH - 99 * HOUR), EPOCH, record_now=EPOCH, cloud_now=EPOCH),
        **fields,
    )


def node(state: NodeState, *, age: float = HOUR, idle_polls: int = 0, record_age: float = 0.0, **cloud: Any) -> Node:
    start = EPOCH - age
    found = Node(CloudNode("i-1", "compute1", "i-1", start_time=start, **cloud), SIZE, start)
    if state not in (NodeState.BOOTING, NodeState.UNPAIRED):
        stamp = EPOCH - record_age
        found.record = NodeRecord(
            "r-1", "compute1", instance_id="i-1", first_ping_at=start, last_ping_at=stamp, modified_at=stamp
        )
    if state in SLURM:
        found.slurm = node_work("compute1", SLURM[state])
    found.idle_polls = idle_polls
    found.set_state(state, EPOCH)
    return found


def goes(state: NodeState, window: bool, exceeded: bool, idle: int) -> bool:
    """The table itself."""
    match state:
        case NodeState.FAIL:
            return True
        case NodeState.IDLE:
            return window and idle >= 2
        case NodeState.DOWN:
            return window or exceeded
        case NodeState.UNPAIRED:
            return exceeded
        case _:
            return False


@pytest.mark.parametrize(
    ("state", "window", "exceeded", "idle"),
    list(product([s for s in NodeState if s is not NodeState.SHUTDOWN], [True, False], [True, False], [0, 1, 2, 9])),
)
def test_the_table(state: NodeState, window: bool, exceeded: bool, idle: int) -> None:
    """Rows E5, E6, E14 and E17: state, window, boot grace and idle count decide, and every answer has its reason."""
    cause = eligible(node(state, age=1800 if exceeded else 1799, idle_polls=idle), basis(window=window))
    assert cause.goes is goes(state, window, exceeded, idle)
    assert cause.words(EPOCH)


@pytest.mark.parametrize(
    ("state", "situation", "window", "words"),
    [
        (NodeState.BUSY, {}, True, "it works: Slurm says alloc"),
        (NodeState.BOOTING, {}, True, "it is booting"),
        (NodeState.RESERVED, {}, True, "reserved: Slurm says resv"),
        (NodeState.FAIL, {}, False, "Slurm says fail"),
        (NodeState.IDLE, {"idle_polls": 1}, True, "idle for 1 node poll(s) in a row of 2 needed"),
        (NodeState.IDLE, {"idle_polls": 3}, True, "idle for 3 node poll(s) in a row and not wanted"),
        (NodeState.IDLE, {"idle_polls": 3}, False, "shutdown window closed, next in 1"),
        (NodeState.UNPAIRED, {"age": 600}, True, "it has 20 min left to come up"),
        (NodeState.UNPAIRED, {"age": 1800}, True, "never paired in 30 min"),
        (NodeState.DOWN, {"age": 600}, False, "it has 20 min left to come up"),
        (NodeState.DOWN, {}, False, "down: it is down"),
    ],
)
def test_the_reasons(state: NodeState, situation: dict[str, Any], window: bool, words: str) -> None:
    """Row K1."""
    assert eligible(node(state, **situation), basis(window=window)).words(EPOCH).startswith(words)


@pytest.mark.parametrize("state", list(SLURM))
def test_a_hold_forbids_every_shutdown(state: NodeState) -> None:
    held = node(state, age=9 * HOUR, idle_polls=9, directive=OperatorDirective(Directive.HOLD, "mine"))
    cause = eligible(held, basis())
    assert not cause.goes
    assert cause.words(EPOCH) == "held by an operator (mine)"


@pytest.mark.parametrize("state", [NodeState.IDLE, NodeState.DOWN])
@pytest.mark.parametrize(
    ("said", "vouched"),
    [
        *((word, True) for word in ("idle", "down", "drain", "inval", "fail")),
        (None, True),  # Slurm does not know it
        *((word, False) for word in ("unk", "resv", "maint", "who-knows")),
    ],
)
def test_a_node_with_an_old_record_is_kept_unless_slurm_vouches(
    state: NodeState, said: str | None, vouched: bool
) -> None:
    """It may be working, and only cut off."""
    old = node(state, age=9 * HOUR, idle_polls=9, record_age=3 * HOUR)
    old.slurm = node_work("compute1", said) if said is not None else None
    cause = eligible(old, basis())
    assert cause.goes is vouched
    if not vouched:
        assert cause.words(EPOCH) == "node state is stale (record 3.0 h old), it may be working and cut off"


def test_without_an_answer_of_slurm_an_old_record_protects() -> None:
    old = node(NodeState.IDLE, age=9 * HOUR, idle_polls=9, record_age=3 * HOUR)
    old.slurm = None
    assert not eligible(old, basis(heard=False)).goes


def test_a_window_that_ends_within_the_difference_of_the_clocks_counts_as_shut() -> None:
    ripe = node(NodeState.IDLE, age=58 * MINUTE, idle_polls=2)
    windows = ShutdownWindows((54, 5))
    assert eligible(ripe, basis(windows=windows)).goes
    assert not eligible(ripe, basis(windows=windows, clock_margin=61.0)).goes


def test_windows_follow_the_clouds_clock() -> None:
    ripe = node(NodeState.IDLE, age=50 * MINUTE, idle_polls=2)
    windows = ShutdownWindows((54, 5))
    assert not eligible(ripe, basis(windows=windows)).goes
    assert eligible(ripe, basis(windows=windows, cloud_now=EPOCH + 5 * MINUTE)).goes


# ---- a size that is not configured -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [NodeState.IDLE, NodeState.DOWN, NodeState.UNPAIRED, NodeState.FAIL])
def test_a_node_of_no_known_size_goes_whatever_its_window(state: NodeState) -> None:
    """Row C25."""
    strange = node(state, age=60, size_tag="gone")
    strange.size = None
    cause = eligible(strange, basis(window=False))
    assert cause.goes
    assert cause.words(EPOCH) == "node's size tag 'gone' not recognizable"


def test_a_busy_node_of_no_known_size_is_not_eligible_yet() -> None:
    """Row C25."""
    strange = node(NodeState.BUSY, size_tag="gone")
    strange.size = None
    assert not eligible(strange, basis()).goes


def test_without_slurm_a_node_of_no_known_size_whose_state_is_unknown_is_not_eligible() -> None:
    """Rows B13 and C25: `down` from the record is unknown, and so perhaps busy."""
    strange = node(NodeState.RESERVED, size_tag="gone")
    strange.size, strange.slurm = None, None
    assert not eligible(strange, basis(heard=False)).goes


def test_a_node_of_no_known_size_with_an_old_record_is_kept_unless_slurm_vouches() -> None:
    """Row C25."""
    strange = node(NodeState.DOWN, size_tag="gone", record_age=3 * HOUR)
    strange.size, strange.slurm = None, node_work("compute1", "unk")
    assert not eligible(strange, basis()).goes


def test_a_busy_node_of_no_known_size_is_drained_at_once_and_goes_when_its_work_has_ended() -> None:
    """Row C25."""
    world = World(policy(shutdown_windows=NEVER))
    world.node(size="renamed", slurm="alloc")
    world.begin()
    world.cycle()
    assert world.drained() == ["compute1"]
    world.obey()
    assert not world.destroyed()
    assert world.slurm is not None
    world.says("compute1", "drain", reason=world.slurm["compute1"].reason)
    world.wait(20)
    world.obey()
    assert world.destroyed() == ["i-compute1"]


def test_a_renamed_section_keeps_its_nodes_when_it_alone_has_their_type() -> None:
    """Row C25: renaming is no massacre."""
    sections = (SizeSection("tiny", cores=1, instance_type="small"),)
    world = World(policy(sections=sections, shutdown_windows=NEVER))
    world.node(size="small", size_tag="old-name")
    world.begin(*jobs(1))
    world.cycle(times=3)
    assert world.status().size == "tiny"
    assert not world.steps or not world.drained()


def test_a_size_that_the_provider_does_not_list_today_is_still_configured() -> None:
    """Row C25: a page of the provider's sizes is lost, and nobody's nodes are drained for it."""
    world = World(policy(shutdown_windows=NEVER))
    world.node(size="large", slurm="alloc")
    world.offers = world.offers[:1]
    world.begin()
    world.cycle(times=2)
    assert not world.drained()


# ---- those that are kept though they may leak ------------------------------------------------------------------------


def kept_lines(world: World) -> list[str]:
    return [line for line in world.log(30) if "kept although it has been silent" in line]


@pytest.mark.parametrize(
    ("said", "responding", "silent", "hours", "lines"),
    [
        pytest.param("alloc", True, False, 5, 0, id="busy and well"),
        pytest.param("alloc", True, True, 1.9, 0, id="busy, ping not old yet"),
        pytest.param("alloc", True, True, 4.5, 3, id="busy with a stale ping: once an hour"),
        pytest.param("alloc", False, False, 0.9, 0, id="no answer for less than an hour"),
        pytest.param("alloc", False, False, 3.5, 3, id="no answer for an hour and more"),
        pytest.param("unk", True, True, 3.5, 2, id="old record, nobody vouches"),
    ],
)
def test_a_warning_once_an_hour_names_a_node_that_is_kept_and_may_leak(
    said: str, responding: bool, silent: bool, hours: float, lines: int
) -> None:
    world = World(policy(shutdown_windows=NEVER, boot_fail_after=99 * HOUR))
    world.node(slurm=said, responding=responding)
    if silent:
        world.silent.add("r-compute1")
    world.begin()
    world.cycle(times=int(hours * 60))
    found = kept_lines(world)
    assert len(found) == lines
    assert all("compute1" in line and said in line for line in found)


def test_every_answer_is_logged_at_debug() -> None:
    """Row K1."""
    world = World(policy(shutdown_windows=NEVER))
    world.node()
    world.begin()
    world.cycle(times=2)
    assert any("compute1" in line and "window closed" in line for line in world.log())


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("idle", "idle for 2 node poll(s) in a row and not wanted"),
        ("fail", "Slurm says fail"),
        ("drain", "down: Slurm says drain (disk)"),
    ],
)
def test_a_suggestion_is_logged_at_debug_with_its_reason(said: str, reason: str) -> None:
    """Row K1."""
    world = World()
    world.node(slurm=said, reason="disk" if said == "drain" else "")
    world.begin()
    world.cycle(times=2)
    lines = [note for note in world.notes if note.text.startswith("Suggesting shutdown of")]
    assert {(note.level, note.text % note.args) for note in lines} == {
        (10, f"Suggesting shutdown of compute1.zzzzz because {reason}")
    }
