"""Licences of Slurm: so many jobs that wait may want nodes as there are licences for.

They are given out in the order of service. A job for which none is left has no node: one that came would stand idle.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from arvnodeman.fleet.outlook.ahead import Outlook
from arvnodeman.fleet.plan.wishlist import Group
from arvnodeman.fleet.values.gres import Gres
from arvnodeman.fleet.values.model import JobShape
from arvnodeman.fleet.values.obstacles import NoLicence
from arvnodeman.fleet.values.reasons import Reason


def share(groups: Iterable[Group], outlook: Outlook) -> None:
    """Limit each group to the jobs for which there are licences; a group that has none is told why."""
    asking = [group for group in groups if group.shape.licences and _is_known(group.shape, outlook)]
    free = dict(outlook.licences)
    heap = [(group.places[0], index, 0) for index, group in enumerate(asking)]
    heapq.heapify(heap)
    while heap:
        _, index, jobs = heapq.heappop(heap)
        group = asking[index]
        choice = next((choice for choice in group.shape.licences if all(free[name] >= n for name, n in choice)), None)
        if choice is None:
            group.limit = min(group.limit, jobs)
            group.short_of = _short_of(group.shape.licences[0], free, outlook)
            continue
        for name, number in choice:
            free[name] -= number
        if jobs + 1 < min(len(group.places), group.limit):
            heapq.heappush(heap, (group.places[jobs + 1], index, jobs + 1))


def _is_known(shape: JobShape, outlook: Outlook) -> bool:
    """Of licences that are not known (yet), or that its own reservation keeps for it, nothing is said."""
    kept = [outlook.reservations[name] for name in shape.reservation.split(",") if name in outlook.reservations]
    if any(reservation.licences for reservation in kept):
        return False
    return all(name in outlook.licences for choice in shape.licences for name, _ in choice)


def _short_of(choice: Gres, free: dict[str, int], outlook: Outlook) -> Reason:
    name = next(name for name, number in choice if free[name] < number)
    return NoLicence(licence=name, free=outlook.licences[name])
