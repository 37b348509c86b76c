"""Names that the Slurm of a simulated site keeps for jobs of several nodes (state plnd): what its backfill does.

As 22.05 was measured to do it: such a job begins when enough of the names that are up have ended what they are at, by
the time limits of that; of those that are free then it gets the first, and these are kept from the jobs behind it, but
for those whose time limit ends before. tests/integration/test_slurm_wide_jobs.py gives both the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from arvnodeman.foresight.sim_jobs import SimGroup, SimJob
from arvnodeman.foresight.sim_room import SimName

RESOLUTION = 60.0  # seconds, to which backfill looks at times (bf_resolution)


def to_be_kept(free_by: Mapping[SimName, float], nodes: int) -> tuple[list[SimName], float]:
    """The names that a job of so many nodes will have, and when. `free_by`: of those that are up and suit it. None,
    where these are too few."""
    if len(free_by) < nodes:
        return [], 0.0
    steps = {name: math.ceil(moment / RESOLUTION) for name, moment in free_by.items()}
    starts = sorted(steps.values())[nodes - 1]
    free_then = sorted((name for name, step in steps.items() if step <= starts), key=lambda name: name.order)
    return free_then[:nodes], starts * RESOLUTION


class KeptNames:
    """Which they are, for one pass of the scheduler and what comes until the next."""

    def __init__(self, by_number: Sequence[SimName], may_have: Callable[[SimGroup, SimName], bool]) -> None:
        """`may_have`: is the name up, and could a job of the group have it, were it free?"""
        self._by_number = by_number
        self._may_have = may_have
        self._until: dict[SimName, float] = {}

    def __contains__(self, name: SimName) -> bool:
        return name in self._until

    def __bool__(self) -> bool:
        return bool(self._until)

    def keep(self, group: SimGroup, free: Iterable[SimName]) -> list[SimName]:
        """For the first job of a group: those that are kept now of these free names."""
        up = {name: _free_by(name) for name in self._by_number if self._may_have(group, name)}
        chosen, starts = to_be_kept(up, group.shape.nodes)
        kept = [name for name in free if name in chosen]
        self._until.update(dict.fromkeys(kept, starts))
        return kept

    def end_before(self, job: SimJob, now: float) -> list[SimName]:
        """Those that a job may have for its time, as it is over by then."""
        ends = now + job.limit
        return [name for name, starts in self._until.items() if ends <= starts] if ends < math.inf else []

    def release(self) -> list[SimName]:
        """All of them are anybody's again."""
        names = list(self._until)
        self._until.clear()
        return names

    def give(self, name: SimName) -> None:
        """Somebody has it."""
        self._until.pop(name, None)


def _free_by(name: SimName) -> float:
    return max((job.ends_by for job in name.jobs), default=0.0)
