"""The Fleet as its actor sees it: events in, commands out, wake-ups, the view (sections 1, 2 and 9 of the rules)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from world import ALWAYS, BIG, EPOCH, MINUTE, NEVER, OFFERS, SECTIONS, World, jobs, policy

from arvnodeman.fleet.fleet import Fleet
from arvnodeman.fleet.messages import (
    CreateNode,
    DescribeNode,
    DrainNode,
    ListSizes,
    LookAtNode,
    PolicyChanged,
    Poll,
    PollNow,
    PrepareRecord,
    SafeMode,
    Step,
    StepDone,
    StepFailed,
    StopAsked,
    Tick,
)
from arvnodeman.fleet.values.model import (
    Directive,
    ErrorKind,
    JobShape,
    NodeState,
    ProviderSize,
    RemoteError,
    SizeSection,
)

RARE = SizeSection("rare", cores=8, instance_type="m5.rar", price=2.0)
RARE_OFFER = ProviderSize("m5.rare", "m5.rare", ram=9000, price=2.0)


# ---- sizes -----------------------------------------------------------------------------------------------------------


def test_the_provider_is_asked_for_its_sizes_once() -> None:
    """Row A17."""
    world = World().begin(*jobs(3))
    world.cycle(times=60)
    assert len([step for step in world.asked if isinstance(step, ListSizes)]) == 1


def test_sizes_are_logged_at_start_by_their_ids() -> None:
    """Rows C21 and C28."""
    world = World().begin()
    lines = [note for note in world.notes if (note.text % note.args).startswith("Using cloud node sizes:")]
    assert ["id='small'" in note.text % note.args for note in lines] == [True, False]
    assert {note.logger for note in lines} == {"arvnodeman.jobqueue"}


@pytest.mark.parametrize("answer", ["an error", "an empty list", "a strange error"])
def test_a_list_of_sizes_that_does_not_come_is_asked_for_again_with_growing_waits(answer: str) -> None:
    """Row A9: an empty list is a failed request."""
    world = World()
    world.tell(Tick())
    asked = []
    for _ in range(12):
        step = world.one(ListSizes)
        asked.append(world.now)
        if answer == "an empty list":
            world.done(step, ())
        else:
            world.fail(step, ErrorKind.TRANSIENT if answer == "an error" else ErrorKind.UNEXPECTED)
        world.wait(300)
    said = [line.rsplit(" ", 2)[1] for line in world.log(30) if "scheduling retry" in line]
    assert said[:5] == ["1", "2", "4", "8", "16"]
    assert said[-1] == "300"
    world.done(world.one(ListSizes), OFFERS)
    world.cycle(*jobs(1), times=2)
    assert world.prepared() == ["small"]


def test_before_the_sizes_are_known_nothing_is_decided_and_the_view_says_so() -> None:
    """No job waits without a stated reason."""
    world = World()
    world.node(slurm="fail")
    world.cycle(*jobs(3), times=3)
    assert {type(step) for step in world.steps} <= {ListSizes}
    assert world.fleet.view.blocked == "the provider's sizes are not known yet"


def test_a_missing_size_is_one_error_that_names_the_nearest_and_is_looked_for_again() -> None:
    """Every ten minutes; it rests until then."""
    world = World(policy(sections=(*SECTIONS, RARE)), offers=(*OFFERS, RARE_OFFER)).begin(*jobs(1))
    assert world.prepared() == ["small"]
    for _ in range(30):
        world.cycle()
        world.obey(ListSizes)
    errors = world.log(40)
    assert len(errors) == 1
    assert errors[0].startswith(
        "[Size rare] instance_type m5.rar: the provider does not offer it; the nearest are m5.rare"
    )
    assert 3 <= len([step for step in world.asked if isinstance(step, ListSizes)]) <= 4
    assert world.fleet.view.missing_sizes == ("rare",)


def test_a_missing_size_that_comes_is_used() -> None:
    world = World(policy(sections=(*SECTIONS, RARE))).begin(*jobs(1, JobShape(cores=8)))
    assert not world.prepared()
    world.offers = (*OFFERS, dataclasses.replace(RARE_OFFER, id="m5.rar"))
    world.cycle(times=11)
    world.obey(ListSizes)
    world.cycle()
    assert world.prepared() == ["rare"]
    assert world.fleet.view.missing_sizes == ()


def test_a_size_without_any_price_is_an_error() -> None:
    """Row C10."""
    world = World(policy(sections=(*SECTIONS, SizeSection("free", cores=1, instance_type="free"))))
    world.offers = (*OFFERS, ProviderSize("free", "free", price=0))
    world.begin()
    assert any(line.startswith("[Size free]") and "price" in line for line in world.log(40))


# ---- polls and wake-ups ----------------------------------------------------------------------------------------------


def test_when_the_sizes_have_come_all_polls_are_brought_forward() -> None:
    world = World()
    world.sizes()
    assert world.polls_asked == [frozenset(Poll)]


def test_a_fresh_fleet_wants_to_be_woken_at_once_and_an_idle_one_never() -> None:
    world = World()
    assert world.fleet.next_wakeup() == EPOCH
    world.begin()
    assert world.fleet.next_wakeup() is None


@pytest.mark.parametrize(
    ("ends", "minutes"),
    [("a boot grace", 20), ("a window opens", 14), ("a size has rested", 1), ("the quota is probed", 1)],
)
def test_the_fleet_asks_to_be_woken_when_something_ends_and_brings_the_polls_forward(ends: str, minutes: float) -> None:
    """Their arrival decides."""
    world = World(policy(shutdown_windows=(54.0, 5.0)))
    if ends == "a boot grace":
        world.node(record=False, slurm=None, age=10 * MINUTE)
    if ends == "a window opens":
        world.node(age=40 * MINUTE)
    world.begin()
    world.cycle(every=0, times=3)
    if ends in ("a size has rested", "the quota is probed"):
        world.cycle(*jobs(1), every=0)
        world.obey(PrepareRecord, DescribeNode)
        world.fail(world.one(CreateNode), ErrorKind.CAPACITY if "size" in ends else ErrorKind.QUOTA)
        world.obey()
        world.cycle(every=0)
    wakeup = world.fleet.next_wakeup()
    assert wakeup is not None
    assert wakeup - world.now == pytest.approx(minutes * MINUTE, abs=2)
    world.now = wakeup
    assert PollNow(frozenset(Poll)) in world.tell(Tick())


@pytest.mark.parametrize("early", [-1.0, -0.001])
def test_a_tick_that_comes_too_early_changes_nothing(early: float) -> None:
    """Row A19: and one that comes exactly in time is no loop."""
    world = World(policy(shutdown_windows=NEVER)).begin(*jobs(1))
    world.fail(world.one(PrepareRecord))
    wakeup = world.fleet.next_wakeup()
    assert wakeup is not None
    world.now = wakeup + early
    world.tell(Tick())
    assert not world.steps
    world.now = wakeup
    world.tell(Tick())
    assert world.open(PrepareRecord)
    assert world.fleet.next_wakeup() is None


def test_one_wait_wakes_an_operation_once() -> None:
    """However often the Fleet has looked at it meanwhile."""
    world = World(policy(shutdown_windows=ALWAYS))
    world.node()
    world.begin()
    world.cycle()
    world.obey(DrainNode)
    world.fail(world.one(LookAtNode))
    for _ in range(3):
        world.say("compute1", Directive.DRAIN)
    world.obey()
    world.wait(5)
    assert len([step for step in world.asked if isinstance(step, LookAtNode)]) == 2


# ---- the same history, the same commands -----------------------------------------------------------------------------


def played() -> list[object]:
    world = World(policy(min_nodes=1))
    world.node("compute1")
    world.node("compute2", slurm="fail")
    world.begin(*jobs(3), *jobs(2, BIG, priority=3, name="big"))
    for _ in range(10):
        world.obey()
        world.cycle()
    return [*world.asked, *world.notes]


def test_the_same_history_gives_the_same_commands() -> None:
    assert repr(played()) == repr(played())


STRANGE: tuple[Any, ...] = (
    StepDone(Step(99)),
    StepFailed(Step(99), RemoteError(ErrorKind.GONE, "x")),
    StepDone(LookAtNode(1, "compute1")),
    Tick(),
    StopAsked(),
)


def test_answers_to_nothing_raise_nothing() -> None:
    """Rows E9 and N17."""
    fleet = Fleet(policy(), EPOCH)
    for event in STRANGE:
        assert isinstance(fleet.handle(event, EPOCH), list)


def test_an_answer_that_nobody_waits_for_is_a_line_at_debug() -> None:
    """Row E9."""
    world = World().begin()
    world.notes.clear()
    world.tell(StepDone(Step(99, logger="ComputeNodeShutdownActor.99.x")))
    assert [note.level for note in world.notes] == [10]


# ---- reload, safe mode, stop -----------------------------------------------------------------------------------------


def test_new_options_hold_from_now_on_and_what_is_under_way_goes_on() -> None:
    world = World(policy(max_nodes=2)).begin(*jobs(3))
    world.tell(PolicyChanged(policy(max_nodes=3, sections=(*SECTIONS, RARE), poll_stale_after=60.0)))
    world.obey(ListSizes)
    world.cycle(*jobs(3))
    assert len(world.prepared()) == 3
    assert world.fleet.view.policy.max_nodes == 3
    world.poll_queue()
    world.now += 61
    world.poll_queue()
    assert "lists are missing or too old" in world.fleet.view.blocked


def test_new_windows_hold_for_nodes_that_are_there() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node()
    world.begin()
    world.cycle(times=3)
    assert not world.drained()
    world.tell(PolicyChanged(policy(shutdown_windows=ALWAYS)))
    world.cycle()
    assert world.drained() == ["compute1"]


def test_in_safe_mode_lists_are_taken_in_and_nothing_begins_until_it_is_over() -> None:
    world = World()
    world.node(slurm="fail")
    world.tell(SafeMode(EPOCH + 5 * MINUTE))
    world.begin(*jobs(3))
    world.cycle(times=4)
    assert not world.steps
    seen = [world.fleet.view.safe_mode]
    assert "safe mode" in world.fleet.view.blocked
    assert world.state() is NodeState.FAIL
    world.now = world.fleet.next_wakeup() or 0
    world.tell(Tick())
    seen.append(world.fleet.view.safe_mode)
    assert seen == [True, False]
    assert world.polls_asked[-1] == frozenset(Poll)
    world.cycle(every=1)
    assert world.drained() == ["compute1"]
    assert world.prepared() == ["small"] * 3


def test_a_word_said_in_safe_mode_is_obeyed_when_it_is_over() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node()
    world.tell(SafeMode(EPOCH + 5 * MINUTE))
    world.begin()
    world.say("compute1", Directive.DRAIN)
    world.obey()
    assert not world.drained()
    world.wait(6 * MINUTE)
    world.cycle(every=1, times=2)
    assert world.drained() == ["compute1"]


def test_when_the_daemon_stops_nothing_is_begun_and_nobody_asks_to_be_woken() -> None:
    """Row D14."""
    world = World()
    world.node(slurm="fail")
    world.begin()
    world.tell(StopAsked())
    world.cycle(*jobs(3), times=3)
    assert not world.steps
    assert world.fleet.view.blocked == "the daemon stops"
    assert world.fleet.next_wakeup() is None
