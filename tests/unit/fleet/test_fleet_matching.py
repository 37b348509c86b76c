"""Nodes are given to jobs many at a time, and come out as if each job had its turn."""

from __future__ import annotations

from copy import deepcopy
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from arvnodeman.fleet.plan import wishlist
from arvnodeman.fleet.plan.picture import KINDS, zone_of
from arvnodeman.fleet.plan.wishlist import (
    Group,
    Supply,
    following,
    in_turn,
    match_any,
    match_exact,
    next_supply,
)
from arvnodeman.fleet.values.model import NO_LIMIT, JobShape, NodeSize
from arvnodeman.fleet.values.places import Place

SIZES = [NodeSize(name, name, name, name, 1, 1.0, 1.0, 1.0, price) for name, price in (("s", 1.0), ("m", 2.0))]
POOLS = ["s", "m", "s\nresv", "m\nresv"]


def exact_by_turns(groups: list[Group], supply: Supply) -> None:
    """The first pass, job by job."""
    by_size: dict[str, list[Group]] = {}
    for group in groups:
        by_size.setdefault(group.choices[0].id, []).append(group)
    for size, wishers in by_size.items():
        pools = sorted(supply.pools.get(size, ()), key=lambda pool: len(zone_of(pool)))
        for kind, pool in [(kind, pool) for kind in KINDS for pool in pools]:
            turns = in_turn([wisher for wisher in wishers if wisher.shape.place.has(zone_of(pool))])
            wisher = next(turns, None)
            while supply.left(pool, kind) and wisher is not None:
                wisher.take(supply, pool, kind)
                wisher = following(turns, drop=False)


def any_by_turns(groups: list[Group], supply: Supply) -> None:
    """The second pass, job by job."""
    turns = in_turn([group for group in groups if group.shape.size is None])
    group = next(turns, None)
    while group is not None:
        found = next_supply(group, supply)
        if found is not None:
            group.take(supply, found[1], found[0])
        group = following(turns, drop=found is None)


@st.composite
def matchings(draw: st.DrawFn) -> tuple[list[Group], Supply]:
    """Groups of jobs, and nodes."""
    owners = draw(st.lists(st.integers(0, 3), max_size=25))
    groups = []
    for number in sorted(set(owners)):
        named = draw(st.sampled_from([None, "s", "m"]))
        nodes = draw(st.sampled_from([1, 1, 1, 2, 3]))
        outside = draw(st.sampled_from([(), (), ("resv",)]))
        shape = JobShape(cores=number, nodes=nodes, size=named, place=Place(outside=outside))
        choices = tuple(size for size in SIZES if named in (None, size.id))
        group = Group(shape, [place for place, owner in enumerate(owners) if owner == number], choices)
        group.limit = draw(st.sampled_from([NO_LIMIT, NO_LIMIT, 1, 2]))
        groups.append(group)
    counts = {pool: draw(st.tuples(*[st.integers(0, 5)] * 4)) for pool in draw(st.sets(st.sampled_from(POOLS)))}
    return groups, Supply(counts)


@given(matchings(), st.sampled_from([0, 1, 16]))
def test_many_at_once_as_one_by_one(matching: tuple[list[Group], Supply], few: int) -> None:
    """Whether there are so few nodes that they are given away job by job, or so many that a place is looked for."""
    groups, supply = matching
    others, left = deepcopy(matching)
    with patch.object(wishlist, "FEW_NODES", few):
        match_exact(groups, supply)
    exact_by_turns(others, left)
    assert (groups, supply.counts) == (others, left.counts)
    match_any(groups, supply)
    any_by_turns(others, left)
    assert [(group.served, group.partly, group.held) for group in groups] == [
        (group.served, group.partly, group.held) for group in others
    ]
    assert supply.counts == left.counts
