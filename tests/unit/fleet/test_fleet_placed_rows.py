"""What Slurm says of a name against what the cloud has for it: a test for each row, and for each of its columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from placed_world import (
    COMES,
    DOWN,
    DRAINED,
    GOES,
    IDLE,
    LEAVES,
    MIX,
    TIMED_OUT,
    PlacedWorld,
    begun,
    intent,
    name_record,
    places,
)
from world import EPOCH, HOUR

from arvnodeman.fleet.messages import DestroyNode, LookAtNode, NodeSeen, SetNodeDown
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OpenNames, ReleaseJobs
from arvnodeman.fleet.values.model import Directive, NodeState, OperatorDirective
from arvnodeman.fleet.values.placed import GivenBack, PlacedJob
from arvnodeman.fleet.values.work import OUR_CLOSING, OUR_REMOVAL, OUR_RETURN, NodeWork, Power, WorkKind, WorkState

OURS = f"{OUR_CLOSING}: no capacity"


def with_machine(power: Power, state: WorkState | None = None, **fields: Any) -> PlacedWorld:
    """small-1 has a machine, and Slurm says this of it."""
    world = PlacedWorld(places())
    world.machine("small-1", power, state)
    assert world.slurm is not None
    world.slurm["small-1"] = replace(world.slurm["small-1"], **fields)
    return world.begin()


def comes(world: PlacedWorld, token: str = "t") -> None:
    """The machine of small-1 is not up yet: it has the mark of its boot alone."""
    world.change_cloud("small-1", token=token, start_time=world.now)
    world.records["small-1"] = name_record("small-1", slot=1, instance_id="i-small-1")


def cycles(world: PlacedWorld, times: int = 1) -> None:
    """So many rounds of lists, with all that is asked for done."""
    for _ in range(times):
        world.cycle()
        world.settle()


# ---- POWERED_DOWN, no job --------------------------------------------------------------------------------------------


def test_off_without_a_machine_is_a_free_name() -> None:
    """Row O1."""
    world = begun()
    cycles(world, 4)
    assert [step for step in world.asked if type(step).__name__ != "ListSizes"] == []


@pytest.mark.parametrize("polls", [1, 2])
def test_off_with_a_machine_in_two_polls_is_a_leak(polls: int) -> None:
    """Row O2."""
    world = with_machine(Power.OFF)
    cycles(world, polls - 1)
    assert world.destroyed() == ["i-small-1"] * (polls - 1)
    assert world.drained() == []
    assert [step for step in world.asked if isinstance(step, SetNodeDown)] == []


def test_the_leak_of_a_held_machine_stays() -> None:
    """Row O2."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.OFF, directive=OperatorDirective(Directive.HOLD, "look"))
    world.begin()
    cycles(world, 4)
    assert world.destroyed() == []


# ---- POWERED_DOWN with job, POWERING_UP ------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [Power.WANTED, Power.STARTING])
def test_wanted_without_a_machine_is_created(power: Power) -> None:
    """Row O3."""
    world = begun()
    world.place("1", "small-1", power=power)
    cycles(world)
    assert world.booted() == ["small-1"]


@pytest.mark.parametrize("power", [Power.WANTED, Power.STARTING])
def test_wanted_with_its_machine_on_the_way_waits(power: Power) -> None:
    """Row O3."""
    world = PlacedWorld(places())
    world.machine("small-1", power)
    comes(world)
    world.place("1", "small-1", power=power)
    world.begin()
    cycles(world, 3)
    assert (world.booted(), world.destroyed(), world.given_back()) == ([], [], [])
    assert world.state("small-1") is NodeState.UNPAIRED


def test_a_machine_that_does_not_come_up_in_time_is_given_back_and_destroyed_when_the_name_is_down() -> None:
    """Row O17."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING)
    comes(world)
    world.place("1", "small-1")
    world.begin()
    world.interactive = {"1"}
    world.now += HOUR
    world.cycle()
    world.cycle()
    (give,) = world.open(GiveBack)
    assert give.interactive
    world.done(give, GivenBack({"small-1": (PlacedJob("1"),)}))
    assert world.one(ReleaseJobs).jobs == (PlacedJob("1"),)
    world.done(world.one(LookAtNode), NodeSeen(NodeWork("small-1", COMES, power=Power.STARTING, placed=True)))
    assert world.open(DestroyNode) == []
    world.wait(1)
    world.done(world.one(LookAtNode), NodeSeen(NodeWork("small-1", GOES, power=Power.GOING)))
    assert world.one(DestroyNode).node.id == "i-small-1"
    world.obey()
    assert world.told(OpenNames) == ["small-1"]


@pytest.mark.parametrize("power", [Power.WANTED, Power.STARTING])
def test_a_machine_from_before_the_power_up_is_destroyed_and_another_created(power: Power) -> None:
    """Row O4."""
    world = with_machine(Power.ON)
    world.place("1", "small-1", power=power)
    world.cycle()
    assert world.open(DestroyNode) == []
    cycles(world, 2)
    assert world.destroyed() == ["i-small-1"]
    assert world.told(OpenNames) == []
    cycles(world, 2)
    assert world.booted() == ["small-1"]
    assert world.given_back() == []


def test_what_is_known_of_the_node_before_it_makes_no_machine_one_from_before() -> None:
    """A start of slurmd that Slurm keeps of the last node of the name is close to this one's start. Row O4."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING)
    world.change_cloud("small-1", start_time=world.now)
    world.records["small-1"] = replace(world.records["small-1"], first_ping_at=world.now - 120)
    world.place("1", "small-1")
    world.begin()
    cycles(world, 4)
    assert (world.destroyed(), world.given_back()) == ([], [])


def found_at_the_start(started: float, heard: float, *, cloud_ahead: float) -> PlacedWorld:
    """A machine that an earlier run has made, of a name that Slurm waits for; seconds ago, by clocks that agree. The
    cloud's is ahead by so much."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING)
    world.change_cloud("small-1", start_time=world.now - started + cloud_ahead)
    world.records["small-1"] = replace(world.records["small-1"], first_ping_at=world.now - heard)
    world.place("1", "small-1")
    world.sizes()
    world.poll_cloud(offset=cloud_ahead)
    world.poll_records()
    world.poll_queue()
    cycles(world, 3)
    return world


@pytest.mark.parametrize("cloud_ahead", [-3600.0, -54.0, 0.0, 54.0, 250.0])
@pytest.mark.parametrize(("started", "heard", "old"), [(1, 20, False), (1, 2, False), (90, 30, True), (90, 100, False)])
def test_clocks_that_differ_decide_nothing_about_a_machine(
    started: float, heard: float, old: bool, cloud_ahead: float
) -> None:
    """The cloud has the machine's start, Slurm when a slurmd of the name began. Row O4."""
    world = found_at_the_start(started, heard, cloud_ahead=cloud_ahead)
    assert world.destroyed() == (["i-small-1"] if old else [])


def test_a_machine_of_this_run_is_not_judged_by_stamps() -> None:
    """The cloud's clock may have been set since. Row O4."""
    world = PlacedWorld(places())
    world.begin()
    world.place("1", "small-1")
    cycles(world, 1)
    (made,) = world.cloud
    world.cloud[made] = replace(world.cloud[made], start_time=world.now - 600)
    name = replace(world.records["small-1"], slot=1, instance_id=made, intent=None, first_ping_at=world.now - 60)
    world.records["small-1"] = name
    cycles(world, 3)
    assert (world.booted(), world.destroyed(), world.given_back()) == (["small-1"], [], [])


def test_a_machine_under_another_mark_is_destroyed_and_the_boot_goes_on() -> None:
    """Row O4."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING, token="old")
    world.place("1", "small-1")
    world.records["small-1"] = name_record("small-1", slot=1, intent=intent("small-1", "new", EPOCH))
    world.begin()
    cycles(world, 4)
    assert world.destroyed() == ["i-small-1"]
    assert world.booted() == ["small-1"]


def test_starting_for_nobody_without_a_machine_is_given_back_and_opened() -> None:
    """Row O5."""
    world = begun()
    world.word("small-1", Power.STARTING)
    cycles(world, 2)
    assert world.given_back() == ["small-1"]
    assert world.told(OpenNames) == ["small-1"]


def test_starting_for_nobody_with_a_machine_comes_and_idles() -> None:
    """Row O5."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING)
    comes(world)
    world.begin()
    cycles(world, 4)
    assert (world.given_back(), world.destroyed()) == ([], [])


@pytest.mark.parametrize("state", [WorkState(WorkKind.DRAINED, "drain#"), WorkState(WorkKind.DOWN, "down#")])
def test_starting_and_shut_without_a_machine_is_given_back(state: WorkState) -> None:
    """Row O6."""
    world = begun()
    world.word("small-1", Power.STARTING, state)
    world.cycle()
    assert world.given_back() == ["small-1"]


@pytest.mark.parametrize("state", [WorkState(WorkKind.DRAINED, "drain#"), WorkState(WorkKind.DOWN, "down#")])
def test_starting_and_shut_with_a_machine_is_given_back_and_destroyed(state: WorkState) -> None:
    """Row O6."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING, state)
    comes(world)
    world.begin()
    cycles(world, 2)
    assert world.given_back() == ["small-1"]
    assert world.destroyed() == ["i-small-1"]


# ---- up --------------------------------------------------------------------------------------------------------------


def test_idle_longer_than_ours_is_powered_down_destroyed_and_its_name_opened() -> None:
    """Row O7."""
    world = with_machine(Power.ON)
    world.cycle()
    assert world.drained() == ["small-1"]
    world.settle()
    assert world.destroyed() == ["i-small-1"]
    assert world.told(OpenNames) == ["small-1"]
    order = [type(step).__name__ for step in world.asked]
    assert order.index("DestroyNode") < order.index("ReleaseRecord") < order.index("OpenNames")
    assert "SetNodeDown" not in order


def test_what_is_powered_down_is_not_taken_back_when_a_job_comes() -> None:
    """Row O7."""
    world = with_machine(Power.ON)
    world.cycle()
    world.place("1", "small-2")
    world.cycle()
    world.settle()
    assert world.destroyed() == ["i-small-1"]
    assert "ResumeNode" not in {type(step).__name__ for step in world.asked}


def test_a_job_that_slips_in_before_the_power_down_ends_first() -> None:
    """Row O7."""
    world = with_machine(Power.ON)
    world.cycle()
    world.word("small-1", Power.ON, MIX, placed=True)
    world.settle()
    world.cycle(times=3)
    world.settle()
    assert world.destroyed() == []
    world.word("small-1", Power.GOING)
    world.wait(20)
    world.settle()
    assert world.destroyed() == ["i-small-1"]


def test_a_busy_node_stays() -> None:
    """Row O7."""
    world = with_machine(Power.ON, MIX, placed=True)
    cycles(world, 5)
    assert (world.drained(), world.destroyed()) == ([], [])


@pytest.mark.parametrize(
    ("state", "responding"),
    [(IDLE, True), (IDLE, False), (MIX, False), (WorkState(WorkKind.FINISHING, "comp"), False)],
)
def test_up_without_a_machine_in_two_lists_is_set_down_and_opened(state: WorkState, responding: bool) -> None:
    """Row O8."""
    world = PlacedWorld(places())
    world.word("small-1", Power.ON, state, placed=state is not IDLE)
    world.says_responding("small-1", responding)
    world.begin()
    world.cycle()
    assert world.open(SetNodeDown) == []
    world.cycle()
    assert [step.hostname for step in world.open(SetNodeDown)] == ["small-1"]
    cycles(world, 2)
    assert world.told(OpenNames) == ["small-1"]


def test_a_machine_that_vanishes_under_work_frees_its_jobs_when_it_does_not_answer() -> None:
    """Row O8."""
    world = with_machine(Power.ON, MIX, placed=True)
    del world.cloud["i-small-1"]
    world.silent.add("small-1")
    world.says_responding("small-1", False)
    for _ in range(4):
        cycles(world)
    assert [step.hostname for step in world.asked if isinstance(step, SetNodeDown)] == ["small-1"]
    assert world.told(OpenNames)[:1] == ["small-1"]


def test_a_name_that_works_and_answers_is_kept_though_no_list_shows_its_machine() -> None:
    """Row O8."""
    world = PlacedWorld(places())
    world.word("small-1", Power.ON, MIX, placed=True)
    world.begin()
    cycles(world, 5)
    assert world.open(SetNodeDown) == []
    assert any("whose node no list of the cloud shows" in line for line in world.log(30))


def test_a_node_that_does_not_answer_is_kept_until_slurm_calls_it_down() -> None:
    """Row O9."""
    world = with_machine(Power.ON, MIX, placed=True, responding=False)
    cycles(world, 4)
    assert world.destroyed() == []
    world.word("small-1", Power.ON, WorkState(WorkKind.DOWN, "down"))
    world.says_responding("small-1", False)
    cycles(world, 3)
    assert world.drained() == ["small-1"]
    assert world.destroyed() == ["i-small-1"]


# ---- POWER_DOWN asked, POWERING_DOWN ---------------------------------------------------------------------------------


def test_leaving_with_its_machine_is_kept() -> None:
    """Row O10."""
    world = with_machine(Power.LEAVING, LEAVES, placed=True)
    cycles(world, 4)
    assert (world.destroyed(), world.drained()) == ([], [])


def test_leaving_and_finishing_without_a_machine_is_set_down() -> None:
    """Row O10."""
    world = PlacedWorld(places())
    world.word("small-1", Power.LEAVING, WorkState(WorkKind.FINISHING, "comp!"), placed=True)
    world.says_responding("small-1", True)
    world.begin()
    world.cycle(times=2)
    assert [step.hostname for step in world.open(SetNodeDown)] == ["small-1"]


def test_a_job_that_came_to_a_node_about_to_go_gets_its_other_nodes() -> None:
    """Else both wait for each other: the node goes when the job has ended, which cannot begin. Row O10."""
    world = with_machine(Power.ON)
    world.cycle()
    world.obey_up_to(LookAtNode)
    world.place("1", "small-1", "small-2")
    world.word("small-1", Power.LEAVING, LEAVES, placed=True)
    world.settle()
    cycles(world)
    assert world.booted() == ["small-2"]
    assert world.destroyed() == []
    world.registers("small-2")
    world.word("small-1", Power.GOING)
    cycles(world)
    assert world.destroyed() == ["i-small-1"]


def test_a_job_whose_node_is_empty_and_about_to_go_is_not_placed_there_any_more() -> None:
    """The queue is older than the list of names: nothing is booted for it. Row O10."""
    world = with_machine(Power.ON)
    world.place("1", "small-1", "small-2")
    world.word("small-1", Power.LEAVING, WorkState(WorkKind.DRAINED, "idle!"))
    cycles(world)
    assert world.booted() == []


@pytest.mark.parametrize("kind", [OUR_CLOSING, OUR_RETURN])
def test_a_name_that_is_slow_to_be_closed_is_not_set_down(kind: str) -> None:
    """It is about to be powered down, and has had no machine. Row O10."""
    world = begun()
    world.word("small-2", Power.LEAVING, reason=f"{kind}: no room")
    for _ in range(4):
        world.cycle(every=5.0)
        world.settle()
    assert world.told(CloseNames) == []
    assert [step for step in world.asked if isinstance(step, SetNodeDown)] == []


@pytest.mark.parametrize("kind", [WorkKind.OFF, WorkKind.DRAINED])
def test_going_without_a_machine_is_opened_at_once(kind: WorkKind) -> None:
    """Row O11."""
    world = PlacedWorld(places())
    world.word("small-1", Power.GOING, WorkState(kind, "idle%"))
    world.begin()
    assert world.told(OpenNames) == ["small-1"]


def test_going_with_its_machine_is_destroyed_at_once_and_opened() -> None:
    """Row O11."""
    world = with_machine(Power.GOING)
    cycles(world)
    assert world.destroyed() == ["i-small-1"]
    assert world.told(OpenNames) == ["small-1"]
    assert world.drained() == []


# ---- shut names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason"),
    [(TIMED_OUT, "whatever Slurm says"), (DOWN, f"{OUR_REMOVAL} (i-1)"), (DRAINED, OURS), (DOWN, OURS)],
)
def test_off_and_shut_by_us_or_for_want_of_a_node_is_opened(state: WorkState, reason: str) -> None:
    """Row O12."""
    world = PlacedWorld(places())
    world.word("small-1", Power.OFF, state, reason=reason)
    world.begin()
    assert world.told(OpenNames) == ["small-1"]


@pytest.mark.parametrize("state", [DRAINED, DOWN])
@pytest.mark.parametrize("power", [Power.OFF, Power.GOING])
def test_off_and_shut_by_anybody_else_is_left_alone(state: WorkState, power: Power) -> None:
    """Row O13."""
    world = PlacedWorld(places())
    world.word("small-1", power, state, reason="broken fan")
    world.begin()
    cycles(world, 4)
    assert world.told(OpenNames) == []


@pytest.mark.parametrize("state", [TIMED_OUT, DRAINED, DOWN])
def test_off_and_shut_with_a_machine_is_destroyed_first(state: WorkState) -> None:
    """Row O12."""
    world = with_machine(Power.OFF, state, reason=OURS)
    world.cycle()
    world.obey(LookAtNode)
    assert world.told(OpenNames) == []
    world.settle()
    assert world.destroyed() == ["i-small-1"]


def test_up_and_shut_by_anybody_else_is_left_and_told() -> None:
    """Row O13."""
    world = with_machine(Power.ON, WorkState(WorkKind.DRAINED, "drain"), reason="broken fan", responding=True)
    cycles(world, 5)
    assert (world.destroyed(), world.drained()) == ([], [])
    assert world.why("small-1") == "Slurm says drain (broken fan): somebody else works on it"


@pytest.mark.parametrize("kind", [WorkKind.RESERVED, WorkKind.TAKEN, WorkKind.FAILED])
def test_what_is_in_somebodys_hands_stays_unless_it_is_off(kind: WorkKind) -> None:
    """Row O14."""
    state = WorkState(kind, "maint")
    world = with_machine(Power.ON, state)
    cycles(world, 5)
    assert (world.destroyed(), world.drained()) == ([], [])
    world.word("small-1", Power.OFF, state)
    cycles(world, 3)
    assert world.destroyed() == ["i-small-1"]


@pytest.mark.parametrize("kind", [WorkKind.RESERVED, WorkKind.TAKEN, WorkKind.FAILED])
@pytest.mark.parametrize("power", [Power.OFF, Power.ON])
def test_a_name_in_somebodys_hands_without_a_machine_is_left_alone(kind: WorkKind, power: Power) -> None:
    """Row O14."""
    world = PlacedWorld(places())
    world.word("small-1", power, WorkState(kind, "maint"))
    world.begin()
    cycles(world, 4)
    assert [step for step in world.asked if type(step).__name__ != "ListSizes"] == []


def test_a_name_that_slurm_does_not_list_tells_nothing_of_its_machine() -> None:
    """Row O15."""
    world = with_machine(Power.ON)
    assert world.slurm is not None
    del world.slurm["small-1"]
    world.now += HOUR
    cycles(world, 5)
    assert (world.destroyed(), world.drained()) == ([], [])
    assert world.why("small-1") == "Slurm does not show its name small-1: nothing is done about it"


def test_a_machine_whose_name_is_no_record_is_left_alone() -> None:
    """Row O15."""
    world = with_machine(Power.ON)
    assert world.slurm is not None
    del world.slurm["small-1"], world.records["small-1"]
    world.restart()
    world.begin()
    world.now += HOUR
    cycles(world, 5)
    assert (world.destroyed(), world.drained()) == ([], [])


# ---- safety ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("power", "placed", "goes"),
    [
        (Power.OFF, False, True),
        (Power.OFF, True, False),
        (Power.WANTED, True, False),
        (Power.WANTED, False, False),
        (Power.STARTING, True, False),
        (Power.STARTING, False, False),
        (Power.ON, False, False),
        (Power.ON, True, False),
        (Power.LEAVING, True, False),
        (Power.LEAVING, False, False),
        (Power.GOING, False, True),
    ],
)
def test_a_destroy_leaves_only_when_the_name_asked_now_is_down_without_a_job(
    power: Power, placed: bool, goes: bool
) -> None:
    """Row O16."""
    world = with_machine(Power.ON)
    world.cycle()
    world.obey_up_to(LookAtNode)
    state = {Power.ON: MIX if placed else IDLE}.get(power, COMES)
    world.done(world.one(LookAtNode), NodeSeen(NodeWork("small-1", state, power=power, placed=placed)))
    assert bool(world.open(DestroyNode)) is goes


def test_a_destroy_does_not_leave_for_a_name_that_slurm_does_not_know() -> None:
    """Row O15."""
    world = with_machine(Power.ON)
    world.cycle()
    world.obey_up_to(LookAtNode)
    world.done(world.one(LookAtNode), NodeSeen(None))
    assert world.open(DestroyNode) == []


def test_no_destroy_leaves_when_the_lists_have_become_old_meanwhile() -> None:
    """Row O16."""
    world = with_machine(Power.ON)
    world.cycle()
    world.obey_up_to(LookAtNode)
    world.now += 10_000
    world.done(world.one(LookAtNode), NodeSeen(NodeWork("small-1", GOES, power=Power.GOING)))
    assert world.open(DestroyNode) == []


def test_a_power_down_that_slurm_has_lost_is_asked_for_again() -> None:
    """As slurmctld forgets what it was told within a second before it is killed."""
    world = with_machine(Power.ON)
    world.cycle()
    world.obey_up_to(LookAtNode)
    world.word("small-1", Power.ON)
    world.settle()
    assert world.destroyed() == []
    assert world.state("small-1") is NodeState.IDLE
    cycles(world, 3)
    assert world.drained() == ["small-1", "small-1"]
    assert world.destroyed() == ["i-small-1"]


def test_a_machine_whose_name_is_powered_up_anew_before_its_destroy_goes_all_the_same() -> None:
    """Else the job that is placed there waits for a node that cannot come. Row O4."""
    world = with_machine(Power.ON)
    world.cycle()
    world.obey_up_to(LookAtNode)
    world.place("1", "small-1")
    world.settle()
    assert world.destroyed() == ["i-small-1"]
    cycles(world, 2)
    assert world.booted() == ["small-1"]
    assert world.given_back() == []


def test_a_machine_that_registers_while_its_jobs_are_given_back_stays() -> None:
    """Row O17."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING)
    comes(world)
    world.place("1", "small-1")
    world.begin()
    world.now += HOUR
    world.cycle(times=2)
    world.registers("small-1")
    world.done(world.one(GiveBack), GivenBack({}, settled=("small-1",)))
    cycles(world, 3)
    assert (world.destroyed(), world.given_back()) == ([], ["small-1"])
    assert world.state("small-1") is NodeState.BUSY


def test_an_operators_kill_asks_nobody_and_frees_the_jobs() -> None:
    world = with_machine(Power.ON, MIX, placed=True)
    world.say("small-1", Directive.KILL, "now")
    assert world.one(DestroyNode).node.id == "i-small-1"
    world.settle()
    assert [step.hostname for step in world.asked if isinstance(step, SetNodeDown)] == ["small-1"]
    assert world.told(OpenNames) == ["small-1"]


def test_an_operators_drain_of_a_busy_node_waits_for_its_jobs() -> None:
    world = with_machine(Power.ON, MIX, placed=True)
    world.say("small-1", Directive.DRAIN, "later")
    world.settle()
    assert world.drained() == ["small-1"]
    world.cycle(times=2)
    assert world.destroyed() == []


def test_the_mark_of_a_machine_that_is_gone_is_taken_away_before_the_name_is_booted() -> None:
    world = PlacedWorld(places())
    world.place("1", "small-1")
    world.records["small-1"] = name_record("small-1", slot=1, instance_id="i-gone")
    world.begin()
    assert world.booted() == []
    cycles(world, 3)
    assert world.booted() == ["small-1"]
    assert world.given_back() == []


def test_after_a_restart_a_node_that_is_going_goes_on() -> None:
    """Row O21."""
    world = with_machine(Power.ON)
    world.cycle()
    world.obey_up_to(LookAtNode)
    world.restart()
    world.begin()
    cycles(world)
    assert world.destroyed() == ["i-small-1"]
    assert world.told(OpenNames) == ["small-1"]


def test_two_lists_are_never_mixed() -> None:
    """A name that something was done with since the list of names was asked for counts for nothing in it."""
    world = with_machine(Power.ON)
    world.cycle()
    before = dict(world.slurm or {})
    world.settle()
    world.slurm, now = before, world.slurm
    world.now -= 3
    world.poll_records()
    world.slurm = now
    assert world.told(OpenNames) == ["small-1"]
    assert [step for step in world.asked if isinstance(step, SetNodeDown)] == []


@pytest.mark.parametrize(
    ("word", "destroyed"), [(Directive.KILL, True), (Directive.DRAIN, True), (Directive.HOLD, False)]
)
def test_operators_words_that_a_restart_finds_are_obeyed(word: Directive, destroyed: bool) -> None:
    world = PlacedWorld(places())
    world.machine("small-1", directive=OperatorDirective(word, "look"))
    world.begin()
    cycles(world, 4)
    assert world.destroyed() == ["i-small-1"] * destroyed


def test_a_machine_that_the_cloud_calls_failed_while_it_boots_gives_its_jobs_back_and_goes() -> None:
    """Row O17."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING, failed=True, fault="no host")
    comes(world)
    world.place("1", "small-1")
    world.begin()
    cycles(world, 2)
    assert world.given_back() == ["small-1"]
    assert world.destroyed() == ["i-small-1"]
    assert world.held == set()


def test_a_machine_that_vanishes_while_it_boots_gives_its_jobs_back_and_its_name_is_opened() -> None:
    """Whoever waits for them: no node comes there any more. Row O17."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING)
    comes(world)
    world.place("1", "small-1")
    world.interactive = {"1"}
    world.begin()
    del world.cloud["i-small-1"]
    for _ in range(10):
        world.cycle()
        world.settle()
    assert world.given_back() == ["small-1"]
    assert world.held == set()
    assert world.told(OpenNames) == ["small-1"]
    assert [step for step in world.asked if isinstance(step, SetNodeDown)] == []


def test_a_machine_with_less_than_slurm_was_told_is_powered_down_and_destroyed() -> None:
    world = with_machine(Power.ON, WorkState(WorkKind.UNFIT, "inval"))
    cycles(world, 3)
    assert world.drained() == ["small-1"]
    assert world.destroyed() == ["i-small-1"]
