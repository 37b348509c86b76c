"""Limits of accounting, shared out among the groups of jobs that wait."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from arvnodeman.fleet.outlook.accounting import Accounting, Bound, bounds_of
from arvnodeman.fleet.plan.wishlist import Group


def share(groups: Iterable[Group], accounting: Accounting) -> None:
    """Limit each group to the jobs that Slurm would let run beside those that run, in the order of service; a group
    that may have no more is told why."""
    bounds = [(group, bounds_of(group.shape, accounting)) for group in groups]
    bounds = [(group, each) for group, each in bounds if each]
    wanted: dict[tuple[str, str], float] = {}
    for group, each in bounds:
        jobs = min(len(group.places), group.limit)
        for bound in each:
            wanted[bound[:2]] = wanted.get(bound[:2], 0.0) + bound.need * jobs
    tight = [
        (group, [bound for bound in each if wanted[bound[:2]] > bound.left or bound.left <= 0])
        for group, each in bounds
    ]
    _share_out([(group, each) for group, each in tight if each])


def _share_out(bounds: list[tuple[Group, list[Bound]]]) -> None:
    left = {bound[:2]: bound.left for _, each in bounds for bound in each if bound.is_shared}
    heap = [(group.places[0], index, 0) for index, (group, _) in enumerate(bounds) if group.limit]
    heapq.heapify(heap)
    while heap:
        _, index, jobs = heapq.heappop(heap)
        group, each = bounds[index]
        short = next((bound for bound in each if bound.forbids(left.get(bound[:2], bound.left))), None)
        if short is not None:
            group.limit = jobs
            group.short_of = short.cause
            continue
        for bound in each:
            if bound.is_shared:
                left[bound[:2]] -= bound.need
        if jobs + 1 < min(len(group.places), group.limit):
            heapq.heappush(heap, (group.places[jobs + 1], index, jobs + 1))
