"""The cloud refuses a node for a name that jobs are placed on: they go back to the queue, and their size is closed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from placed_world import PlacedWorld, begun, places
from world import MINUTE

from arvnodeman.fleet.messages import CreateNode, Poll, PrepareRecord, ReleaseRecord, StepDone
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, OpenNames, ReleaseJobs
from arvnodeman.fleet.values.model import ErrorKind
from arvnodeman.fleet.values.placed import GivenBack, JobsReleased, NamesOpened, PlacedJob
from arvnodeman.fleet.values.work import OUR_CLOSING, OUR_RETURN, Power, WorkKind


@pytest.mark.parametrize("kind", [ErrorKind.CAPACITY, ErrorKind.REFUSED, ErrorKind.UNEXPECTED, ErrorKind.QUOTA])
def test_a_refusal_gives_the_job_back_and_closes_the_size_before_the_job_is_let_go(kind: ErrorKind) -> None:
    """Row O19."""
    world = PlacedWorld(places(boot_attempts=1)).begin()
    world.place("1", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    asked = len(world.asked)
    at = world.now
    world.refuse(kind)
    world.settle()
    names = [type(step).__name__ for step in world.asked[asked:]]
    assert names.index("GiveBack") < names.index("ReleaseJobs")
    assert names.index("CloseNames") < names.index("ReleaseJobs")
    assert world.held == set()
    assert world.slurm is not None
    assert {world.slurm[f"small-{number}"].state.kind for number in (1, 2, 3)} == {WorkKind.DRAINED}
    assert world.slurm["large-1"].state.kind is WorkKind.OFF
    assert world.now - at < 3.0


def test_what_is_refused_within_a_moment_goes_back_by_one_command() -> None:
    """Row O19."""
    world = begun()
    for number in (1, 2, 3):
        world.place(str(number), f"small-{number}")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse()
    world.settle()
    (give,) = [step for step in world.asked if isinstance(step, GiveBack)]
    assert sorted(give.hostnames) == ["small-1", "small-2", "small-3"]
    assert world.held == set()


def test_a_name_that_is_wanted_no_more_is_left_until_a_newer_list_and_its_size_does_not_rest() -> None:
    world = begun()
    world.place("1", "small-1")
    world.cycle()
    world.fail(world.one(PrepareRecord), ErrorKind.SLOTS, "not wanted")
    assert frozenset({Poll.RECORDS}) in world.polls_asked
    world.wait(30)
    assert world.open(PrepareRecord) == []
    assert world.fleet.view.backing_off == {}
    world.cycle()
    assert world.one(PrepareRecord).reuse == "small-1"
    assert world.given_back() == []


def test_a_job_that_was_given_back_is_remembered_while_the_queue_does_not_show_it_for_a_moment() -> None:
    world = begun(max_nodes=2)
    world.place("1", "small-1", "small-2", "small-3")
    world.cycle()
    world.settle()
    world.jobs = []
    world.cycle(every=30.0)
    assert "max_nodes" in world.why_job("1")
    world.cycle(every=400.0)
    assert "1" not in world.fleet.view.placed


def test_the_reasons_say_whose_they_are_and_why() -> None:
    """Row O19."""
    world = begun()
    world.place("1", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse(text="Insufficient capacity")
    world.settle()
    (give,) = [step for step in world.asked if isinstance(step, GiveBack)]
    close = next(step for step in world.asked if isinstance(step, CloseNames))
    assert give.reason.startswith(OUR_RETURN)
    assert close.reason.startswith(OUR_CLOSING)
    assert "Insufficient capacity" in give.reason
    assert "Insufficient capacity" in close.reason
    assert close.resume_after == pytest.approx(60.0 + 3600.0, abs=1)
    assert "Insufficient capacity" in world.why_job("1")
    assert "no node came for small-1" in world.why_job("1")


def test_a_closed_size_is_opened_when_its_rest_is_over() -> None:
    """Row O12."""
    world = begun()
    world.place("1", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse()
    world.settle()
    world.jobs = []
    world.cycle(every=2 * MINUTE)
    world.settle()
    world.cycle()
    assert world.slurm is not None
    assert {world.slurm[f"small-{number}"].state.kind for number in (1, 2, 3)} == {WorkKind.OFF}


def test_a_job_placed_on_a_size_that_rests_is_given_back_without_asking_the_cloud() -> None:
    """Row O19."""
    world = begun()
    world.place("1", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse()
    world.settle()
    world.place("2", "small-2")
    world.cycle(every=5.0)
    world.settle()
    assert world.booted() == ["small-1"]
    assert world.given_back() == ["small-1", "small-2"]


def test_each_is_given_back_once_though_the_lists_are_slow() -> None:
    world = begun()
    world.place("1", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse()
    stale = dict(world.slurm or {})
    world.settle()
    world.now += 0.2
    world.slurm, now = stale, world.slurm
    world.now -= 3.0  # the list was asked for before that
    world.poll_records()
    world.poll_queue()
    world.slurm = now
    assert world.given_back() == ["small-1"]


def test_names_are_opened_again_and_again_until_they_are() -> None:
    world = begun()
    for name in ("small-1", "small-2", "small-3"):
        world.word(name, Power.STARTING)  # for nobody
    world.cycle(times=2)
    world.obey(GiveBack)
    for _ in range(3):
        world.done(world.one(OpenNames), NamesOpened(("small-2",)))
        assert world.open(OpenNames) == []
        world.wait(0.4)
    assert world.one(OpenNames).hostnames == ("small-1", "small-3")


def test_jobs_are_released_again_until_they_are_in_the_queue() -> None:
    """Row O19."""
    world = begun(max_nodes=0)
    world.settle()
    world.place("1", "small-1")
    world.cycle()
    step = world.one(GiveBack)
    job = PlacedJob("1", requeue_off=True)
    world.done(step, GivenBack({"small-1": (job,)}))
    world.obey(CloseNames, OpenNames)
    for _ in range(3):
        release = world.one(ReleaseJobs)
        assert release.jobs == (job,)
        world.done(release, JobsReleased((job,)))
        assert world.open(ReleaseJobs) == []
        world.wait(0.4)
    world.done(world.one(ReleaseJobs), JobsReleased())
    world.wait(5)
    assert world.open(ReleaseJobs) == []


def test_a_job_is_released_when_all_its_names_are_down() -> None:
    """It lies on names of two sizes, which go down by two commands. Row O19."""
    world = begun(max_nodes=0)
    world.settle()
    world.place("1", "small-1", "large-1")
    world.cycle()
    first, second = world.open(GiveBack)
    job = PlacedJob("1", requeue_off=True)
    world.done(first, GivenBack({first.hostnames[0]: (job,)}))
    world.obey(CloseNames, OpenNames)
    assert world.open(ReleaseJobs) == []
    world.done(second, GivenBack({}))
    assert world.one(ReleaseJobs).jobs == (job,)


@pytest.mark.parametrize("how", ["refused", "fails"])
def test_a_job_is_released_though_the_other_command_comes_to_nothing(how: str) -> None:
    world = begun(max_nodes=0)
    world.settle()
    world.place("1", "small-1", "large-1")
    world.cycle()
    first, second = world.open(GiveBack)
    world.done(first, GivenBack({first.hostnames[0]: (PlacedJob("1"),)}))
    world.fail(second, ErrorKind.REFUSED if how == "refused" else ErrorKind.GONE, "no")
    assert world.one(ReleaseJobs).jobs == (PlacedJob("1"),)


def test_no_name_is_given_back_while_a_job_placed_there_is_released() -> None:
    """The job of an earlier run was placed anew before it was let go. Row O21."""
    world = PlacedWorld(places(max_nodes=0))
    world.returned = [PlacedJob("7", requeue_off=True)]
    world.begin()
    release = world.one(ReleaseJobs)
    world.obey(CloseNames)
    world.returned = []
    world.place("7", "small-1")
    world.place("8", "small-2")
    world.cycle()
    assert world.given_back() == ["small-2"]
    world.done(release, JobsReleased())
    world.wait(1)
    assert world.given_back() == ["small-2", "small-1"]


def test_jobs_that_an_earlier_run_has_given_back_are_released() -> None:
    """Row O21."""
    world = PlacedWorld(places())
    job = PlacedJob("7", requeue_off=True)
    world.returned = [job]
    world.begin()
    assert [step.jobs for step in world.asked if isinstance(step, ReleaseJobs)] == [(job,)]


def test_a_job_whose_user_waits_keeps_its_name_and_the_create_is_tried_again() -> None:
    """Row O20."""
    world = begun()
    world.interactive = {"1"}
    world.place("1", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse(text="no capacity")
    world.settle()
    assert world.given_back() == ["small-1"]
    assert world.held == set()
    world.cycle(every=10.0, times=3)
    world.settle()
    assert world.given_back() == ["small-1"]  # asked once
    assert "giving it back would end it" in world.why_job("1")
    world.cycle(every=MINUTE, times=2)
    world.settle()
    assert world.booted() == ["small-1", "small-1"]
    assert world.why_job("1") == "placed on small-1, whose node is on the way"


def test_a_job_that_shares_the_name_of_one_whose_user_waits_is_told_the_same() -> None:
    """Row O20."""
    world = begun()
    world.interactive = {"1"}
    world.place("1", "small-1")
    world.place("2", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse(text="no capacity")
    world.settle()
    world.cycle(every=10.0, times=3)
    world.settle()
    assert "giving it back would end it" in world.why_job("1")
    assert world.why_job("2") == world.why_job("1")
    world.cycle(every=MINUTE, times=2)
    world.settle()
    assert world.why_job("2") == "placed on small-1, whose node is on the way"


def test_of_a_job_of_several_nodes_the_whole_job_goes_back_and_the_other_node_waits_for_it() -> None:
    """Row O19."""
    world = begun()
    world.place("1", "small-1", "small-2")
    world.cycle()
    world.obey_up_to(CreateNode)
    first, second = world.open(CreateNode)
    world.done(first, world._carry_out(first))
    world.fail(second, ErrorKind.CAPACITY, "no capacity")
    world.word("small-1", Power.STARTING)  # Slurm has taken the job from it
    world.settle()
    assert world.given_back() == ["small-2"]
    world.cycle(times=3)
    world.settle()
    assert world.given_back() == ["small-2"]  # a node comes there
    assert world.destroyed() == []


def test_a_give_back_that_fails_is_tried_again_and_then_left_to_the_lists() -> None:
    world = PlacedWorld(places(boot_attempts=2, max_nodes=0)).begin()
    world.settle()
    world.place("1", "small-1")
    world.cycle()
    world.fail(world.one(GiveBack))
    world.wait(5)
    world.fail(world.one(GiveBack))
    world.wait(5)
    assert world.open(GiveBack) == []
    world.cycle()
    assert len(world.open(GiveBack)) == 1


def test_an_answer_to_a_give_back_that_nobody_waits_for_does_nothing() -> None:
    world = begun(max_nodes=0)
    world.settle()
    world.place("1", "small-1")
    world.cycle()
    step = world.one(GiveBack)
    world.done(step, GivenBack())
    before = len(world.asked)
    world.tell(StepDone(step, GivenBack()))
    assert len(world.asked) == before


def test_a_name_that_was_settled_by_itself_is_given_back_with_the_next_job_placed_there() -> None:
    """The job was put back with another of its names before: that says nothing of the one that has the name next."""
    world = begun(max_nodes=0)
    world.settle()
    world.place("1", "small-1")
    world.cycle()
    world.done(world.one(GiveBack), GivenBack({}, settled=("small-1",)))
    world.obey(CloseNames)
    world.jobs = []
    world.place("2", "small-1")
    world.now += 1
    world.cycle()
    assert [step.hostnames for step in world.open(GiveBack)] == [("small-1",)]


def test_a_name_that_is_off_by_itself_is_closed_with_its_size_all_the_same() -> None:
    """It was on its way to be powered up when its size was closed, and was not closed with the others."""
    world = begun(max_nodes=0)
    world.settle()
    world.place("1", "small-1")
    world.cycle()
    world.jobs = []
    world.word("small-1", Power.OFF)
    world.done(world.one(GiveBack), GivenBack({}, settled=("small-1",)))
    assert ("small-1",) in [step.hostnames for step in world.open(CloseNames)]


def test_a_job_goes_back_with_all_its_names_also_while_a_refused_boot_ends() -> None:
    """One name that is not given back would be powered up yet, and Slurm prefers it for the next time."""
    world = PlacedWorld(places(boot_attempts=1)).begin()
    world.place("0", "small-1")
    world.cycle()
    world.obey_up_to(CreateNode)
    world.refuse(ErrorKind.CAPACITY)
    assert len(world.open(ReleaseRecord)) == 1
    world.jobs = []
    world.place("1", "small-1", "small-2")
    world.records["small-1"] = replace(world.records["small-1"], slot=None)  # the list was read before it was marked
    world.now += 1
    world.poll_records()
    world.poll_queue()
    assert world.open(GiveBack) == []
    world.obey(ReleaseRecord)
    world.wait(1)
    assert [step.hostnames for step in world.open(GiveBack)] == [("small-1", "small-2")]


# ---- how many names are open -----------------------------------------------------------------------------------------


def test_at_max_nodes_all_names_are_closed_and_opened_when_there_is_room() -> None:
    """Row O18."""
    world = PlacedWorld(places(max_nodes=1))
    world.machine("small-1")
    world.begin()
    world.settle()
    assert sorted(world.told(CloseNames)) == ["large-1", "large-2", "large-3", "small-2", "small-3"]
    del world.cloud["i-small-1"]
    world.records["small-1"] = world.records["small-2"]
    world.word("small-1", Power.OFF)
    for _ in range(4):
        world.cycle()
        world.settle()
    assert world.slurm is not None
    assert {work.state.kind for name, work in world.slurm.items() if name != "small-1"} == {WorkKind.OFF}


def test_where_a_limit_sent_a_job_of_several_nodes_back_as_many_names_stay_open_as_may_have_nodes() -> None:
    """Else it would be placed and sent back for ever; and one-node jobs have the room that there is. Row O18."""
    world = begun(max_nodes=2)
    world.place("1", "small-1", "small-2", "small-3")
    world.cycle()
    world.settle()
    world.cycle()
    world.settle()
    assert world.slurm is not None
    powers = [world.slurm[f"small-{number}"].power for number in (1, 2, 3)]
    assert powers.count(Power.OFF) == 2
    world.jobs = []
    world.cycle(every=400.0)
    world.settle()
    world.cycle()
    world.settle()
    assert {world.slurm[f"small-{number}"].state.kind for number in (1, 2, 3)} == {WorkKind.OFF}


def test_an_idle_node_makes_room_for_a_job_that_a_limit_sent_back() -> None:
    """Row O18."""
    world = PlacedWorld(places(max_nodes=1, shutdown_windows=(1e9, 1.0)))
    world.machine("small-1")
    world.begin()
    world.settle()
    world.cycle(times=3)
    assert world.drained() == []
    world.place("1", "large-1")
    world.cycle()
    world.settle()
    world.cycle()
    world.settle()
    assert world.drained() == ["small-1"]
    assert world.destroyed() == ["i-small-1"]


def test_a_job_that_is_placed_while_its_name_is_given_back_is_told_so() -> None:
    world = PlacedWorld(places(max_nodes=0)).begin()
    world.settle()
    world.place("1", "small-1")
    world.cycle()
    assert world.open(GiveBack)
    world.place("2", "small-1")
    world.cycle()
    words = "placed on small-1: given back now, or an earlier node has to go first"
    assert world.why_job("2") == words
