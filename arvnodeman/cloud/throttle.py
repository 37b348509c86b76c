"""How many requests a second we send to the cloud that create or destroy: `[Daemon] max_cloud_ops_per_second`.

One bucket of tokens serves all operators of the process. It fills at that rate, and holds what one second brings, so
that a few boots at once are not held up. Destroys come first: while one waits, no create gets a token.

A request waits in its operator for LONGEST seconds at most. One that would wait longer is refused as throttled, with
the time at which it is to come back, each a little later than the one before: the Fleet plans it as it plans any
request that the cloud throttles, without counting an attempt, and the operator is free meanwhile for the lane that
saves money.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum

from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure

LONGEST = 2.0  # seconds that a request may wait in an operator
_WHOLE = 1 - 1e-9  # of a token: sums of fractions are a little off


class Op(Enum):
    """What the limit counts."""

    CREATE = "create"
    DESTROY = "destroy"


class TokenBucket:
    """One bucket. Many threads may take from it.

    rate: tokens a second; 0: no limit. clock: steady seconds. wait: waits on the condition for so many seconds at most.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float], object] = threading.Condition.wait,
    ) -> None:
        self._rate = rate
        self._most = max(1.0, rate)
        self._clock = clock
        self._wait = wait
        self._changed = threading.Condition()
        self._tokens = self._most
        self._filled_at = clock()
        self._destroys_waiting = 0
        self._booked_until = float("-inf")  # by requests that were told to come back
        self._waited = 0.0
        self._refused = 0

    @property
    def waited(self) -> float:
        """Seconds that requests have waited in their operators, all together."""
        with self._changed:
            return self._waited

    @property
    def refused(self) -> int:
        """Requests that were told to come back later."""
        with self._changed:
            return self._refused

    def take(self, op: Op) -> None:
        """Take a token, waiting for it up to LONGEST seconds. Raises RemoteFailure THROTTLED after that."""
        if self._rate <= 0:
            return
        with self._changed:
            start = self._clock()
            self._destroys_waiting += op is Op.DESTROY
            try:
                while not self._may_go(op):
                    left = start + LONGEST - self._clock()
                    if left <= 0:
                        raise self._refusal()
                    self._wait(self._changed, min(left, self._until_next()))
                self._tokens -= 1
            finally:
                self._destroys_waiting -= op is Op.DESTROY
                self._waited += self._clock() - start
                self._changed.notify_all()

    def _may_go(self, op: Op) -> bool:
        now = self._clock()
        self._tokens = min(self._most, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        return self._tokens >= _WHOLE and (op is Op.DESTROY or not self._destroys_waiting)

    def _until_next(self) -> float:
        return max((1 - self._tokens) / self._rate, 0.001)

    def _refusal(self) -> RemoteFailure:
        now = self._clock()
        self._booked_until = max(self._booked_until, now) + 1 / self._rate
        self._refused += 1
        text = f"max_cloud_ops_per_second allows {self._rate:g} a second"
        return RemoteFailure(RemoteError(ErrorKind.THROTTLED, text, retry_after=self._booked_until - now))


_buckets: dict[float, TokenBucket] = {}
_lock = threading.Lock()


def bucket_of_process(rate: float) -> TokenBucket:
    """The one bucket that all drivers of this process with the same rate share."""
    with _lock:
        return _buckets.setdefault(rate, TokenBucket(rate))


def total_waited() -> float:
    """Seconds that requests of this process have waited in operators for max_cloud_ops_per_second."""
    with _lock:
        return sum(bucket.waited for bucket in _buckets.values())


def total_refused() -> int:
    """Requests of this process that were put off for max_cloud_ops_per_second."""
    with _lock:
        return sum(bucket.refused for bucket in _buckets.values())
