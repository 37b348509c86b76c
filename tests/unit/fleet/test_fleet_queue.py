"""The queue in the order of service, and what of it is taken over from the one before."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.queue import Queue

SHAPES = (JobShape(1), JobShape(2, nodes=3), JobShape(2, nodes=0), JobShape(1))  # two are equal, and two objects
jobs = st.builds(Job, st.sampled_from("abcdef"), st.sampled_from(SHAPES), st.integers(0, 2))


def test_jobs_stand_by_priority_and_equals_in_the_order_of_the_queue() -> None:
    waiting = [Job("a", SHAPES[0], 1), Job("b", SHAPES[1], 2), Job("c", SHAPES[3], 2), Job("d", SHAPES[2], 2)]
    queue = Queue(waiting)
    assert [job.id for job in queue] == ["b", "c", "d", "a"]
    assert queue.places == {SHAPES[1]: [0], SHAPES[0]: [1, 3]}
    assert (len(queue), queue[1].id, queue[-1:]) == (4, "c", [waiting[0]])


@given(st.lists(st.tuples(st.lists(jobs, max_size=8), st.booleans()), max_size=6))
def test_what_follows_is_what_would_be_made_anew(polls: list[tuple[list[Job], bool]]) -> None:
    queue, waiting = Queue(), list[Job]()
    for listed, some in polls:
        waiting = [*waiting[: len(listed)], *listed] if some else listed
        queue, before = queue.following(waiting), queue
        assert queue.jobs == Queue(waiting).jobs
        assert queue.places == Queue(waiting).places
        assert all(queue[place].shape == shape for shape, places in queue.places.items() for place in places)
        assert (queue is before) == (
            len(before) == len(queue) and all(old is new for old, new in zip(before, queue, strict=True))
        )


def test_the_same_jobs_are_the_same_queue_and_other_words_of_theirs_leave_the_places() -> None:
    waiting = [Job(str(number), SHAPES[number % 2], 9 - number) for number in range(4)]
    queue = Queue(waiting)
    assert queue.following(list(waiting)) is queue
    other = queue.following([replace(waiting[0], reason="Priority"), *waiting[1:]])
    assert other[0].reason == "Priority"
    assert other.places is queue.places
    gone = other.following(waiting[1:])
    assert gone.places == {SHAPES[0]: [1], SHAPES[1]: [0, 2]}
    moved = gone.following([*waiting[2:], waiting[1]])
    assert moved is gone  # by priority they stand as they did


def test_a_queue_stays_itself() -> None:
    queue = Queue([Job("a", SHAPES[0])])
    assert Queue.of(queue) is queue
    assert Queue.of(list(queue)).jobs == queue.jobs
