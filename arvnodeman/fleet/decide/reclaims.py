"""Spot nodes that the cloud has taken back while a job was on them: what comes next for that job is not spot.

Where the scheduler places jobs on names, the job is known by its id. Where it gives jobs any node, it is not known
which job ran where: then it is counted by the group that the node was booted for, a node for each node that was lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from arvnodeman.fleet.nodes.node import Node
from arvnodeman.fleet.values.model import Job, JobShape
from arvnodeman.fleet.values.rungs import Purchase, purchase_of

SPOT = frozenset({Purchase.SPOT})
HEARD = 900.0  # seconds in which it is found out that a node is gone
MOST = 10_000  # jobs and groups remembered


class Reclaims:
    """What was lost, and for whom. In memory alone: a restart tries spot once more."""

    def __init__(self) -> None:
        self._lost: dict[str | JobShape, int] = {}  # job, or group -> nodes taken since its last node that is not spot
        self._placed: dict[str, tuple[str, ...]] = {}  # name -> jobs that were placed there last

    def note_placed(self, jobs: Iterable[Job]) -> None:
        """A queue has come: which jobs are on which names."""
        fresh: dict[str, list[str]] = {}
        for job in jobs:
            for name in job.names:
                fresh.setdefault(name, []).append(job.id)
        self._placed.update((name, tuple(ids)) for name, ids in fresh.items())

    def reclaimed(self, node: Node, name: str | None) -> None:
        """The cloud has taken a node with a job on it, known to the scheduler by this name."""
        for key in self._concerned(name, node.wanted_for):
            self._lost[key] = self._lost.pop(key, 0) + 1
            if len(self._lost) > MOST:
                del self._lost[next(iter(self._lost))]

    def shuns(self, tries: int, name: str | None, shape: JobShape | None) -> frozenset[Purchase]:
        """How not to pay for the node that is booted now, for this name or group."""
        for key in self._concerned(name, shape):
            lost = self._lost.get(key, 0)
            if lost < tries:
                continue
            if isinstance(key, JobShape):  # one node for each that was lost so often
                self._lost[key] = lost - tries
                if not self._lost[key]:
                    del self._lost[key]
            return SPOT
        return frozenset()

    def _concerned(self, name: str | None, shape: JobShape | None) -> tuple[str | JobShape, ...]:
        jobs = self._placed.get(name, ()) if name is not None else ()
        return jobs or ((shape,) if shape is not None else ())


def was_taken(node: Node, t: float) -> bool:
    """Of a node that is gone without us: was it spot, with a job on it when it was last heard of?"""
    if purchase_of(node.cloud.rung) is not Purchase.SPOT or node.busy_at is None:
        return False
    return node.idle_since is None and t - node.busy_at <= HEARD
