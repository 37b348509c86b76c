"""The World of a manager that may have to give way to another: what would change something passes the fence first.

The hands ask the fence again, just before each request; here a step is refused before anything is done for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arvnodeman.cloud.operator_options import request_timeout
from arvnodeman.config import Settings
from arvnodeman.fence.fence import Fence
from arvnodeman.fleet.messages import (
    CloudListed,
    CreateNode,
    DestroyNode,
    FindNode,
    FinishNode,
    ListSizes,
    LookAtNode,
    LookForNode,
    Poll,
    SetWord,
    Step,
    SyncFqdn,
)
from arvnodeman.fleet.operations.lease_steps import RenewLeases
from arvnodeman.fleet.values.leading import newest_generation
from arvnodeman.loop.world import Answer, Listed, World

ASKS = (ListSizes, FindNode, LookForNode, LookAtNode)
"""Steps that change nothing, and may always be carried out."""
CLOUD_STEPS = (CreateNode, FinishNode, DestroyNode, SyncFqdn, SetWord, RenewLeases)


class StepTimeouts:
    """For how long the answer to a step's request is waited for, by who is asked."""

    def __init__(self, settings: Settings) -> None:
        self._cloud = request_timeout(settings)
        arvados = settings.arvados.timeout if settings.arvados.host else 0.0
        self._others = max(settings.slurm_timeout if settings.policy().asks_scheduler else 0.0, arvados)

    def __call__(self, step: Step) -> float:
        """Seconds."""
        return self._cloud if isinstance(step, CLOUD_STEPS) else self._others


class FencedWorld:
    """Stands before the real one. For one thread."""

    def __init__(
        self, world: World, fence: Fence, seconds: Callable[[Step], float], saw: Callable[[int], None]
    ) -> None:
        """`seconds`: for how long the answer to a step's request is waited for. `saw`: is told the newest generation of
        all nodes in each list of the cloud."""
        self._world = world
        self._fence = fence
        self._seconds = seconds
        self._saw = saw

    def list(self, poll: Poll) -> Listed:
        """A list; any manager may read. Raises RemoteFailure."""
        listed = self._world.list(poll)
        if isinstance(listed, CloudListed):
            self._saw(newest_generation(node.token for node in listed.nodes))
        return listed

    def do(self, steps: Sequence[Step]) -> Sequence[Answer]:
        """Carry them out, if this manager leads for long enough. Raises RemoteFailure, of the kind NOT_LEADER where
        nothing was sent."""
        changing = [step for step in steps if not isinstance(step, ASKS)]
        if changing:
            self._fence.check(max(map(self._seconds, changing)))
        return self._world.do(steps)
