"""Whether Slurm makes use of a node: since when it could have begun a job there, or has kept it for one."""

from __future__ import annotations

from dataclasses import dataclass

from arvnodeman.fleet.values.work import FREE, NodeWork

LEAST_POLLS = 3  # node polls in a row, at least, before a node that was not used tells anything


@dataclass(slots=True)
class NodeUse:
    """Of one node, counted at each node poll. Times are steady seconds."""

    ready_since: float | None = None  # idle in Slurm, and Slurm may put work on it
    ready_polls: int = 0
    kept_since: float | None = None  # no job is on it, and Slurm keeps it for one, or for a reservation
    kept_polls: int = 0

    def note(self, slurm: NodeWork | None, t: float, *, idle: bool) -> None:
        """A node poll; `idle`: it counts as that."""
        if idle and slurm is not None and slurm.state.kind is FREE and slurm.responding and not slurm.pretended:
            self.ready_polls += 1
            if self.ready_since is None:
                self.ready_since = t
        elif self.ready_since is not None:
            self.ready_since, self.ready_polls = None, 0
        if slurm is not None and slurm.state.kept:
            self.kept_polls += 1
            if self.kept_since is None:
                self.kept_since = t
        elif self.kept_since is not None:
            self.kept_since, self.kept_polls = None, 0

    def forget(self) -> None:
        """It has been something else meanwhile."""
        self.ready_since, self.ready_polls, self.kept_since, self.kept_polls = None, 0, None, 0

    def unused(self, t: float, use_within: float) -> bool:
        """Could Slurm have used it for so long, and has not?"""
        return self.ready_polls >= LEAST_POLLS and self.ready_since is not None and t - self.ready_since >= use_within

    def kept(self, t: float, use_within: float) -> bool:
        """Has Slurm kept it for so long, and started nothing there?"""
        since = self.kept_since
        return self.kept_polls >= LEAST_POLLS and since is not None and t - since >= use_within
