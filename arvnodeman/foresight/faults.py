"""A World in which requests fail and lists lie, by chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from arvnodeman.fleet.messages import CloudListed, CreateNode, DestroyNode, Poll, RecordsListed, Step
from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure, SchedulerFailure
from arvnodeman.loop.world import Answer, Listed, World
from arvnodeman.slurm.words import state_of


@dataclass(slots=True)
class Chances:
    """How often each happens: 0 to 1."""

    fails_before: float = 0.0  # a step fails and has done nothing
    fails_after: float = 0.0  # a step fails and has worked
    throttled: float = 0.0
    poll_fails: float = 0.0
    list_lies: float = 0.0  # a cloud list that lacks something
    record_lies: float = 0.0  # a record list that lacks something
    slurm_lies: float = 0.0  # all nodes are called down at once


class FaultyWorld:
    """Stands before another World."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.chances = Chances()
        self._world = world
        self._rng = rng

    def list(self, poll: Poll) -> Listed:
        """One list, or a failure, or a lie. Raises RemoteFailure."""
        chances = self.chances
        if chances.poll_fails and self._rng.random() < chances.poll_fails:
            failure = SchedulerFailure if poll is Poll.RECORDS else RemoteFailure
            raise failure(RemoteError(ErrorKind.TRANSIENT, "poll failed"))
        listed = self._world.list(poll)
        match listed:
            case CloudListed(nodes=nodes):
                if nodes and self._happens(chances.list_lies):
                    listed = replace(listed, nodes=nodes[: self._rng.randrange(len(nodes))])
            case RecordsListed(records=records, slurm=slurm):
                if records and self._happens(chances.record_lies):
                    listed = replace(listed, records=records[: self._rng.randrange(len(records))])
                if slurm and self._happens(chances.slurm_lies):
                    down = {
                        name: replace(node, state=state_of("down"), responding=False) for name, node in slurm.items()
                    }
                    listed = replace(listed, slurm=down)
            case _:
                pass
        return listed

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """Carry out some of them."""
        return [self._do(step) for step in steps]

    def _do(self, step: Step) -> Answer:
        chances = self.chances
        chance = self._rng.random()
        if chance < chances.fails_before:
            return RemoteError(ErrorKind.TRANSIENT, "the connection broke")
        if chance < chances.fails_before + chances.throttled and isinstance(step, CreateNode | DestroyNode):
            return RemoteError(ErrorKind.THROTTLED, "too many requests", retry_after=5.0)
        try:
            (answer,) = self._world.do((step,))
        except RemoteFailure as failure:
            return failure.error
        if self._happens(chances.fails_after):
            return RemoteError(ErrorKind.TRANSIENT, "no answer in time")
        return answer

    def _happens(self, chance: float) -> bool:
        return bool(chance) and self._rng.random() < chance
