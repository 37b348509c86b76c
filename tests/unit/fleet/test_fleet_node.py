"""One node's state, word by word (section 3 of the rules). Held nodes show their state and are not shut down."""

from __future__ import annotations

from typing import Any

import pytest
from world import EPOCH, HELD, HOUR, MINUTE, World, jobs, policy

from arvnodeman.fleet.nodes.node import Node, undrained
from arvnodeman.fleet.values.model import CloudNode, NodeState
from arvnodeman.fleet.values.work import OUR_REMOVAL, OUR_SHUTDOWN
from arvnodeman.slurm.words import node_work

BUSY = ("alloc", "comp", "mix", "drng", "failg", "plnd")
DOWN = ("down", "drain", "inval", "unk")


def held(**node: Any) -> World:
    """A world with one held node, which has been idle for a while."""
    world = World()
    world.node(directive=HELD, **node)
    world.begin()
    world.cycle(times=2)
    return world


@pytest.mark.parametrize("responding", [True, False])
@pytest.mark.parametrize(
    ("said", "state"),
    [
        *((word, NodeState.BUSY) for word in BUSY),
        ("idle", NodeState.IDLE),
        ("fail", NodeState.FAIL),
        ("resv", NodeState.RESERVED),
        ("maint", NodeState.RESERVED),
        *((word, NodeState.DOWN) for word in DOWN),
    ],
)
def test_slurms_word_makes_the_state_with_or_without_a_flag(said: str, state: NodeState, responding: bool) -> None:
    """Rows F10, F3 and E17: `idle*` is idle while the last ping is fresh."""
    world = held()
    world.says("compute1", said, responding=responding)
    world.cycle(times=2)
    assert world.state() is state


def test_a_node_that_slurm_answers_without_is_down() -> None:
    world = held()
    assert world.slurm is not None
    del world.slurm["compute1"]
    world.cycle(times=2)
    assert world.state() is NodeState.DOWN
    assert world.fleet.view.states["down"] == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_down_must_be_said_by_some_polls_in_a_row_and_until_then_the_state_stays(count: int) -> None:
    world = World(policy(consecutive_idle_count=count))
    world.node(directive=HELD)
    world.begin()
    world.says("compute1", "down")
    for _ in range(count - 1):
        world.cycle()
        assert world.state() is NodeState.IDLE
    world.cycle()
    assert world.state() is NodeState.DOWN


def test_one_poll_that_says_otherwise_begins_the_count_anew() -> None:
    world = held()
    for said in ("down", "idle", "down", "alloc", "down"):
        world.says("compute1", said)
        world.cycle()
        assert world.state() is not NodeState.DOWN


def flaps(*, down_every: int, busy_every: int = 99) -> NodeState:
    """The state after an hour of a node that is down in every so many polls, never twice in a row."""
    world = held()
    for number in range(1, 61):
        said = "down" if number % down_every == 0 else "idle"
        world.says("compute1", "alloc" if number % busy_every == 1 else said)
        world.cycle()
        if world.state() is NodeState.DOWN:
            return NodeState.DOWN
    return NodeState.IDLE


@pytest.mark.parametrize(("every", "state"), [(2, NodeState.DOWN), (3, NodeState.DOWN), (4, NodeState.IDLE)])
def test_a_third_of_the_polls_of_boot_fail_after_makes_a_node_down_too(every: int, state: NodeState) -> None:
    assert flaps(down_every=every) is state


def test_a_busy_poll_among_them_keeps_it() -> None:
    assert flaps(down_every=3, busy_every=15) is NodeState.IDLE


def test_a_busy_poll_within_boot_fail_after_keeps_it() -> None:
    """Busy every 28 minutes: one of the polls of any half hour says so."""
    assert flaps(down_every=2, busy_every=28) is NodeState.IDLE


def test_after_a_start_a_node_that_pings_is_idle_until_down_is_settled() -> None:
    world = World()
    world.node(slurm="down", directive=HELD)
    world.begin()
    assert world.state() is NodeState.IDLE
    world.cycle()
    assert world.state() is NodeState.DOWN


# ---- Slurm's word on work comes first --------------------------------------------------------------------------------


@pytest.mark.parametrize("said", BUSY)
@pytest.mark.parametrize(
    ("stale", "paired"),
    [
        pytest.param({}, True, id="fresh"),
        pytest.param({"last_ping_at": EPOCH - 9 * HOUR}, True, id="stale ping"),
        pytest.param({"modified_at": EPOCH - 9 * HOUR, "last_ping_at": EPOCH - 9 * HOUR}, True, id="stale record"),
        pytest.param({}, False, id="no record"),
    ],
)
def test_what_slurm_calls_busy_is_busy_whatever_its_age_or_pairing(
    said: str, stale: dict[str, Any], paired: bool
) -> None:
    """Rows F10 and C3: a node with a job is never shut down."""
    world = World()
    world.node(slurm=said, record=paired, age=9 * HOUR)
    world.silent.add("r-compute1")
    if stale:
        world.change_record("compute1", **stale)
    world.begin()
    world.cycle(times=200)
    assert world.state() is NodeState.BUSY
    assert not world.steps


def test_a_job_uuid_or_worker_state_makes_nothing_busy_while_slurm_is_asked() -> None:
    """Rows B12 and B13."""
    world = held()
    world.change_record("compute1", worker_state="busy")
    world.cycle()
    assert world.state() is NodeState.IDLE


@pytest.mark.parametrize("field", ["last_ping_at", "modified_at"])
@pytest.mark.parametrize(("hours", "state"), [(1.9, NodeState.IDLE), (2.2, NodeState.DOWN)])
def test_an_idle_node_with_an_old_ping_or_record_is_down(field: str, hours: float, state: NodeState) -> None:
    """Row C6: node_stale_after is two hours, here."""
    world = held(slurm="idle")
    world.cycle(times=10)
    stopped = world.now
    world.silent.add("r-compute1")
    while world.now < stopped + hours * HOUR:
        world.now += MINUTE
        other = "modified_at" if field == "last_ping_at" else "last_ping_at"
        world.change_record("compute1", **{other: world.now})
        world.poll_cloud()
        world.poll_records()
        world.poll_queue()
    assert world.state() is state


def test_idle_without_an_answer_is_down_when_the_ping_is_old() -> None:
    world = held(slurm="idle")
    world.silent.add("r-compute1")
    world.says("compute1", "idle", responding=False)
    world.cycle(times=130)
    assert world.state() is NodeState.DOWN


# ---- a node comes up -------------------------------------------------------------------------------------------------


def young(said: str = "down", **node: Any) -> World:
    """A node that has just pinged, ten minutes old."""
    world = World()
    world.node(slurm=said, age=600, **node)
    return world


def test_a_young_node_that_has_pinged_counts_as_idle_while_slurm_says_down() -> None:
    """Row C14."""
    world = young().begin(*jobs(1))
    world.cycle(times=5)
    assert world.state() is NodeState.IDLE
    assert not world.prepared()


@pytest.mark.parametrize(
    ("said", "node"),
    [
        pytest.param("drain", {}, id="a drain"),
        pytest.param("inval", {}, id="inval"),
        pytest.param("down", {"broken": True}, id="the cloud says broken, row C16"),
        pytest.param("down", {"age": 1801}, id="older than boot_fail_after"),
    ],
)
def test_the_grace_is_for_down_alone_and_for_whole_young_nodes(said: str, node: dict[str, Any]) -> None:
    """Rows C14 and C16."""
    world = World()
    world.node(**{"slurm": said, "age": 600, "directive": HELD, **node})
    world.begin()
    world.cycle(times=2)
    assert world.state() is NodeState.DOWN


def test_a_name_that_no_slurmd_has_registered_yet_has_the_grace_too() -> None:
    """Row C14: a real slurmctld calls a new node `unk` until its slurmd registers, not down."""
    world = young("unk", directive=HELD).begin()
    world.cycle(times=3)
    assert world.state() is NodeState.IDLE


@pytest.mark.parametrize("was", ["idle", "alloc"])
def test_the_grace_ends_when_the_node_has_been_up(was: str) -> None:
    """Row C14."""
    world = young(was, directive=HELD).begin()
    world.says("compute1", "down")
    world.cycle(times=2)
    assert world.state() is NodeState.DOWN


def test_a_broken_flag_alone_stops_no_node_that_works() -> None:
    """Row C16."""
    world = World()
    world.node(slurm="alloc", broken=True)
    world.node("compute2", slurm="idle", broken=True, directive=HELD)
    world.begin()
    world.cycle(times=3)
    assert [world.state("compute1"), world.state("compute2")] == [NodeState.BUSY, NodeState.IDLE]
    assert not world.steps


@pytest.mark.parametrize(
    ("age", "state"), [(0.0, NodeState.UNPAIRED), (1739.0, NodeState.UNPAIRED), (1800.0, NodeState.DOWN)]
)
def test_a_node_that_never_paired_is_unpaired_and_then_down(age: float, state: NodeState) -> None:
    """Rows C17, D1 and D3: its age counts from its start at the cloud."""
    world = World(policy(consecutive_idle_count=1))
    world.node(record=False, slurm=None, age=age, directive=HELD)
    world.begin()
    world.cycle()
    assert world.state() is state


def test_a_start_that_the_cloud_does_not_tell_is_when_it_was_first_seen() -> None:
    """Rows N18 and H3."""
    world = World(policy(consecutive_idle_count=1))
    world.node(record=False, slurm=None, start_time=None, directive=HELD)
    world.begin()
    world.cycle(times=29)
    assert world.state() is NodeState.UNPAIRED
    world.cycle(times=2)
    assert world.state() is NodeState.DOWN


def test_after_a_start_nothing_is_never_paired_before_two_record_lists() -> None:
    """Row D3."""
    world = World(policy(consecutive_idle_count=1))
    world.node(record=False, slurm=None, directive=HELD)
    world.begin()
    assert world.state() is NodeState.UNPAIRED
    world.cycle()
    assert world.state() is NodeState.DOWN


def test_after_a_start_the_first_record_list_shuts_nothing_down_as_never_paired() -> None:
    """Row D1: the one record that the first list lacks may be there in the second."""
    world = World()
    world.node()
    world.sizes()
    world.poll_cloud()
    world.poll_queue()
    world.poll_records(without=["r-compute1"])
    assert not world.steps


# ---- kept by others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "keep", "state"),
    [
        ("disk is full", False, NodeState.DOWN),
        ("disk is full", True, NodeState.RESERVED),
        ("Node Manager shutdown (i-compute1)", True, NodeState.DOWN),
        ("Node Manager removal (i-compute1)", True, NodeState.DOWN),
    ],
)
def test_a_drain_of_somebody_else_is_down_or_with_keep_drained_reserved(
    reason: str, keep: bool, state: NodeState
) -> None:
    world = World(policy(keep_drained=keep))
    world.node(directive=HELD)
    world.begin()
    world.says("compute1", "drain", reason=reason)
    world.cycle(times=2)
    assert world.state() is state


@pytest.mark.parametrize("said", ["resv", "maint"])
def test_a_reserved_node_is_supply_only_when_it_has_never_been_up(said: str) -> None:
    fresh = World()
    fresh.node(slurm=said, age=200.0)
    fresh.begin(*jobs(1))
    assert not fresh.prepared()
    used = World()
    used.node(slurm="idle", age=200.0)
    used.begin()
    used.says("compute1", said)
    used.cycle(*jobs(1))
    assert used.prepared() == ["small"]
    assert used.state() is NodeState.RESERVED


@pytest.mark.parametrize(("said", "keep"), [("resv", False), ("maint", False), ("drain", True)])
def test_after_a_restart_no_job_waits_for_a_node_that_is_reserved_since_long(said: str, keep: bool) -> None:
    """No job waits without a stated reason."""
    world = World(policy(keep_drained=keep))
    world.node(slurm=said, reason="admin: disk")
    world.begin(*jobs(1))
    world.cycle(times=60)
    assert world.prepared() == ["small"]


@pytest.mark.parametrize(
    ("said", "reason", "becomes"),
    [
        ("drain", f"{OUR_SHUTDOWN} (i-x)", ("idle", "")),
        ("drng", f"{OUR_REMOVAL} (i-x)", ("alloc", "")),
        ("down", f"{OUR_REMOVAL} (i-x)", ("down", "")),
        ("drain", "a disk", ("drain", "a disk")),
        ("idle", "", ("idle", "")),
    ],
)
def test_what_slurm_said_of_a_drain_that_was_taken_back(said: str, reason: str, becomes: tuple[str, str]) -> None:
    node = Node(CloudNode("i-x", "x", "i-x"), None, 0.0)
    node.slurm = node_work("x", said, reason=reason)
    undrained(node)
    assert (node.slurm.state.said, node.slurm.reason) == becomes


def test_a_node_that_slurm_does_not_know_has_no_drain_to_be_taken_back() -> None:
    node = Node(CloudNode("i-x", "x", "i-x"), None, 0.0)
    undrained(node)
    assert node.slurm is None


@pytest.mark.parametrize(
    ("worker", "stale", "state"),
    [
        ("busy", "last_ping_at", NodeState.BUSY),
        ("idle", "", NodeState.IDLE),
        ("idle", "last_ping_at", NodeState.DOWN),
        ("idle", "modified_at", NodeState.DOWN),
        ("down", "", NodeState.RESERVED),
        (None, "", NodeState.RESERVED),
    ],
)
def test_without_slurm_the_record_says_what_a_node_does(worker: str | None, stale: str, state: NodeState) -> None:
    """A ping or a record alone that is old is enough."""
    world = World(policy(asks_scheduler=False, slurm=False), slurm=None)
    world.node(directive=HELD, slurm=None)
    world.begin()
    for _ in range(20):
        world.now += 10 * MINUTE
        world.change_record("compute1", worker_state=worker, last_ping_at=world.now, modified_at=world.now)
        if stale:
            world.silent.add("r-compute1")
            world.change_record("compute1", **{stale: EPOCH})
        world.poll_cloud()
        world.poll_records()
        world.poll_queue()
    assert world.state() is state
