"""Many nodes of one pool are given to groups in the order of service, as few are: found by halves, not job by job."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pictures import LARGE

from arvnodeman.fleet.plan.wishlist import Group, Supply, match_exact
from arvnodeman.fleet.values.model import NO_LIMIT, JobShape

EVEN, ODD = range(0, 200, 2), range(1, 200, 2)
FIRST, LATER = range(100), range(100, 200)


def wishes(cores: int, nodes: int, places: Sequence[int], limit: int = NO_LIMIT) -> Group:
    """Jobs of so many nodes each, all of the large size."""
    return Group(JobShape(cores=cores, nodes=nodes), list(places), (LARGE,), limit=limit)


def given(supply: Supply, *groups: Group) -> list[tuple[int, int]]:
    """Of each group the jobs that have all their nodes, and the nodes that the next one has."""
    match_exact(groups, supply)
    return [(group.served, group.partly) for group in groups]


@pytest.mark.parametrize(
    ("one", "two", "nodes", "expected"),
    [
        ((1, EVEN), (1, ODD), 60, [(30, 0), (30, 0)]),
        ((1, EVEN), (1, ODD), 61, [(31, 0), (30, 0)]),
        ((1, FIRST), (1, LATER), 60, [(60, 0), (0, 0)]),
        ((1, FIRST), (1, LATER), 120, [(100, 0), (20, 0)]),
        ((1, LATER), (1, FIRST), 120, [(20, 0), (100, 0)]),
        ((2, EVEN), (1, ODD), 60, [(20, 0), (20, 0)]),
        ((2, EVEN), (1, ODD), 61, [(20, 1), (20, 0)]),  # the next one has a part
        ((2, EVEN), (1, ODD), 62, [(21, 0), (20, 0)]),
        ((3, ODD), (2, EVEN), 53, [(10, 1), (11, 0)]),
        ((40, [0]), (1, FIRST[1:]), 35, [(0, 35), (0, 0)]),
        ((40, [0]), (1, FIRST[1:]), 45, [(1, 0), (5, 0)]),
        ((1, [0]), (40, [1]), 40, [(1, 0), (0, 39)]),
    ],
)
def test_all_have_some_up_to_the_first_for_whom_there_are_not_enough(
    one: tuple[int, Sequence[int]], two: tuple[int, Sequence[int]], nodes: int, expected: list[tuple[int, int]]
) -> None:
    supply = Supply({"large": (nodes, 0, 0, 0)})
    assert given(supply, wishes(1, *one), wishes(2, *two)) == expected
    assert supply.counts == {"large": [0, 0, 0, 0]}


def test_no_more_jobs_have_some_than_may() -> None:
    supply = Supply({"large": (60, 0, 0, 0)})
    assert given(supply, wishes(1, 1, EVEN, limit=10), wishes(2, 1, ODD)) == [(10, 0), (50, 0)]
    assert supply.counts == {"large": [0, 0, 0, 0]}
    few = Supply({"large": (60, 0, 0, 0)})
    assert given(few, wishes(1, 1, EVEN, limit=10), wishes(2, 1, ODD, limit=20)) == [(10, 0), (20, 0)]
    assert few.counts == {"large": [30, 0, 0, 0]}


def test_nodes_of_the_next_kind_go_on_where_the_first_has_ended() -> None:
    """Of the job that had one of its three it lacks two."""
    supply = Supply({"large": (40, 41, 0, 0)})
    assert given(supply, wishes(1, 3, EVEN), wishes(2, 1, ODD)) == [(20, 1), (20, 0)]
    again = Supply({"large": (33, 33, 0, 0)})
    assert given(again, wishes(1, 3, EVEN), wishes(2, 1, ODD)) == [(16, 2), (16, 0)]


def test_what_the_next_job_holds_is_kept_for_whom_it_may_be_given_back_to() -> None:
    alone, supply = wishes(1, 3, [0, 1]), Supply({"large": (1, 1, 0, 0)})
    assert given(supply, alone) == [(0, 2)]
    assert alone.held == [("large", 0, 1), ("large", 1, 1)]
    alone.give_back(supply)
    assert (supply.counts, alone.partly) == ({"large": [1, 1, 0, 0]}, 0)
