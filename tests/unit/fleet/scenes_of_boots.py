"""Scenes of boots that work and fail, and of jobs that can never run: what is said of them."""

from __future__ import annotations

from dataclasses import replace

from transcript import Written
from world import BIG, MINUTE, NEVER, SECTIONS, jobs, policy

from arvnodeman.fleet.messages import (
    CancelJob,
    CreateNode,
    DescribeNode,
    ExplainJob,
    FindNode,
    FinishNode,
    ListSizes,
    PrepareRecord,
    ReleaseRecord,
    StopAsked,
)
from arvnodeman.fleet.values.model import ErrorKind, JobShape, SizeSection

TO_CREATE = (PrepareRecord, DescribeNode)
NEVER_FITS = JobShape(cores=99)
HINT = "[Cloud Credentials] key"


def booting(**options: object) -> Written:
    """A boot has begun; what follows is written down."""
    world = Written(policy(shutdown_windows=NEVER, **options))
    world.begin()
    world.forget()
    world.poll_queue(*jobs(1))
    return world


# ---- boots -----------------------------------------------------------------------------------------------------------


def a_boot_that_works() -> Written:
    world = booting()
    world.obey()
    world.cycle()
    (record,) = world.records.values()
    world.records[record.uuid] = replace(
        record, instance_id="i-new2", first_ping_at=world.now, last_ping_at=world.now, intent=None
    )
    world.says("compute1", "idle")
    world.cycle(times=2)
    return world


def a_boot_refused_for_quota() -> Written:
    world = booting()
    world.obey(*TO_CREATE)
    world.fail(world.one(CreateNode), ErrorKind.QUOTA, "InstanceLimitExceeded")
    world.obey()
    world.cycle()
    world.obey()
    return world


def a_quota_that_rises_again() -> Written:
    world = Written(policy(shutdown_windows=NEVER)).begin(*jobs(2))
    world.obey(*TO_CREATE)
    first, second = world.open(CreateNode)
    world.done(first, world._create(first))
    world.fail(second, ErrorKind.QUOTA, "InstanceLimitExceeded")
    world.obey()
    world.forget()
    for _ in range(3):
        world.cycle()
        world.obey()
    return world


def boots_refused_for_capacity_and_for_good() -> Written:
    world = booting()
    world.obey(*TO_CREATE)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY, "InsufficientInstanceCapacity")
    world.obey(ReleaseRecord)
    world.poll_queue(*jobs(1), *jobs(1, BIG, name="big"))
    world.obey(*TO_CREATE)
    world.fail(world.one(CreateNode), ErrorKind.REFUSED, "UnauthorizedOperation", hint=HINT)
    world.obey(ReleaseRecord)
    world.poll_queue()
    return world


def no_slot_for_a_record() -> Written:
    world = booting()
    world.fail(world.one(PrepareRecord), ErrorKind.SLOTS, "no free slot")
    world.poll_queue()
    return world


def a_record_that_cannot_be_had() -> Written:
    world = booting(boot_attempts=2)
    world.fail(world.one(PrepareRecord), ErrorKind.TRANSIENT, "no route")
    world.wait(1)
    world.fail(world.one(PrepareRecord), ErrorKind.TRANSIENT, "no route")
    return world


def a_create_that_never_answers() -> Written:
    """Nor does the search for its node, nor the keeper of records after that."""
    world = booting(boot_attempts=2)
    world.obey(PrepareRecord)
    world.fail(world.one(DescribeNode), ErrorKind.UNEXPECTED, "scontrol: error")
    world.fail(world.one(CreateNode), ErrorKind.TRANSIENT, "no answer")
    world.wait(1)
    world.fail(world.one(FindNode), ErrorKind.TRANSIENT, "no answer")
    world.wait(10)
    for kind in (FindNode, ReleaseRecord):
        for _ in range(3):
            for step in world.open(kind):
                world.fail(step, ErrorKind.THROTTLED, "slow down", retry_after=5.0)
                world.wait(10)
    world.wait(60)
    for _ in range(3):
        for step in world.open(FindNode):
            world.fail(step, ErrorKind.REFUSED, "not allowed", hint=HINT)
        for release in world.open(ReleaseRecord):
            world.fail(release, ErrorKind.REFUSED, "not this one")
        world.wait(60)
    return world


def last_touches_that_fail() -> Written:
    world = booting(boot_attempts=2)
    world.obey(*TO_CREATE, CreateNode)
    world.fail(world.one(FinishNode), ErrorKind.GONE, "not known yet")
    world.wait(1)
    world.fail(world.one(FinishNode), ErrorKind.GONE, "not known yet")
    world.cycle()
    return world


def boots_that_are_stopped() -> Written:
    """One since nobody needs it, one since the daemon stops."""
    world = booting()
    world.jobs = ()
    world.cycle(every=1, times=2)
    world.obey()
    world.poll_queue(*jobs(2))
    world.tell(StopAsked())
    world.obey()
    world.cycle()
    return world


def a_boot_that_a_limit_stops_at_the_last_moment() -> Written:
    world = booting(max_nodes=1)
    world.node("compute7", "large")
    world.poll_cloud()
    world.obey(*TO_CREATE)
    world.obey()
    return world


def nodes_that_never_come_up() -> Written:
    world = booting(boot_fail_after=600.0)
    for _ in range(14):
        world.obey()
        world.cycle()
    world.obey()
    return world


def sizes_that_the_provider_lacks() -> Written:
    sections = (*SECTIONS, SizeSection("huge", 64, "hugh"), SizeSection("odd", 2, "smal"))
    world = Written(policy(sections=sections))
    world.sizes()
    world.cycle(*jobs(1, JobShape(size="huge")))
    world.wait(600)
    world.fail(world.one(ListSizes), ErrorKind.TRANSIENT, "no answer")
    world.wait(10)
    world.done(world.one(ListSizes), ())
    world.wait(10)
    world.obey(ListSizes)
    return world


def a_probe_after_a_rest() -> Written:
    """One boot of a size that has rested; the other jobs are told that it is on its way."""
    world = booting()
    world.obey(*TO_CREATE)
    world.fail(world.one(CreateNode), ErrorKind.CAPACITY, "InsufficientInstanceCapacity")
    world.obey(ReleaseRecord)
    world.cycle(*jobs(3), every=2 * MINUTE)
    world.obey(*TO_CREATE)
    return world


def refusals_that_are_counted() -> Written:
    world = booting()
    world.poll_queue(*jobs(2))
    world.obey(*TO_CREATE)
    for step in world.open(CreateNode):
        world.fail(step, ErrorKind.QUOTA, "InstanceLimitExceeded")
    world.obey()
    return world


# ---- jobs that can never run -----------------------------------------------------------------------------------------


def unsatisfiable(count: int = 1, **options: object) -> Written:
    world = Written(policy(shutdown_windows=NEVER, **options)).begin()
    world.cycle(times=20)
    world.forget()
    world.cycle(*jobs(count, NEVER_FITS), times=3)
    return world


def jobs_are_cancelled() -> Written:
    world = unsatisfiable(2)
    world.obey(CancelJob)
    world.cycle()
    return world


def cancellations_are_refused() -> Written:
    world = unsatisfiable(2)
    for step in world.open(CancelJob):
        world.fail(step, ErrorKind.REFUSED, "403", hint="[Arvados] token")
    world.cycle()
    for step in world.open(CancelJob):
        world.fail(step, ErrorKind.TRANSIENT, "502")
    world.cycle(every=15 * MINUTE)
    for step in world.open(CancelJob):
        world.fail(step, ErrorKind.REFUSED, "403")
    return world


def jobs_are_told_why_and_left() -> Written:
    world = unsatisfiable(2, cancel_unsatisfiable=False, explain_unsatisfiable=True)
    first, second = world.open(ExplainJob)
    world.done(first)
    world.fail(second, ErrorKind.TRANSIENT, "scontrol: error")
    world.cycle()
    return world


def a_mistake_that_looks_like_everybodys() -> Written:
    world = Written(policy(shutdown_windows=NEVER)).begin()
    world.forget()
    world.cycle(*jobs(5, NEVER_FITS), *jobs(1, JobShape(nodes=99), name="wide"), times=4)
    return world


SCENES = (
    a_boot_that_works,
    a_boot_refused_for_quota,
    a_quota_that_rises_again,
    boots_refused_for_capacity_and_for_good,
    no_slot_for_a_record,
    a_record_that_cannot_be_had,
    a_create_that_never_answers,
    last_touches_that_fail,
    boots_that_are_stopped,
    a_boot_that_a_limit_stops_at_the_last_moment,
    nodes_that_never_come_up,
    sizes_that_the_provider_lacks,
    jobs_are_cancelled,
    a_probe_after_a_rest,
    refusals_that_are_counted,
    cancellations_are_refused,
    jobs_are_told_why_and_left,
    a_mistake_that_looks_like_everybodys,
)
