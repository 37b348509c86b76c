"""Why jobs wait, said on the jobs: when, on which, until when, and when it is taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from placed_world import PlacedWorld, places
from world import BIG, EPOCH, MINUTE, ONE, World, jobs, policy

from arvnodeman.fleet.messages import CreateNode, ExplainJob, Note, PolicyChanged, SafeMode, StopAsked
from arvnodeman.fleet.operations.job_steps import CommentJobs
from arvnodeman.fleet.values import reasons
from arvnodeman.fleet.values.job_comments import JobsCommented, Line, line_of, number_of
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape
from arvnodeman.fleet.values.obstacles import LimitReached, NoLicence, NoSuchName, NotInside, Reserved
from arvnodeman.fleet.values.reasons import Reason
from arvnodeman.fleet.values.reasons_of_placing import Comes, Returned, StaysPlaced
from arvnodeman.fleet.values.reasons_of_use import InVain, ProbeFirst

FULL = "small: max_nodes of 1 reached, waits for others to end"


def world(*waiting: Job, **options: Any) -> World:
    """One node may be there, and it works; so what waits, waits."""
    made = World(policy(**{"max_nodes": 1, "explain_after": 60.0, **options}))
    made.node(slurm="alloc")
    return made.begin(*waiting)


def said(step: CommentJobs) -> dict[str, tuple[str, ...]]:
    return {comment.line.text: comment.jobs for comment in step.comments}


def rounds(made: World) -> list[CommentJobs]:
    return [step for step in made.asked if isinstance(step, CommentJobs)]


def settled(made: World) -> list[CommentJobs]:
    """A minute goes by; the rounds since."""
    before = len(rounds(made))
    made.cycle(every=MINUTE)
    made.obey(CommentJobs)
    return rounds(made)[before:]


def test_a_job_that_waits_longer_is_told_why_and_a_younger_one_is_let_be() -> None:
    old, young = jobs(1), jobs(1, name="young")
    made = world(*old)
    assert rounds(made) == []
    made.jobs = (*old, *young)
    (step,) = settled(made)
    assert (said(step), step.spared) == ({FULL: (old[0].id,)}, (young[0].id,))
    (step,) = settled(made)
    assert (said(step), step.spared) == ({FULL: (old[0].id, young[0].id)}, ())


def test_the_same_is_said_once() -> None:
    made = world(*jobs(3))
    assert len(settled(made)) == 1
    for _ in range(10):
        assert settled(made) == []


def test_jobs_with_one_reason_have_one_line_however_many_they_are() -> None:
    made = world(*jobs(2000), *jobs(500, BIG, name="big"))
    (step,) = settled(made)
    assert len(step.comments) == 2
    assert sum(len(comment.jobs) for comment in step.comments) == 2500


def test_when_a_job_begins_its_line_is_taken_away() -> None:
    first, second = jobs(2)
    made = world(first, second)
    settled(made)
    made.jobs = [second]
    (step,) = settled(made)
    assert said(step) == {FULL: (second.id,)}
    assert first.id not in step.spared
    made.jobs = []
    (step,) = settled(made)
    assert (step.comments, step.spared) == ((), ())
    assert settled(made) == []


def test_there_is_one_round_a_minute_however_often_the_queue_comes() -> None:
    made = world(*jobs(2))
    for number in range(60):
        made.obey(CommentJobs)
        made.cycle(*jobs(2 + number), every=10.0)
    assert 9 <= len(rounds(made)) <= 11


def test_there_is_one_round_at_a_time() -> None:
    made = world(*jobs(2))
    made.cycle(every=MINUTE, times=5)
    assert len(rounds(made)) == 1


@pytest.mark.parametrize("options", [{"explain_after": 0.0}, {"slurm": False}])
def test_where_it_is_off_nothing_is_said(options: dict[str, Any]) -> None:
    made = world(*jobs(2), **options)
    for _ in range(5):
        settled(made)
    assert rounds(made) == []


def test_when_it_is_turned_off_what_was_said_is_taken_away_and_then_there_is_peace() -> None:
    made = world(*jobs(2))
    settled(made)
    made.tell(PolicyChanged(replace(made.policy, explain_after=0.0)))
    (step,) = settled(made)
    assert (step.comments, step.spared) == ((), ())
    assert settled(made) == []


def test_in_safe_mode_and_while_the_daemon_stops_nothing_is_said() -> None:
    for event in (SafeMode(EPOCH + 1e6), StopAsked()):
        made = world(*jobs(2))
        made.obey(CommentJobs)
        made.tell(event)
        for _ in range(5):
            assert settled(made) == []


def test_while_nothing_is_decided_jobs_are_told_so() -> None:
    made = World(policy(explain_after=60.0))
    made.sizes()
    made.poll_records()
    for _ in range(3):
        made.now += MINUTE
        made.poll_records()
        made.poll_queue(*jobs(1))
        made.obey(CommentJobs)
    assert said(rounds(made)[-1]) == {"lists are missing or too old: cloud": (jobs(1)[0].id,)}


def test_a_job_for_which_a_node_comes_is_told_nothing() -> None:
    made = World(policy(explain_after=60.0)).begin(*jobs(2))
    for _ in range(5):
        made.obey(CommentJobs)
        made.cycle(every=MINUTE)
    assert [step.comments for step in rounds(made)] == [()]


def test_a_time_stands_until_it_is_over() -> None:
    """Each rest moves the moment of the next try: the line is written anew when the old moment has passed."""
    made = World(policy(explain_after=60.0, boot_attempts=1)).begin(*jobs(1, BIG))
    lines: list[Line] = []
    for _ in range(240):
        made.obey(CommentJobs)
        for step in made.open(CreateNode):
            made.fail(step, ErrorKind.CAPACITY)
        for other in [step for step in made.steps if not isinstance(step, CreateNode)]:
            made.obey(type(other))
        for step in made.open(CreateNode):
            made.fail(step, ErrorKind.CAPACITY)
        made.cycle(every=MINUTE)
        lines += [comment.line for step in rounds(made)[len(lines) :] for comment in step.comments]
    texts = {line.text for line in lines}
    assert texts == {"large: the cloud has no capacity for it"}
    untils = [line.until for line in lines if line.until is not None]
    assert untils == sorted(untils)
    assert len(untils) < 40  # of 240 minutes


def test_a_refusal_is_told_once_and_tried_again_after_an_hour() -> None:
    made = world(*jobs(1))
    for _ in range(70):
        for step in made.open(CommentJobs):
            made.fail(step, ErrorKind.REFUSED, "scontrol: Access/permission denied (this account must be ...)")
        made.cycle(every=MINUTE)
    told = [note for note in made.notes if isinstance(note, Note) and "write on jobs" in note.text and note.level > 10]
    assert len(told) == 1
    assert len(rounds(made)) == 2


def test_a_round_that_failed_or_was_too_long_is_done_again() -> None:
    made = world(*jobs(1))
    made.cycle(every=MINUTE)
    made.fail(made.one(CommentJobs))
    made.cycle(every=MINUTE)
    step = made.one(CommentJobs)
    made.done(step, JobsCommented(5000, 100))
    (again,) = settled(made)
    assert said(again) == said(step)
    assert settled(made) == []


def test_a_new_run_takes_away_what_an_earlier_one_has_said_but_not_from_jobs_that_wait() -> None:
    made = world(*jobs(3))
    settled(made)
    made.restart()
    made.jobs = []
    made.begin()
    made.jobs = jobs(2)
    (step,) = settled(made)
    assert (step.comments, step.spared) == ((), tuple(job.id for job in jobs(2)))


def test_tasks_of_an_array_are_one_and_when_one_begins_its_line_is_taken_away() -> None:
    tasks = [Job(f"17_{number}", ONE) for number in range(2, 9)]
    made = world(*tasks)
    (step,) = settled(made)
    assert said(step) == {FULL: ("17",)}
    made.jobs = tasks[1:]
    (step,) = settled(made)
    assert said(step) == {FULL: ("17",)}
    assert settled(made) == []


def test_why_a_job_will_never_run_is_said_in_the_words_that_are_written_on_it() -> None:
    never = jobs(1, JobShape(cores=64))
    made = world(*never, *jobs(9), cancel_unsatisfiable=False, explain_unsatisfiable=True)
    for _ in range(5):
        made.obey()
        made.cycle(every=MINUTE)
    (explained,) = [step for step in made.asked if isinstance(step, ExplainJob)]
    assert said(rounds(made)[-1])[explained.reason] == (never[0].id,)


@pytest.mark.parametrize(
    ("job", "number"), [("17", "17"), ("17_3", "17"), ("17+1", "17+1"), ("a_3", "a_3"), ("17_a", "17_a"), ("", "")]
)
def test_a_job_is_named_by_its_number_and_a_task_by_that_of_its_array(job: str, number: str) -> None:
    assert number_of(job) == number


QUOTA = reasons.AtQuota(until=90.0, wanted=2, size="m5.large", nodes=8, quota=8)
TEXTS: list[tuple[Reason, str]] = [
    (QUOTA, "m5.large: cloud quota of 8 reached"),
    (replace(QUOTA, of="slot quota (MaxComputeVMs)"), "m5.large: slot quota (MaxComputeVMs) of 8 reached"),
    (
        reasons.AtMaxNodes(wanted=2, size="m", nodes=8, max_nodes=8),
        "m: max_nodes of 8 reached, waits for others to end",
    ),
    (
        reasons.AtPriceCap(wanted=1, size="m", price=0.1, total=7.95, cap=8),
        "m: max_total_price of 8 reached, waits for others to end",
    ),
    (reasons.BackingOff(until=90.0, size="m", why="no capacity", detail="zone a, request 77"), "m: no capacity"),
    (
        reasons.BackingOff(size="m", why="no capacity", too_dear="x"),
        "m: no capacity; x would fit, but max_price_factor forbids it",
    ),
    (reasons.Unproven(size="m", pending=5), "m: waits for the first node, none has come up yet"),
    (reasons.Unproven(size="m", pending=1, probe=True), "m: waits for a node that is tried first after its rest"),
    (reasons.Behind(limit=QUOTA), "behind a job that waits: m5.large: cloud quota of 8 reached"),
    (reasons.Behind(), "behind a job that waits"),
    (reasons.Unsatisfiable(text="too big"), "too big"),
    (reasons.Plain(text="lists are old"), "lists are old"),
    (Returned(names=("s-1",), cause=QUOTA), "m5.large: cloud quota of 8 reached"),
    (Returned(names=("s-1",)), "no node comes for it now"),
    (
        StaysPlaced(names=("s-1",), cause=QUOTA),
        "no node comes for it now, and giving it back would end it: m5.large: cloud quota of 8 reached",
    ),
    (StaysPlaced(names=("s-1",)), "no node comes for it now"),
    (
        InVain(until=90.0, said="Licenses", node="c1", idle=180.0),
        "c1 stood idle for a job like it and Slurm did not use it: Slurm said Licenses",
    ),
    (ProbeFirst(), "nodes for one job like it are there or on their way, to see whether Slurm uses them"),
    (Reserved(until=90.0, reservation="w"), "every name that could be booted is in the reservation 'w'"),
    (
        NotInside(reservation="w"),
        "it asks for the reservation 'w', and no name in that is free to be booted",
    ),
    (NoSuchName(needs="rack1"), "it asks for rack1, and no such name is free to be booted"),
    (NoLicence(licence="solver", free=2), "no licence of solver is free for it"),
    (LimitReached(of="QOS q", rule="GrpTRES cpu", limit=4, used=3, wanted=2), "QOS q: GrpTRES cpu=4 reached"),
    (
        LimitReached(of="QOS q", rule="MaxTRES cpu", limit=4, wanted=9, shared=False),
        "QOS q: MaxTRES cpu=4 forbids it, it needs 9",
    ),
]


@pytest.mark.parametrize(("cause", "text"), TEXTS, ids=lambda each: type(each).__name__)
def test_a_line_has_no_span_and_no_figure_that_changes_with_every_node(cause: Reason, text: str) -> None:
    assert line_of(cause).text == text


@pytest.mark.parametrize("cause", [QUOTA, reasons.Behind(limit=QUOTA), Returned(cause=QUOTA), StaysPlaced(cause=QUOTA)])
def test_a_line_has_the_moment_of_its_reason(cause: Reason) -> None:
    assert line_of(cause).until == 90.0


# ---- where Slurm places jobs -----------------------------------------------------------------------------------------


def refused_world() -> PlacedWorld:
    made = PlacedWorld(places(boot_attempts=1, explain_after=10.0, size_retry_after=300.0)).begin()
    made.place("1", "small-1")
    made.cycle()
    made.obey_up_to(CreateNode)
    made.refuse()
    made.settle()
    return made


def test_a_job_that_was_given_back_is_told_why_and_so_is_one_that_waits_for_the_closed_size() -> None:
    made = refused_world()
    assert isinstance(made.fleet.view.placed["1"], Returned)
    waits = Job("2", JobShape(size="small"))
    made.jobs = [*made.jobs, waits]
    for _ in range(4):
        made.cycle(every=15.0)
        made.settle()
    assert said(rounds(made)[-1]) == {"small: the cloud has no capacity for it": ("1", "2")}


def test_a_job_whose_node_comes_is_told_nothing() -> None:
    made = PlacedWorld(places(explain_after=60.0)).begin()
    made.place("1", "small-1")
    made.cycle()
    assert isinstance(made.fleet.view.placed["1"], Comes)
    made.cycle(every=MINUTE, times=3)
    assert not any(step.comments for step in rounds(made))
