"""Groups that wait though a node could take one of their jobs: which of them have a watched job that has left."""

from __future__ import annotations

import pytest

from arvnodeman.fleet.decide.evidence import moved_on
from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.plan.vain import Watch
from arvnodeman.fleet.values.model import Job, JobShape, Policy
from arvnodeman.fleet.values.queue import Queue

ONE, TWO = JobShape(cores=1), JobShape(cores=2)
OTHERS = [JobShape(cores=3 + n) for n in range(20)]


def waiting(shape: JobShape, *ids: str) -> list[Job]:
    return [Job(identity, shape) for identity in ids]


def seen(*jobs: Job, refused: list[Job] | None = None, many: bool) -> set[JobShape]:
    """Job a of ONE and b of TWO are watched, each first in its group; others have come before them since."""
    state = State(Policy(sections=(), shutdown_windows=(54, 6), max_nodes=8), 0.0)
    front = [Job(f"{shape.cores}-{n}", shape) for n in range(40) for shape in (ONE, TWO)]
    beside = [] if many else [Job(f"{shape.cores}", shape) for shape in OTHERS]
    state.queue = Queue([*front, *beside, *jobs])
    state.refused = {job.shape: [job] for job in refused or ()}
    state.vain.watches = {ONE: Watch(0.0, ("a",)), TWO: Watch(0.0, ("b",))}
    return moved_on(state, [ONE, TWO])


@pytest.mark.parametrize("many", [True, False])  # groups that are not sure, of all
def test_a_watched_job_is_found_wherever_it_waits(many: bool) -> None:
    a, b = waiting(ONE, "a"), waiting(TWO, "b")
    assert seen(*a, *b, many=many) == set()
    assert seen(*b, refused=a, many=many) == set()
    assert seen(*b, many=many) == {ONE}
    assert seen(many=many) == {ONE, TWO}


@pytest.mark.parametrize("many", [True, False])
def test_one_of_its_name_in_another_group_is_not_it(many: bool) -> None:
    assert seen(*waiting(TWO, "a", "b"), many=many) == {ONE}
    assert seen(*waiting(ONE, "a", "b"), *waiting(TWO, "a"), many=many) == {TWO}
