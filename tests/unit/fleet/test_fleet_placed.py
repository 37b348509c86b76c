"""Slurm places jobs on names that are off: nodes come for exactly these names, as far as limits let them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from placed_world import DRAINED, LEAVES, MIX, PlacedWorld, begun, intent, places
from world import EPOCH

from arvnodeman.fleet.messages import CreateNode, FindNode, Poll, StopAsked, Tick
from arvnodeman.fleet.operations.name_steps import CloseNames, GiveBack, PowerUp
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.work import Power, WorkKind


def test_a_node_is_created_for_the_name_that_a_job_is_placed_on() -> None:
    """Row O3."""
    world = begun()
    world.place("1", "small-2")
    world.cycle()
    world.obey()
    assert world.booted() == ["small-2"]
    assert world.why_job("1") == "placed on small-2, whose node is on the way"


def test_idle_nodes_elsewhere_are_none_for_a_job_that_has_its_names() -> None:
    """Row O3."""
    world = PlacedWorld(places())
    world.machine("small-1")
    world.begin()
    world.place("1", "small-2")
    world.cycle()
    world.obey()
    assert world.booted() == ["small-2"]


def test_a_name_that_is_about_to_be_powered_up_is_booted_at_once() -> None:
    world = begun()
    world.place("1", "large-1", power=Power.WANTED)
    world.cycle()
    world.obey()
    assert world.booted() == ["large-1"]


def test_names_alone_begin_no_boot_before_a_queue_tells_of_the_job() -> None:
    """How many nodes it needs is not known."""
    world = begun()
    world.place("1", "small-1", "small-2")
    world.poll_cloud()
    world.now += 1
    world.poll_records()
    assert world.polls_asked[-1] == frozenset({Poll.QUEUE})
    assert world.booted() == []
    world.now += 1
    world.poll_queue()
    world.obey()
    assert world.booted() == ["small-1", "small-2"]


def test_a_name_with_a_job_that_the_queue_does_not_show_is_booted_all_the_same() -> None:
    world = begun()
    world.place("1", "small-1")
    world.jobs = []
    world.cycle()
    world.obey()
    assert world.booted() == ["small-1"]


def test_a_queue_that_is_read_after_the_names_begins_the_boots_at_once() -> None:
    world = begun()
    world.place("1", "small-1")
    world.now += 1
    world.poll_records()
    world.poll_queue()
    world.obey()
    assert world.booted() == ["small-1"]


def test_jobs_that_share_a_name_have_one_node() -> None:
    """Row O3."""
    world = begun()
    world.place("1", "small-1")
    world.place("2", "small-1")
    world.cycle()
    world.obey()
    assert world.booted() == ["small-1"]
    assert world.why_job("2") == "placed on small-1, whose node is on the way"


def test_a_job_that_waits_in_the_queue_asks_for_nothing() -> None:
    world = begun()
    world.jobs = [Job("1", JobShape(cores=4), reason="Resources")]
    world.cycle(times=3)
    world.obey()
    assert world.booted() == []


def test_what_is_booted_is_not_booted_twice() -> None:
    """Row O3."""
    world = begun()
    world.place("1", "small-1")
    world.cycle(times=3)
    world.obey()
    world.cycle(times=3)
    world.obey()
    assert world.booted() == ["small-1"]


def test_jobs_of_several_sizes_have_all_their_nodes() -> None:
    world = begun()
    world.place("1", "small-1", "large-1")
    world.cycle()
    world.obey()
    assert sorted(world.booted()) == ["large-1", "small-1"]


def test_a_node_that_the_scheduler_describes_itself_is_told_nothing_of_weights_and_features() -> None:
    world = begun()
    world.place("1", "small-1")
    world.cycle()
    world.obey()
    world.cycle()
    world.registers("small-1")
    world.cycle(times=2)
    kinds = {type(step).__name__ for step in world.asked}
    assert kinds.isdisjoint({"DescribeNode", "OfferFeatures", "DrainNode", "ResumeNode"})


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_what_max_nodes_forbids_is_given_back_and_the_job_is_let_go() -> None:
    """Row O18."""
    world = begun(max_nodes=1)
    world.place("1", "small-1")
    world.place("2", "small-2")
    world.cycle()
    assert world.given_back() == ["small-2"]
    world.settle()
    assert world.booted() == ["small-1"]
    assert world.held == set()
    assert "max_nodes of 1 reached" in world.why_job("2")


def test_all_names_of_a_job_are_given_back_or_none() -> None:
    """Row O18."""
    world = begun(max_nodes=3)
    world.place("1", "small-1")
    world.place("2", "large-1", "large-2", "large-3")
    world.cycle()
    assert world.given_back() == ["large-1", "large-2", "large-3"]
    world.settle()
    assert world.booted() == ["small-1"]


def test_a_job_of_two_sizes_gives_both_back() -> None:
    """Row O18."""
    world = begun(max_total_price=0.45)
    world.place("1", "small-1", "large-1")
    world.cycle()
    assert sorted(world.given_back()) == ["large-1", "small-1"]
    world.settle()
    assert world.booted() == []


def test_a_job_behind_one_that_a_limit_stops_is_served() -> None:
    """It does not wait here: it is given back. Row O18."""
    world = begun(max_total_price=0.35)
    world.settle()
    world.place("1", "large-1")
    world.place("2", "small-1")
    world.cycle()
    world.settle()
    assert world.given_back() == ["large-1"]
    assert world.booted() == ["small-1"]


def test_a_job_that_asks_for_more_than_max_nodes_is_given_back_and_never_cancelled() -> None:
    world = begun(max_nodes=2)
    for _ in range(5):
        world.place("1", "small-1", "small-2", "small-3")
        world.cycle()
        world.settle()
    assert "max_nodes" in world.why_job("1")
    assert not {"CancelJob", "ExplainJob"}.intersection(type(step).__name__ for step in world.asked)


def test_a_job_waits_whole_while_something_is_done_with_one_of_its_names() -> None:
    world = begun(max_total_price=0.3)
    assert world.told(CloseNames) == ["large-1", "large-2", "large-3"]
    world.place("1", "small-1", "large-1")
    world.cycle()
    assert world.booted() + world.given_back() == []
    world.settle()
    world.cycle()
    assert sorted(world.given_back()) == ["large-1", "small-1"]


@pytest.mark.parametrize("size", ["large", None])
def test_a_name_of_no_size_that_can_be_booted_is_given_back_and_closed_with_the_others(size: str | None) -> None:
    world = PlacedWorld(places())
    world.offers = world.offers[:1]
    for name in ("large-1", "large-2", "large-3"):
        world.records[name] = replace(world.records[name], size=size)
    world.place("1", "large-1")
    world.begin()
    world.settle()
    world.cycle()
    world.settle()
    assert world.booted() == []
    assert world.given_back() == ["large-1"]
    assert world.slurm is not None
    assert {world.slurm[f"large-{number}"].state.kind for number in (1, 2, 3)} == {WorkKind.DRAINED}
    assert "size" in world.why_job("1")


def test_no_node_of_a_size_has_come_up_yet_and_the_others_wait_where_they_are() -> None:
    """They are not given back: the first ones soon tell."""
    world = PlacedWorld(places(), names=7)
    world.begin()
    for number in range(1, 8):
        world.place(str(number), f"small-{number}")
    world.cycle()
    world.obey()
    assert world.booted() == [f"small-{number}" for number in range(1, 6)]
    assert world.given_back() == []
    assert "no node of small has come up yet" in world.why_job("7")
    world.cycle()
    world.registers("small-1")
    world.cycle()
    world.obey()
    assert len(world.booted()) == 7


def test_nothing_goes_out_while_the_gate_is_shut() -> None:
    """Row O22."""
    world = begun(max_nodes=1)
    world.tell(StopAsked())
    world.place("1", "small-1")
    world.place("2", "small-2")
    world.cycle(times=3)
    assert world.steps == []


def test_old_lists_shut_the_gate_for_give_backs_too() -> None:
    """Row O22."""
    world = begun(max_nodes=0)
    world.place("1", "small-1")
    world.now += 10_000
    world.poll_queue()
    world.poll_records()
    assert world.open(GiveBack) == []


# ---- what an earlier run left ----------------------------------------------------------------------------------------


def test_a_boot_that_an_earlier_run_began_goes_on_under_its_token_after_a_look() -> None:
    """Row O21."""
    world = PlacedWorld(places())
    world.place("1", "small-1")
    world.records["small-1"] = replace(world.records["small-1"], slot=1, intent=intent("small-1", "old", EPOCH - 5))
    world.begin()
    world.obey(*{type(step) for step in world.steps if not isinstance(step, FindNode)})
    assert world.one(FindNode).token == "old"
    assert world.booted() == []
    world.obey()
    (create,) = [step for step in world.asked if isinstance(step, CreateNode)]
    assert (create.token, create.record.uuid) == ("old", "small-1")


def test_the_node_of_an_earlier_run_is_taken_and_not_made_twice() -> None:
    """Row O21."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.STARTING, token="old")
    world.place("1", "small-1")
    world.records["small-1"] = replace(
        world.records["small-1"], instance_id=None, first_ping_at=None, intent=intent("small-1", "old")
    )
    world.begin()
    world.obey()
    world.cycle(times=2)
    world.obey()
    assert world.booted() == []
    assert world.given_back() == []


# ---- min_nodes -------------------------------------------------------------------------------------------------------


def test_min_nodes_powers_the_cheapest_name_up_and_boots_it() -> None:
    """Row O23."""
    world = begun(min_nodes=1)
    assert world.told(PowerUp) == ["small-1"]
    world.obey()
    world.cycle()
    world.obey()
    assert world.booted() == ["small-1"]
    world.cycle(times=3)
    world.obey()
    assert world.told(PowerUp) == ["small-1"]
    assert world.given_back() == []


def test_min_nodes_powers_no_other_name_up_before_a_list_shows_the_first() -> None:
    """Row O23."""
    world = begun(min_nodes=1)
    world.poll_queue()
    assert world.told(PowerUp) == ["small-1"]
    world.obey()
    world.poll_queue()
    assert world.told(PowerUp) == ["small-1"]
    world.word("small-1", Power.OFF)  # it was lost
    world.cycle()
    assert world.told(PowerUp) == ["small-1", "small-1"]


def test_a_name_whose_job_is_gone_serves_min_nodes_first() -> None:
    """Row O23."""
    world = PlacedWorld(places(min_nodes=1))
    world.word("large-2", Power.STARTING)
    world.begin()
    world.obey()
    assert world.booted() == ["large-2"]
    assert world.told(PowerUp) == []


@pytest.mark.parametrize("lists", [1, 2])
def test_a_name_that_waits_for_nobody_is_given_back_at_the_second_list(lists: int) -> None:
    """Row O5."""
    world = PlacedWorld(places())
    world.begin()
    world.word("small-1", Power.STARTING)
    world.cycle(times=lists)
    assert world.given_back() == ["small-1"] * (lists - 1)
    world.settle()
    assert world.slurm is not None
    assert world.slurm["small-1"].power is (Power.OFF if lists > 1 else Power.STARTING)


def test_a_name_that_leaves_is_neither_spare_nor_gone() -> None:
    """Row O10."""
    world = PlacedWorld(places())
    world.machine("small-1", Power.LEAVING, LEAVES)
    world.begin()
    world.cycle(times=5)
    world.obey()
    assert world.destroyed() == []
    assert world.why("small-1") == "it works: Slurm says mix!"


def test_a_job_whose_nodes_are_up_is_served_and_waits_for_slurm_alone() -> None:
    """Row O3. Slurm looks every 30 s whether the nodes of a job that is being configured are there."""
    world = begun()
    job = world.place("1", "small-1", "small-2")
    for name in job.names:
        world.machine(name, state=MIX)
    world.cycle()
    assert world.why_job("1") == (
        "placed on small-1, small-2, whose nodes are up: Slurm starts it at one of its looks, 30 s apart"
    )
    assert world.fleet.view.served == 1


UNREAD = "placed on small-1, small-2, as the queue says: the list of nodes does not say so, and is read again"


def test_a_job_that_was_placed_since_the_names_were_read_is_told_so() -> None:
    """Their next list may be late, or fail."""
    world = begun()
    world.place("1", "small-1", "small-2")
    world.now += 1
    world.polls_asked.clear()
    world.poll_queue()
    assert world.why_job("1") == UNREAD
    assert world.polls_asked == [{Poll.RECORDS}]
    world.tell(Tick())
    assert world.polls_asked == [{Poll.RECORDS}]  # once for a queue
    world.now += 1
    world.poll_queue()
    assert world.polls_asked == [{Poll.RECORDS}] * 2


def test_a_job_that_the_names_do_not_show_any_more_is_told_so() -> None:
    """The queue is older: the next one tells what has become of it."""
    world = begun()
    world.place("1", "small-1", "small-2")
    world.poll_queue()
    for name in ("small-1", "small-2"):
        world.word(name, Power.OFF)
    world.now += 1
    world.poll_records()
    assert world.why_job("1") == UNREAD


def test_a_job_on_a_name_that_somebody_has_shut_is_told_what_slurm_says() -> None:
    world = begun()
    world.place("1", "small-2")
    world.word("small-2", Power.OFF, DRAINED, reason="disk")
    world.cycle()
    assert world.why_job("1") == "placed on small-2: Slurm says drain~ of small-2 (disk)"


def test_a_job_on_a_name_that_slurm_does_not_show_is_told_so() -> None:
    world = begun()
    job = world.place("1", "elsewhere-1")
    assert world.slurm is not None
    del world.slurm["elsewhere-1"]
    world.cycle(job)
    assert world.why_job("1") == "Slurm does not show its name elsewhere-1: nothing is done about it"
