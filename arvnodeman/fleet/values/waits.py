"""Since when each waiting job has been seen, and what Arvados says of it: worked out in the poller's thread, so that
deciding does not pay."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import repeat
from types import MappingProxyType

from arvnodeman.fleet.values.model import Job


@dataclass(frozen=True, slots=True)
class Container:
    """What Arvados says of a container that waits: Queued, or Locked by the dispatcher."""

    state: str
    priority: int  # 0: nobody wants it any more


_NOTHING: Mapping[str, float] = MappingProxyType({})
_NO_OTHERS: Mapping[str, str] = MappingProxyType({})
_NO_CONTAINERS: Mapping[str, Container] = MappingProxyType({})


class JobWaits:
    """Written by the queue's poller, read by anybody: what is read is replaced whole."""

    def __init__(self) -> None:
        self.since: Mapping[str, float] = MappingProxyType({})  # job id -> seconds since the epoch
        self.oldest: float | None = None
        self.others = _NO_OTHERS  # job id -> Slurm's reason, of those that wait for something else than nodes
        self.containers = _NO_CONTAINERS  # job id -> what Arvados says, where it does
        self._earlier: Mapping[str, float] = _NOTHING
        self._jobs: Collection[Job] = ()  # the queue that was read last
        self._since: dict[str, float] = {}

    def remember(self, since: Mapping[str, float]) -> None:
        """What an earlier run has seen: a job of it that the next queue has waits since then. Any thread."""
        self._earlier = since

    def update(
        self,
        jobs: Collection[Job],
        now: float,
        others: Mapping[str, str] = _NO_OTHERS,
        containers: Mapping[str, Container] = _NO_CONTAINERS,
    ) -> None:
        """A queue, which nobody changes, has been read at `now`: the same again costs nothing. A job that was away is
        new again."""
        earlier, self._earlier = self._earlier, _NOTHING
        if jobs is not self._jobs or earlier:
            ids = [job.id for job in jobs]
            since = dict(zip(ids, map(self._since.get, ids, repeat(now)), strict=True))
            since.update((job, min(since[job], earlier[job])) for job in earlier.keys() & since.keys())
            self._jobs, self._since = jobs, since
            self.since = MappingProxyType(since)
            self.oldest = min(since.values(), default=None)
        self.others = MappingProxyType(others)
        self.containers = MappingProxyType(containers)
