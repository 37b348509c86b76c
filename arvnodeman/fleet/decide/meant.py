"""For which jobs each node of a plan is booted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from arvnodeman.fleet.decide.state import State
from arvnodeman.fleet.plan.booting import NewNode
from arvnodeman.fleet.plan.plan import Plan
from arvnodeman.fleet.values.meant_for import MOST, MeantFor, meant_for
from arvnodeman.fleet.values.model import JobShape


class JobsOfBoots:
    """Goes through the boots of a plan, in their order."""

    def __init__(self, state: State, plan: Plan) -> None:
        self._jobs, self._shares = state.queue.jobs, plan.shares
        self._told: Counter[JobShape] = Counter()  # jobs that have been told; of jobs of several nodes, nodes
        self._all: Counter[JobShape] = Counter()
        for new in plan.boots:
            for shape, jobs in _asked(new):
                self._all[shape] += jobs

    def of(self, new: NewNode) -> tuple[MeantFor, ...]:
        """The jobs of the next boot."""
        return tuple(self._next(new))[:MOST]

    def _next(self, new: NewNode) -> Iterator[MeantFor]:
        for shape, jobs in _asked(new):
            share = self._shares.get(shape)
            if share is None or not share.places:
                continue
            first = max(0, share.served - self._all[shape] // shape.nodes)
            for place in range(self._told[shape], self._told[shape] + jobs):
                turn = min(first + place // shape.nodes, len(share.places) - 1)
                yield meant_for(self._jobs[share.places[turn]].id, shape)
            self._told[shape] += jobs


def _asked(new: NewNode) -> tuple[tuple[JobShape, int], ...]:
    """How many jobs of each shape a node is for."""
    if new.jobs or new.shape is None:
        return new.jobs
    return ((new.shape, 1),)


def meant_for_name(state: State, name: str) -> tuple[MeantFor, ...]:
    """The jobs that the scheduler has placed on a name."""
    jobs = (job for job in state.queue.jobs if name in job.names)
    return tuple(meant_for(job.id, job.shape) for job in jobs)[:MOST]
