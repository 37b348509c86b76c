"""What every scheduler must do: each function is a test that is given a stage. See arvnodeman/scheduler/base.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from arvnodeman.fleet.values.job_comments import JobComment, Line
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, SchedulerFailure
from arvnodeman.fleet.values.work import FREE, OUR_SHUTDOWN, NodeWork, WaitKind, WorkKind, reason_for
from arvnodeman.money.runs import JobRun
from arvnodeman.scheduler.base import Scheduler
from conformance.stage import OFF, UNKNOWN, UP, Stage

ONE, TWO, THREE = UP
NAMES = (*UP, OFF)
NO_NAMES = ("", "ALL", "compute[1-3]", "compute1,compute2", "compute1 State=DOWN", "-w", "compute1\n")
REASON = reason_for(OUR_SHUTDOWN, "i-1")
Test = Callable[[Stage], None]


def failure(act: Callable[[], object]) -> RemoteError:
    """The error that it raises: one line."""
    with pytest.raises(SchedulerFailure) as caught:
        act()
    assert caught.value.error.text
    assert "\n" not in caught.value.error.text
    return caught.value.error


def node(scheduler: Scheduler, name: str) -> NodeWork:
    """One node, which is known."""
    found = scheduler.node(name)
    assert found is not None
    assert found.name == name
    return found


def until_kind(stage: Stage, name: str, *kinds: WorkKind) -> NodeWork:
    """Wait until a node is of one of these kinds, and answers."""
    scheduler = stage.scheduler()

    def found() -> bool:
        seen = node(scheduler, name)
        return seen.state.kind in kinds and (seen.responding or seen.state.kind is WorkKind.DOWN)

    stage.until(found, f"{name} to be {' or '.join(kinds)}")
    return node(scheduler, name)


def begin(stage: Stage, name: str, size: str = "a") -> str:
    """A job that runs on this node; its id."""
    scheduler = stage.scheduler()
    scheduler.describe(name, size, 1)
    job = stage.submit(size)
    until_kind(stage, name, WorkKind.WORKING)
    return job


def waiting(scheduler: Scheduler) -> list[str]:
    """The ids of the jobs that wait for nodes."""
    return [job.id for job in scheduler.queue().jobs]


def kinds(nodes: Iterable[NodeWork | None]) -> list[WorkKind | None]:
    """What nodes do."""
    return [each.state.kind if each is not None else None for each in nodes]


# ---- nodes -----------------------------------------------------------------------------------------------------------


def making_one_asks_nothing(stage: Stage) -> None:
    """Row A9: a scheduler that is away when the daemon starts is a failed poll, not a failed start."""
    stage.silence()
    scheduler = stage.scheduler()
    stage.speak()
    assert scheduler.nodes()


def lists_every_node(stage: Stage) -> None:
    """Also those that were never up."""
    scheduler = stage.scheduler()
    nodes = scheduler.nodes()
    assert set(NAMES) <= set(nodes)
    assert all(each.name == name for name, each in nodes.items())
    assert set(nodes) - set(NAMES) <= scheduler.never_ours


def a_node_that_is_up_is_free(stage: Stage) -> None:
    """And one that was never up is not; its kind says so, whatever the scheduler calls it."""
    nodes = stage.scheduler().nodes()
    assert kinds(nodes[name] for name in UP) == [FREE] * len(UP)
    assert all(nodes[name].responding and nodes[name].reason == "" for name in UP)
    assert nodes[OFF].state.kind in (WorkKind.UNHEARD, WorkKind.DOWN)


def its_own_word_goes_with_each_state(stage: Stage) -> None:
    """For people: one word, and one object for all nodes of which it is said."""
    nodes = stage.scheduler().nodes()
    states = [nodes[name].state for name in NAMES]
    assert all(state.said and " " not in state.said for state in states)
    assert states[0] is states[1] is states[2]


def one_node_alone_is_as_in_the_list(stage: Stage) -> None:
    """And the same again of several at one time. The scheduler itself may change a node between two questions."""
    scheduler = stage.scheduler()

    def alike() -> bool:
        listed = scheduler.nodes()
        alone = {name: scheduler.node(name) for name in NAMES}
        several = scheduler.observe_all(dict.fromkeys(NAMES, False))
        return [(alone[name], several[name]) for name in NAMES] == [
            (listed[name], (listed[name], None)) for name in NAMES
        ]

    stage.until(alike, "each node alone to be as in the list")


def a_node_with_a_job_is_working(stage: Stage) -> None:
    """The first promise stands on this."""
    scheduler = stage.scheduler()
    begin(stage, ONE)
    assert node(scheduler, ONE).state.busy
    assert scheduler.nodes()[ONE].state.busy
    assert (scheduler.jobs_on(ONE), scheduler.jobs_on(TWO)) == (1, 0)


def what_is_asked_now_is_newer_than_the_last_list(stage: Stage) -> None:
    """A node may be destroyed for what it says: neither an old list nor an old question may answer in its place."""
    scheduler = stage.scheduler()
    scheduler.nodes()
    assert node(scheduler, ONE).state.kind is FREE
    job = begin(stage, ONE)
    assert node(scheduler, ONE).state.busy
    scheduler.nodes()
    scheduler.cancel(job)
    until_kind(stage, ONE, FREE)
    assert node(scheduler, ONE).state.kind is FREE


def jobs_are_counted_where_they_are_asked_for(stage: Stage) -> None:
    """Of several nodes at one time."""
    begin(stage, ONE)
    seen = stage.scheduler().observe_all({ONE: True, TWO: True, THREE: False, UNKNOWN: True})
    assert {name: each[1] for name, each in seen.items() if isinstance(each, tuple)} == {
        ONE: 1,
        TWO: 0,
        THREE: None,
        UNKNOWN: None,
    }


def a_name_that_it_does_not_know_is_none(stage: Stage) -> None:
    """Said in so many words, and of that name alone."""
    scheduler = stage.scheduler()
    assert scheduler.node(UNKNOWN) is None
    assert UNKNOWN not in scheduler.nodes()
    seen = scheduler.observe_all({ONE: False, UNKNOWN: False})
    assert (seen[UNKNOWN], isinstance(seen[ONE], tuple)) == ((None, None), True)


def what_is_not_the_name_of_one_node_is_refused(stage: Stage) -> None:
    """It would reach nodes that nobody meant."""
    scheduler = stage.scheduler()
    for name in NO_NAMES:
        for act in (
            lambda name=name: scheduler.node(name),
            lambda name=name: scheduler.drain(name, "why"),
            lambda name=name: scheduler.resume(name),
            lambda name=name: scheduler.set_down(name, "why"),
            lambda name=name: scheduler.describe(name, "a", 1),
        ):
            assert failure(act).kind is ErrorKind.REFUSED
    assert kinds(scheduler.nodes()[name] for name in UP) == [FREE] * len(UP)


# ---- drains ----------------------------------------------------------------------------------------------------------


def a_drained_node_says_for_whom_it_is(stage: Stage) -> None:
    """What a restarted daemon goes on by."""
    scheduler = stage.scheduler()
    scheduler.drain(ONE, REASON)
    for seen in (node(scheduler, ONE), scheduler.nodes()[ONE]):
        assert (seen.state.kind, seen.reason) == (WorkKind.DRAINED, REASON)
        assert seen.drain is not None
        assert (seen.drain.kind, seen.drain.instance) == (OUR_SHUTDOWN, "i-1")
    assert node(scheduler, TWO).drain is None


def a_drain_of_somebody_else_is_not_ours(stage: Stage) -> None:
    """Its reason is kept as it is."""
    scheduler = stage.scheduler()
    scheduler.drain(ONE, "a new kernel, see the wiki")
    seen = node(scheduler, ONE)
    assert (seen.state.kind, seen.drain, seen.reason) == (WorkKind.DRAINED, None, "a new kernel, see the wiki")


def draining_lets_jobs_go_on_and_none_begin(stage: Stage) -> None:
    """It counts as working until the last one has ended."""
    scheduler = stage.scheduler()
    job = begin(stage, ONE)
    scheduler.drain(ONE, REASON)
    assert until_kind(stage, ONE, WorkKind.DRAINING).state.works
    late = stage.submit("a")
    for _ in range(20):
        stage.wait()
    assert scheduler.jobs_on(ONE) == 1
    assert waiting(scheduler) == [late]
    scheduler.cancel(job)
    until_kind(stage, ONE, WorkKind.DRAINED)
    assert scheduler.jobs_on(ONE) == 0


def draining_twice_is_draining_once(stage: Stage) -> None:
    """The newest reason counts."""
    scheduler = stage.scheduler()
    scheduler.drain(ONE, "before")
    scheduler.drain(ONE, REASON)
    assert node(scheduler, ONE).reason == REASON


def a_resume_takes_a_drain_back(stage: Stage) -> None:
    """The node is what its state said that it would be, and the old reason does not count."""
    scheduler = stage.scheduler()
    scheduler.drain(ONE, REASON)
    drained = node(scheduler, ONE)
    scheduler.resume(ONE)
    seen = until_kind(stage, ONE, FREE)
    assert (seen.reason, seen.drain) == ("", None)
    assert seen.state == drained.state.undrained
    begin(stage, ONE)


def a_resume_of_a_node_that_works_leaves_its_job(stage: Stage) -> None:
    """Somebody takes the drain back while the job runs."""
    scheduler = stage.scheduler()
    begin(stage, ONE)
    scheduler.drain(ONE, REASON)
    draining = until_kind(stage, ONE, WorkKind.DRAINING)
    scheduler.resume(ONE)
    assert until_kind(stage, ONE, WorkKind.WORKING).state.kind is draining.state.undrained.kind
    assert scheduler.jobs_on(ONE) == 1


def a_resume_of_what_is_well_is_success(stage: Stage) -> None:
    """Row F5."""
    scheduler = stage.scheduler()
    scheduler.resume(ONE)
    assert scheduler.resume_all([ONE, TWO]) == {}
    until_kind(stage, ONE, FREE)


def a_node_set_down_has_no_jobs(stage: Stage) -> None:
    """After a destroy: its jobs end at once, and the next node of that name is resumed."""
    scheduler = stage.scheduler()
    job = begin(stage, ONE)
    scheduler.drain(ONE, REASON)
    stage.lose(ONE)
    scheduler.set_down(ONE, REASON)
    scheduler.set_down(ONE, REASON)
    stage.until(lambda: scheduler.jobs_on(ONE) == 0, "the job to be gone")
    seen = node(scheduler, ONE)
    assert not seen.state.busy
    assert seen.state.kind in (WorkKind.DOWN, WorkKind.DRAINED)
    assert seen.drain is not None
    scheduler.cancel(job)
    stage.start(ONE)
    scheduler.resume(ONE)
    until_kind(stage, ONE, FREE)


def changes_of_an_unknown_node_say_that_it_is_gone(stage: Stage) -> None:
    """Then there is nothing to be done about it."""
    scheduler = stage.scheduler()
    for act in (
        lambda: scheduler.drain(UNKNOWN, "why"),
        lambda: scheduler.resume(UNKNOWN),
        lambda: scheduler.set_down(UNKNOWN, "why"),
        lambda: scheduler.describe(UNKNOWN, "a", 1),
        lambda: scheduler.jobs_on(UNKNOWN),
    ):
        assert failure(act).kind is ErrorKind.GONE


def of_many_nodes_one_that_is_refused_costs_only_itself(stage: Stage) -> None:
    """Each has an answer of its own, whatever they were asked with."""
    scheduler = stage.scheduler()
    names = (ONE, UNKNOWN, "ALL", TWO, THREE)
    acts: Mapping[WorkKind, list[Callable[[], Mapping[str, SchedulerFailure]]]] = {
        WorkKind.DRAINED: [lambda: scheduler.drain_all(dict.fromkeys(names, REASON))],
        FREE: [lambda: scheduler.resume_all(names), lambda: scheduler.describe_all(names, "b", 7)],
    }
    for expected, each in acts.items():
        for act in each:
            kinds_of_failures = {name: failed.error.kind for name, failed in act().items()}
            assert kinds_of_failures == {UNKNOWN: ErrorKind.GONE, "ALL": ErrorKind.REFUSED}
            for name in UP:
                until_kind(stage, name, expected)
    assert {scheduler.nodes()[name].weight for name in UP} == {7}
    scheduler.drain_all({name: f"{REASON} {name}" for name in UP})
    assert [node(scheduler, name).reason for name in UP] == [f"{REASON} {name}" for name in UP]


def many_nodes_are_set_down(stage: Stage) -> None:
    """As after many destroys within a second."""
    scheduler = stage.scheduler()
    for name in (ONE, TWO):
        scheduler.drain(name, REASON)
        stage.lose(name)
    failures = scheduler.set_down_all({ONE: REASON, TWO: REASON, UNKNOWN: REASON})
    assert {name: each.error.kind for name, each in failures.items()} == {UNKNOWN: ErrorKind.GONE}
    assert not any(scheduler.nodes()[name].state.busy for name in (ONE, TWO))
    for name in (ONE, TWO):
        stage.start(name)
        scheduler.resume(name)
        until_kind(stage, name, FREE)


# ---- what a node offers ----------------------------------------------------------------------------------------------


def a_size_is_a_feature_with_a_weight(stage: Stage) -> None:
    """Rows F11, F17: in place of any other size's; other features stay, but for those that go with another size."""
    scheduler = stage.scheduler()
    scheduler.offer([ONE], ["rack1", "gpu", "instancetype=b"])
    scheduler.describe(ONE, "a", 42, gives=["big"], without=["gpu"])
    seen = node(scheduler, ONE)
    assert (set(seen.features), seen.weight) == ({"rack1", "big", "instancetype=a"}, 42)
    scheduler.describe(ONE, "a", 42, gives=["big"], without=["gpu"])
    assert node(scheduler, ONE) == seen


def names_offer_what_they_are_told_to_and_no_more(stage: Stage) -> None:
    """Also one that was never up: else a job that names a size that is off is refused."""
    scheduler = stage.scheduler()
    scheduler.offer([ONE, OFF], ["instancetype=a", "instancetype=b"])
    assert node(scheduler, ONE).features == node(scheduler, OFF).features == {"instancetype=a", "instancetype=b"}
    scheduler.offer([ONE, OFF], [])
    assert node(scheduler, ONE).features == node(scheduler, OFF).features == frozenset()


def what_cannot_be_a_feature_is_refused(stage: Stage) -> None:
    """With no change to the node."""
    scheduler = stage.scheduler()
    before = node(scheduler, ONE)
    for size in ("", "a,b", "a b"):
        assert failure(lambda size=size: scheduler.describe(ONE, size, 1)).kind is ErrorKind.REFUSED  # type: ignore[misc]
    assert node(scheduler, ONE) == before


# ---- jobs ------------------------------------------------------------------------------------------------------------


def an_empty_queue_is_an_answer(stage: Stage) -> None:
    """And no failure."""
    queue = stage.scheduler().queue()
    assert (list(queue.jobs), dict(queue.others), dict(queue.refused)) == ([], {}, {})


def a_job_that_no_node_serves_waits_for_nodes(stage: Stage) -> None:
    """With what it asks for, and the scheduler's own reason as a text."""
    scheduler = stage.scheduler()
    first, second = stage.submit("never"), stage.submit("never")
    stage.until(lambda: len(waiting(scheduler)) == 2, "two jobs that wait")
    jobs = list(scheduler.queue().jobs)
    assert [job.id for job in jobs] == [first, second]
    assert [job.shape.size for job in jobs] == ["never", "never"]
    assert jobs[0].shape == jobs[1].shape
    stage.until(lambda: all(job.reason not in ("", "None") for job in scheduler.queue().jobs), "a reason")
    assert all(job.waits in (WaitKind.NODES, WaitKind.CONSTRAINTS) for job in scheduler.queue().jobs)


def what_was_submitted_shows_at_once(stage: Stage) -> None:
    """Where there is something that tells, and the jobs are not asked for."""
    scheduler = stage.scheduler()
    before = scheduler.submitted()
    assert before == scheduler.submitted()
    stage.submit("never")
    after = scheduler.submitted()
    assert after != before
    stage.submit("never", held=True)
    assert scheduler.submitted() != after
    stage.silence()
    try:
        failure(scheduler.submitted)
    finally:
        stage.speak()


def a_job_that_runs_does_not_wait(stage: Stage) -> None:
    """Of two for one node the other one does."""
    scheduler = stage.scheduler()
    begin(stage, ONE)
    other = stage.submit("a")
    stage.until(lambda: waiting(scheduler) == [other], "the other one alone to wait")


def jobs_on_nodes_are_told_as_long_as_they_are_there(stage: Stage) -> None:
    """Who pays for what: with when they began."""
    scheduler = stage.scheduler()
    job = begin(stage, ONE)

    def there() -> list[JobRun]:
        return [run for run in scheduler.runs() if ONE in run.hosts and run.ended is None]

    (run,) = there()
    assert (run.job, run.hosts) == (job, (ONE,))
    assert run.began > 0
    other = stage.submit("never")
    assert other not in {each.job for each in scheduler.runs()}
    scheduler.cancel(job)
    stage.until(lambda: not there(), "the job to be gone")
    assert all(run.began <= each.ended for each in scheduler.runs() if each.job == job and each.ended is not None)


def a_held_job_is_none_that_nodes_would_help(stage: Stage) -> None:
    """Nothing is booted for it."""
    scheduler = stage.scheduler()
    held = stage.submit("a", held=True)
    stage.until(lambda: held in scheduler.queue().others, "the job to be listed")
    assert waiting(scheduler) == []
    assert scheduler.queue().others[held]
    assert held not in {job.id for jobs in scheduler.queue().refused.values() for job in jobs}


def a_cancelled_job_is_gone_and_may_be_gone_already(stage: Stage) -> None:
    """Waiting or running."""
    scheduler = stage.scheduler()
    running, never = begin(stage, ONE), stage.submit("never")
    for job in (running, never):
        scheduler.cancel(job)
        scheduler.cancel(job)
    stage.until(lambda: not waiting(scheduler), "an empty queue")
    until_kind(stage, ONE, FREE)
    assert scheduler.jobs_on(ONE) == 0


def a_note_is_written_on_a_job(stage: Stage) -> None:
    """It disturbs no job; one that is gone needs none."""
    scheduler = stage.scheduler()
    job = stage.submit("never")
    scheduler.note_on_job(job, "no configured size has what it asks for: never")
    stage.until(lambda: waiting(scheduler) == [job], "the job to wait")
    scheduler.cancel(job)
    scheduler.note_on_job(job, "too late")


def why_jobs_wait_is_written_once_and_taken_away(stage: Stage) -> None:
    """Not from those that are spared."""
    scheduler = stage.scheduler()
    job = stage.submit("never")
    stage.until(lambda: waiting(scheduler) == [job], "the job to wait")
    comments = [JobComment(Line("max_nodes of 8 reached"), (job,))]
    assert [scheduler.comment_jobs(comments, []).changed for _ in range(2)] == [1, 0]
    assert [scheduler.comment_jobs([], spared).changed for spared in ([job], [], [])] == [0, 1, 0]
    assert scheduler.comment_jobs([JobComment(Line("it is gone"), ("4000000",))], []).changed == 0
    scheduler.cancel(job)


# ---- errors ----------------------------------------------------------------------------------------------------------


def silence_is_no_answer(stage: Stage) -> None:
    """Neither an empty queue nor a list without nodes, nor that a node is not known; and nothing is retried."""
    scheduler = stage.scheduler()
    stage.silence()
    try:
        for act in (
            scheduler.queue,
            scheduler.nodes,
            lambda: scheduler.node(ONE),
            lambda: scheduler.jobs_on(ONE),
            lambda: scheduler.observe_all({ONE: True, TWO: False, THREE: False}),
            lambda: scheduler.drain(ONE, REASON),
            lambda: scheduler.resume(ONE),
            lambda: scheduler.set_down(ONE, REASON),
            lambda: scheduler.describe(ONE, "a", 1),
            lambda: scheduler.cancel("1"),
        ):
            assert failure(act).kind is ErrorKind.TRANSIENT
        assert not _answered(lambda: scheduler.drain_all(dict.fromkeys(UP, REASON)))
        assert not _answered(lambda: scheduler.set_down_all(dict.fromkeys(UP, REASON)))
    finally:
        stage.speak()
    stage.until(lambda: kinds(scheduler.nodes()[name] for name in UP) == [FREE] * len(UP), "nodes as they were")


def _answered(act: Callable[[], Mapping[str, SchedulerFailure]]) -> list[str]:
    """The names that were not told of as unanswered."""
    try:
        failures = act()
    except SchedulerFailure as error:
        failures = dict.fromkeys(UP, error)
    return [name for name in UP if name not in failures or failures[name].error.kind is not ErrorKind.TRANSIENT]


def tells_whether_this_account_may_change_nodes(stage: Stage) -> None:
    """And changes nothing for that."""
    scheduler = stage.scheduler()
    before = scheduler.nodes()
    assert scheduler.check_rights() is None
    assert scheduler.nodes() == before


def tells_an_account_without_rights(stage: Stage) -> None:
    """In one line; what it may not do is refused."""
    scheduler = stage.scheduler()
    stage.forbid()
    complaint = scheduler.check_rights()
    assert complaint
    assert "\n" not in complaint
    assert failure(lambda: scheduler.drain(ONE, "why")).kind is ErrorKind.REFUSED
    assert scheduler.node(ONE) is not None


SUITE: dict[str, Test] = {
    test.__name__: test
    for test in (
        making_one_asks_nothing,
        lists_every_node,
        a_node_that_is_up_is_free,
        its_own_word_goes_with_each_state,
        one_node_alone_is_as_in_the_list,
        a_node_with_a_job_is_working,
        what_is_asked_now_is_newer_than_the_last_list,
        jobs_are_counted_where_they_are_asked_for,
        a_name_that_it_does_not_know_is_none,
        what_is_not_the_name_of_one_node_is_refused,
        a_drained_node_says_for_whom_it_is,
        a_drain_of_somebody_else_is_not_ours,
        draining_lets_jobs_go_on_and_none_begin,
        draining_twice_is_draining_once,
        a_resume_takes_a_drain_back,
        a_resume_of_a_node_that_works_leaves_its_job,
        a_resume_of_what_is_well_is_success,
        a_node_set_down_has_no_jobs,
        changes_of_an_unknown_node_say_that_it_is_gone,
        of_many_nodes_one_that_is_refused_costs_only_itself,
        many_nodes_are_set_down,
        a_size_is_a_feature_with_a_weight,
        names_offer_what_they_are_told_to_and_no_more,
        what_cannot_be_a_feature_is_refused,
        an_empty_queue_is_an_answer,
        a_job_that_no_node_serves_waits_for_nodes,
        what_was_submitted_shows_at_once,
        a_job_that_runs_does_not_wait,
        jobs_on_nodes_are_told_as_long_as_they_are_there,
        a_held_job_is_none_that_nodes_would_help,
        a_cancelled_job_is_gone_and_may_be_gone_already,
        a_note_is_written_on_a_job,
        why_jobs_wait_is_written_once_and_taken_away,
        silence_is_no_answer,
        tells_whether_this_account_may_change_nodes,
        tells_an_account_without_rights,
    )
}
"""By name, in order."""
