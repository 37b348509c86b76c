"""Names that the Slurm of a simulated site keeps for jobs of several nodes (state plnd): what its backfill does.

As 22.05 was measured to do it: such a job begins when enough of the names that are up have ended what they are at, by
the time limits of that; of those that are free then it gets the first, and these are kept from the jobs behind it, but
for those whose time limit ends before. tests/integration/test_slurm_wide_jobs.py gives both the same.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from arvnodeman.foresight.sim_jobs import Kind, SimGroup, SimJob
from arvnodeman.foresight.sim_room import SimName

RESOLUTION = 60.0  # seconds, to which backfill looks at times (bf_resolution)


class KeptNames:
    """Which they are, for one pass of the scheduler and what comes until the next.

    When each name is free is kept in order, so that a job of several nodes costs what it asks for, and not all names.
    """

    def __init__(
        self,
        by_number: Sequence[SimName],
        takes_jobs: Callable[[SimName], Kind | None],
        fits: Callable[[SimGroup, Kind], bool],
    ) -> None:
        """`takes_jobs`: as which a name takes jobs, were it free; None: it takes none. `fits`: could a job of the
        group have one of that kind?"""
        self._by_number = by_number
        self._takes_jobs = takes_jobs
        self._fits = fits
        self._until: dict[SimName, float] = {}
        self._changed: set[SimName] = set(by_number)  # since they were put where they belong
        self._stands: dict[SimName, tuple[Kind, int]] = {}
        self._free_by: dict[Kind, list[tuple[int, int]]] = {}  # steps of RESOLUTION, and numbers of names: sorted

    def changed(self, name: SimName) -> None:
        """Other jobs are on it, or it takes jobs as another kind or not at all."""
        self._changed.add(name)

    def __contains__(self, name: SimName) -> bool:
        return name in self._until

    def __bool__(self) -> bool:
        return bool(self._until)

    def keep(self, group: SimGroup, free: Iterable[SimName]) -> list[SimName]:
        """For the first job of a group: those that are kept now of these free names."""
        chosen, starts = self._to_be_kept(group)
        kept = [name for name in free if name in chosen]
        self._until.update(dict.fromkeys(kept, starts))
        return kept

    def _to_be_kept(self, group: SimGroup) -> tuple[list[SimName], float]:
        """The names that a job of the group will have, and when. None, where too few are up that suit it."""
        self._put_in_order()
        nodes, names = group.shape.nodes, self._by_number
        suitable = [free_by for kind, free_by in self._free_by.items() if self._fits(group, kind)]
        if sum(map(len, suitable)) < nodes:
            return [], 0.0
        starts, _ = next(islice(heapq.merge(*suitable), nodes - 1, None))
        then = (names[number - 1] for free_by in suitable for _, number in free_by[: _up_to(free_by, starts)])
        return heapq.nsmallest(nodes, then, key=lambda name: name.order), starts * RESOLUTION

    def _put_in_order(self) -> None:
        for name in self._changed:
            kind = self._takes_jobs(name)
            place = None if kind is None else (kind, math.ceil(_free_by(name) / RESOLUTION))
            before = self._stands.get(name)
            if place == before:
                continue
            if before is not None:
                free_by = self._free_by[before[0]]
                del free_by[bisect_left(free_by, (before[1], name.number))]
                if not free_by:
                    del self._free_by[before[0]]
            if place is None:
                del self._stands[name]
            else:
                self._stands[name] = place
                insort(self._free_by.setdefault(place[0], []), (place[1], name.number))
        self._changed.clear()

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


def _up_to(free_by: list[tuple[int, int]], step: int) -> int:
    """How many of them are free by then."""
    return bisect_right(free_by, step, key=lambda each: each[0])
