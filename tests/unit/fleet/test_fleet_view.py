"""The view: what others are shown of the Fleet, and in which words (sections 4 and 10 of the rules)."""

from __future__ import annotations

import dataclasses

import pytest
from world import BIG, HELD, HOUR, NEVER, World, jobs, policy

from arvnodeman.fleet.messages import (
    DrainNode,
    LookAtNode,
    Note,
    PrepareRecord,
    ResumeNode,
)
from arvnodeman.fleet.values.model import Directive, NodeState
from arvnodeman.fleet.values.reasons import span

# ---- the view --------------------------------------------------------------------------------------------------------


def test_the_view_is_made_anew_and_the_old_one_stays_as_it_was() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node()
    world.begin()
    before = world.fleet.view
    world.says("compute1", "alloc")
    world.cycle()
    assert before.nodes["i-compute1"].state is NodeState.IDLE
    assert world.fleet.view.nodes["i-compute1"].state is NodeState.BUSY
    with pytest.raises(dataclasses.FrozenInstanceError):
        world.fleet.view.t = 0.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        world.fleet.view.counters["x"] = 1  # type: ignore[index]


def test_the_view_counts_states_with_what_is_booting() -> None:
    """Row N7."""
    world = World(policy(shutdown_windows=NEVER))
    world.node("compute1", slurm="alloc")
    world.node("compute2", record=False, slurm=None, age=9)
    world.begin(*jobs(3))
    counted = {state: count for state, count in world.fleet.view.states.items() if count}
    assert counted == {"busy": 1, "unpaired": 1, "booting": 2}
    assert world.fleet.view.wish == 3  # one of them has its node
    assert world.fleet.view.price == pytest.approx(0.2)


def test_the_view_names_operations_with_their_stage() -> None:
    """Row K1."""
    world = World()
    world.node("compute1", slurm="fail")
    world.node("compute2", slurm="alloc")
    world.change_cloud("compute2", fqdn="other")
    world.begin(*jobs(1))
    world.cycle()
    found = {(op.kind, op.stage) for op in world.fleet.view.operations}
    assert found == {
        ("boot", "taking a node record"),
        ("shutdown", "draining it in Slurm"),
        ("chore", "SyncFqdn"),
    }
    world.say("compute2", Directive.KILL)
    assert "kill" in {op.kind for op in world.fleet.view.operations}


def test_one_line_for_each_size_tells_wishes_and_states() -> None:
    """Row K1."""
    world = World(policy(shutdown_windows=NEVER))
    world.node("compute1", slurm="alloc")
    world.node("compute2", slurm="fail")
    world.begin(*jobs(2))
    world.notes.clear()
    world.cycle()
    assert "small: wishlist 2, up 3 (booting 2, unpaired 0, idle 0, busy 1), down 0, shutdown 1" in world.log()


def test_pairing_and_new_nodes_are_told_in_the_classic_words() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node()
    world.begin()
    assert "Registering new cloud node i-compute1" in world.log()
    assert "Registering new Arvados node r-compute1" in world.log()
    assert "Cloud node compute1.zzzzz is now paired with Arvados node r-compute1 with hostname compute1" in world.log()


def test_notes_are_put_into_words_later() -> None:
    """What nobody reads costs nothing."""
    world = World().begin(*jobs(1))
    assert len(world.notes) > 1
    assert all(isinstance(note, Note) and note.text % note.args for note in world.notes)
    loggers = {note.logger.split(".")[0] for note in world.notes}
    assert loggers <= {"", "arvnodeman", "ComputeNodeSetupActor", "ComputeNodeDriver"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (1.5, "1.5 s"),
        (9, "9 s"),
        (43.4, "43 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (3.5 * HOUR, "3.5 h"),
    ],
)
def test_times_are_told_in_the_units_of_people(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_a_held_node_says_so() -> None:
    world = World()
    world.node(directive=HELD)
    world.begin()
    assert world.why() == "held by an operator (to be looked at)"
    assert world.status().directive == "hold: to be looked at"


def test_a_hold_is_told_of_a_node_that_works() -> None:
    world = World()
    world.node(slurm="alloc", directive=HELD)
    world.begin()
    assert world.why() == "held by an operator (to be looked at)"


def test_a_hold_that_is_taken_back_says_what_is_next() -> None:
    world = World()
    world.node(directive=HELD)
    world.begin()
    world.cycle(times=3)
    world.say("compute1", Directive.RUN)
    because = "idle for 4 node poll(s) in a row and not wanted"
    assert world.why() == f"{because}; decided at the next node poll"
    world.cycle()
    assert world.why() == f"draining it in Slurm; begun because {because.replace('4', '5')}"


def test_while_a_list_is_not_believed_nobody_is_told_that_a_node_goes() -> None:
    world = World()
    world.node()
    world.begin()
    world.wait(world.fleet.view.policy.poll_stale_after + 60)  # the other lists are too old by then
    world.poll_records()
    world.poll_records()
    assert world.state() is NodeState.IDLE
    assert world.why().endswith("; decided at the next node poll")


def test_a_wanted_idle_node_says_so() -> None:
    world = World()
    world.node()
    world.begin(*jobs(1))
    world.cycle(times=3)
    assert world.why() == "a waiting job wants a node of small"


def test_a_node_that_min_nodes_keeps_says_so() -> None:
    world = World(policy(min_nodes=1))
    world.node()
    world.begin()
    world.cycle(times=3)
    assert world.why() == "min_nodes keeps 1 node(s)"


def test_a_node_in_shutdown_says_what_is_being_done_and_why_it_was_begun() -> None:
    world = World()
    world.node()
    world.begin()
    world.cycle()
    because = "idle for 2 node poll(s) in a row and not wanted"
    assert world.why() == f"draining it in Slurm; begun because {because}"
    world.obey(DrainNode)
    for _ in range(3):
        world.cycle(*jobs(1))
        world.wait(10)
        world.obey(LookAtNode, ResumeNode)
    world.cycle(*jobs(1))
    assert world.state() is NodeState.IDLE, "it is wanted again"
    assert "begun" not in world.why()


def test_boots_are_decided_at_queue_polls_and_stops_at_node_polls() -> None:
    """Row C13: cancellations come with the queue, too."""
    world = World(policy(consecutive_idle_count=1))
    world.node()
    world.begin(*jobs(1))
    world.jobs = jobs(2, BIG)
    world.poll_cloud()
    world.poll_records()
    assert not world.steps
    world.poll_queue()
    assert {type(step) for step in world.steps} == {PrepareRecord}
    world.poll_cloud()
    world.poll_queue()
    assert {type(step) for step in world.steps} == {PrepareRecord}
    world.poll_records()
    assert {type(step) for step in world.steps} == {PrepareRecord, DrainNode}
