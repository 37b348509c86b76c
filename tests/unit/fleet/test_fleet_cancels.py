"""Jobs that can never run: told why and cancelled, carefully (section 2 of the rules)."""

from __future__ import annotations

from typing import Any

import pytest
from world import MINUTE, NEVER, OFFERS, SECTIONS, World, jobs, policy

from arvnodeman.fleet.messages import CancelJob, ExplainJob, PolicyChanged, PrepareRecord
from arvnodeman.fleet.values.model import ErrorKind, Job, JobShape, SizeSection

NEVER_FITS = JobShape(cores=99)
REASON = "Constraints cannot be satisfied by any node type"


def settled(*waiting: Job, **options: Any) -> World:
    """A daemon that has been running for a while; then these jobs wait."""
    world = World(policy(shutdown_windows=NEVER, **options)).begin()
    world.cycle(times=20)
    if waiting:
        world.cycle(*waiting)
    return world


def bad(count: int = 1) -> list[Job]:
    return jobs(count, NEVER_FITS, name="bad")


@pytest.mark.parametrize(("polls", "cancelled"), [(1, False), (2, False), (3, True)])
def test_a_job_is_cancelled_at_the_third_poll_in_a_row_that_finds_it_so(polls: int, cancelled: bool) -> None:
    """Row C23: with its reason, which is logged on it first."""
    world = settled(*bad())
    world.cycle(times=polls - 1)
    found = world.open(CancelJob)
    assert bool(found) is cancelled
    if found:
        assert (found[0].job.id, found[0].reason) == (bad()[0].id, REASON)


def test_the_polls_must_be_in_a_row() -> None:
    world = settled(*bad())
    for _ in range(5):
        world.cycle()
        world.jobs = ()
        world.cycle()
        world.jobs = bad()
        world.cycle()
    assert not world.open(CancelJob)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (JobShape(nodes=99), "Job's min_nodes constraint is greater than the configured max_nodes (8)"),
        (JobShape(cores=4, nodes=8), "Job's price (3.2) is above system's max_price limit (1)"),
    ],
)
def test_the_reasons_are_those_that_users_know(shape: JobShape, reason: str) -> None:
    """Row C7."""
    world = settled(*jobs(1, shape), max_total_price=1.0)
    world.cycle(times=2)
    assert world.one(CancelJob).reason == reason


def test_only_once() -> None:
    """Row N6: also when it is still in the queue for a while."""
    world = settled(*bad())
    world.cycle(times=2)
    world.done(world.one(CancelJob))
    world.cycle(times=9)
    assert len([step for step in world.asked if isinstance(step, CancelJob)]) == 1
    assert world.fleet.view.counters["jobs_cancelled"] == 1
    assert f"Cancelled unsatisfiable job '{bad()[0].id}'" in world.log()


def test_only_once_when_the_queue_shows_it_twice() -> None:
    world = settled(*bad(), *bad())
    world.cycle(times=3)
    assert len(world.open(CancelJob)) == 1


def test_a_cancellation_that_fails_is_logged_and_tried_again_at_a_later_poll() -> None:
    """Row C23."""
    world = settled(*bad())
    world.cycle(times=2)
    world.fail(world.one(CancelJob), ErrorKind.REFUSED, "Access/permission denied")
    assert f"Trying to cancel job '{bad()[0].id}': Access/permission denied" in world.log(40)
    world.cycle()
    assert world.open(CancelJob)


def test_nobody_is_cancelled_when_the_option_says_so_and_the_reason_is_shown_all_the_same() -> None:
    world = settled(*bad(), cancel_unsatisfiable=False)
    world.cycle(times=5)
    assert not world.open(CancelJob)
    assert world.reason(NEVER_FITS) == REASON


def test_nobody_is_cancelled_while_a_configured_size_is_missing_at_the_provider() -> None:
    huge = SizeSection("huge", cores=99, instance_type="huge", price=9.0)
    world = settled(*bad(), *jobs(1, JobShape(size="x")), sections=(*SECTIONS, huge))
    world.cycle(times=5)
    assert not world.open(CancelJob)


def test_nobody_is_cancelled_while_a_node_tagged_with_the_size_that_it_names_is_up() -> None:
    world = World(policy(shutdown_windows=NEVER))
    world.node(size="old", slurm="alloc")
    world.begin()
    world.cycle(times=20)
    world.cycle(*jobs(1, JobShape(size="old")), *jobs(1, JobShape(size="older")), times=4)
    assert [step.job.shape.size for step in world.open(CancelJob)] == ["older"]


def test_a_node_of_no_use_to_a_job_does_not_keep_it_waiting_for_ever() -> None:
    """min_nodes keeps one of the size that it names; the job is for a partition that has none, or asks for more."""
    small = SizeSection("small", cores=1, instance_type="small", partitions=("main",))
    world = World(policy(shutdown_windows=NEVER, sections=(small,), min_nodes=1, max_nodes=2))
    world.node()
    world.begin()
    world.cycle(times=20)
    elsewhere, many = JobShape(size="small", partitions=("gpu",)), JobShape(size="small", nodes=3)
    world.cycle(*jobs(1, elsewhere), *jobs(1, many, name="many"), times=4)
    assert [step.job.shape for step in world.open(CancelJob)] == [elsewhere, many]


@pytest.mark.parametrize(
    ("wrong", "well", "minutes", "cancelled"),
    [
        (4, 3, 0, False),  # more than three, and more than half
        (3, 0, 0, True),
        (4, 4, 0, True),  # half
        (9, 3, 16, True),  # 15 minutes after the start
    ],
)
def test_not_more_than_three_and_half_of_the_queue_right_after_a_start(
    wrong: int, well: int, minutes: int, cancelled: bool
) -> None:
    """It looks like a mistake in the configuration, and one ERROR says so."""
    world = World(policy(shutdown_windows=NEVER)).begin()
    world.cycle(times=minutes)
    world.cycle(*bad(wrong), *jobs(well), times=5)
    assert len(world.open(CancelJob)) == (wrong if cancelled else 0)
    lines = [line for line in world.log(40) if "looks like a mistake in the configuration" in line]
    assert len(lines) == (0 if cancelled else 1)


def test_nor_right_after_a_reload() -> None:
    world = settled()
    world.tell(PolicyChanged(policy(shutdown_windows=NEVER, sections=SECTIONS[:1])))
    world.obey()
    world.cycle(*jobs(9, JobShape(size="large")), times=10)
    assert not world.open(CancelJob)
    world.cycle(times=8)
    assert len(world.open(CancelJob)) == 9


def test_nobody_is_cancelled_on_old_lists() -> None:
    """Row A22."""
    world = settled(*bad())
    world.now += 700
    for _ in range(5):
        world.now += MINUTE
        world.poll_queue()
    assert not world.open(CancelJob)


def test_others_are_served_meanwhile() -> None:
    world = settled(*bad(), *jobs(1))
    assert len(world.open(PrepareRecord)) == 1
    assert len(OFFERS) == 2


# ---- Slurm alone -----------------------------------------------------------------------------------------------------


def test_where_nobody_cancels_the_reason_is_written_on_the_job_once() -> None:
    world = settled(*bad(), cancel_unsatisfiable=False, explain_unsatisfiable=True)
    world.cycle(times=5)
    (step,) = world.open(ExplainJob)
    assert (step.job.id, step.reason) == (bad()[0].id, REASON)
    world.done(step)
    world.cycle(times=5)
    assert [type(each) for each in world.asked if isinstance(each, ExplainJob | CancelJob)] == [ExplainJob]


def test_a_reason_that_could_not_be_written_is_written_later() -> None:
    world = settled(*bad(), cancel_unsatisfiable=False, explain_unsatisfiable=True)
    world.cycle(times=3)
    (step,) = world.open(ExplainJob)
    world.fail(step, ErrorKind.TRANSIENT)
    world.cycle()
    assert len(world.open(ExplainJob)) == 1


def test_with_arvados_and_no_cancelling_nothing_is_written() -> None:
    world = settled(*bad(), cancel_unsatisfiable=False)
    world.cycle(times=5)
    assert not world.open(ExplainJob) + world.open(CancelJob)


def test_a_refusal_is_told_once_for_all_jobs_and_not_with_each_poll() -> None:
    """The token is to blame, and every job and every poll would say so again."""
    world = settled(*bad(2))
    world.cycle(times=2)
    refusals = 0
    for _ in range(4):
        for step in world.open(CancelJob):
            world.fail(step, ErrorKind.REFUSED, "Arvados: containers.update: HTTP 403 Forbidden")
            refusals += 1
        world.cycle()
    assert refusals > 3
    assert sum("HTTP 403 Forbidden" in line for line in world.log(40)) == 1
