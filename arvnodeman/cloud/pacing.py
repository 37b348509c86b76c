"""How a driver keeps to the limits of requests: mixed into drivers, so that all of them count and wait in the same
way."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from arvnodeman.cloud.errors import COMMON, ErrorTable, classify
from arvnodeman.cloud.throttle import UNDOCUMENTED, Allowances, Limiter, Op, limiter_of_process
from arvnodeman.fleet.values.model import ErrorKind, RemoteError

if TYPE_CHECKING:
    from arvnodeman.config import Settings


class Paced:
    """A driver whose requests are counted. It calls `_keep_pace` when it is made."""

    errors: ClassVar[ErrorTable] = COMMON
    allowances: ClassVar[Allowances] = UNDOCUMENTED
    """How many requests the cloud takes, as far as it documents that."""
    _limiter: Limiter

    def _keep_pace(self, settings: Settings) -> None:
        self._limiter = limiter_of_process(
            settings.cloud.provider, settings.daemon.max_cloud_ops_per_second, self.allowances
        )
        self._longest_wait = settings.daemon.max_poll_time

    def _paced(self, op: Op, *, patience: float | None = None, nodes: int = 1) -> AbstractContextManager[None]:
        """Round a request that the limits count. It waits for its turn for so many seconds; None: as long as any."""
        return self._limiter.request(op, self._throttling, patience=patience, nodes=nodes)

    def _throttling(self, error: Exception) -> RemoteError | None:
        known = classify(error, self.errors, longest_wait=self._longest_wait)
        return known if known is not None and known.kind is ErrorKind.THROTTLED else None
