"""How many requests a second we send to the cloud that create, destroy or tag: `[Daemon] max_cloud_ops_per_second`.

Buckets of tokens serve all operators of the process. With `auto` there is one for each kind of request, which begins
with what the cloud documents (`Allowance`). With a number there is one for creates and destroys together, which fills
at that rate at most, and holds what one second brings; destroys come first: while one waits, no create gets a token.
Tags are then not counted, and with 0 nothing is.

A bucket adapts. The cloud's first word that there are too many halves its rate, empties it, and closes it for as long
as the cloud says (Retry-After); such words on requests that had left before are echoes, and change nothing. While
requests are held up by the bucket and none is refused, its rate grows: quickly before the first refusal, then by a
tenth of what it began with in a second.

A request waits in its operator for LONGEST seconds at most. One that would wait longer is refused as throttled, with
the time at which it is to come back, each a little later than the one before: the Fleet plans it as it plans any
request that the cloud throttles, without counting an attempt, and the operator is free meanwhile for the lane that
saves money.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from arvnodeman.fleet.values.model import ErrorKind, RemoteError, RemoteFailure

LONGEST = 2.0  # seconds that a request may wait in an operator
MOST = 100.0  # requests a second to which a bucket without a limit of its own grows
SLOWEST = 1 / 16  # of the rate that it begins with: no bucket becomes slower
QUICK, STEADY = 0.2, 0.1  # growth: of a request for each that is answered; of the first rate in a second
PRESSED = 1.0  # seconds for which a bucket that held a request up counts as the one that holds up
_WHOLE = 1 - 1e-9  # of a token: sums of fractions are a little off


class Op(Enum):
    """What the limits count."""

    CREATE = "create"
    DESTROY = "destroy"
    TAG = "tag"
    NODE = "node"  # each one that a create asks for


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many requests at once, after that so many a second."""

    burst: float
    rate: float


Allowances = Mapping[Op, Allowance]
UNDOCUMENTED: Allowances = {Op.CREATE: Allowance(10, 10), Op.DESTROY: Allowance(10, 10)}
"""Of a cloud that says nothing of limits."""


class TokenBucket:
    """One bucket. Many threads may take from it.

    clock: steady seconds. wait: waits on the condition for so many seconds at most.
    """

    def __init__(
        self,
        allowance: Allowance,
        most: float = MOST,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float], object] = threading.Condition.wait,
    ) -> None:
        """most: requests a second that its rate never exceeds."""
        self._allowance = allowance
        self._most = max(most, allowance.rate)
        self._rate = allowance.rate
        self._clock = clock
        self._wait = wait
        self._changed = threading.Condition()
        self._tokens = allowance.burst
        self._filled_at = clock()
        self._closed_until: dict[Op, float] = {}  # the cloud said so
        self._destroys_waiting = 0
        self._booked_until = float("-inf")  # by requests that were told to come back
        self._pressed_until = float("-inf")
        self._slowed_at: float | None = None  # when the cloud last said that there are too many
        self._waited = 0.0
        self._refused = 0

    @property
    def rate(self) -> float:
        """Requests a second, now."""
        with self._changed:
            return self._rate

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

    def take(self, op: Op, patience: float | None = None) -> float:
        """Take a token, waiting for it up to `patience` seconds (None: LONGEST); the moment at which the request
        leaves. Raises RemoteFailure THROTTLED after that."""
        with self._changed:
            start = self._clock()
            self._destroys_waiting += op is Op.DESTROY
            try:
                while not self._may_go(op):
                    now = self._clock()
                    self._pressed_until = now + PRESSED
                    left = start + (LONGEST if patience is None else patience) - now
                    if left <= 0:
                        raise self._refusal(op, keeps_turn=patience != 0)
                    self._wait(self._changed, min(left, self._until_next(op)))
                self._tokens -= 1
                return self._clock()
            finally:
                self._destroys_waiting -= op is Op.DESTROY
                self._waited += self._clock() - start
                self._changed.notify_all()

    def answered(self) -> None:
        """The cloud has taken a request."""
        with self._changed:
            if self._clock() > self._pressed_until:
                return  # nothing was held up: more would not be used
            self._fill()
            step = QUICK if self._slowed_at is None else STEADY * self._allowance.rate / self._rate
            self._rate = min(self._most, self._rate + step)

    def throttled(self, op: Op, sent: float, wait: float | None) -> None:
        """The cloud has refused a request, which left at that moment, since there are too many. `wait`: seconds for
        which it wants none, where it says."""
        with self._changed:
            now = self._clock()
            self._closed_until[op] = max(self._closed_until.get(op, now), now + (wait or 0.0))
            if self._slowed_at is not None and sent <= self._slowed_at:
                return
            self._fill()
            self._slowed_at, self._tokens = now, 0.0
            self._rate = max(self._rate / 2, self._allowance.rate * SLOWEST)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._allowance.burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now

    def _may_go(self, op: Op) -> bool:
        self._fill()
        if self._clock() < self._closed_until.get(op, float("-inf")):
            return False
        return self._tokens >= _WHOLE and (op is Op.DESTROY or not self._destroys_waiting)

    def _until_next(self, op: Op) -> float:
        closed = self._closed_until.get(op, float("-inf")) - self._clock()
        return max((1 - self._tokens) / self._rate, closed, 0.001)

    def _refusal(self, op: Op, *, keeps_turn: bool) -> RemoteFailure:
        """keeps_turn: who asked comes back, and those after it later than that."""
        now = self._clock()
        comes_back = max(self._booked_until, self._closed_until.get(op, now), now) + 1 / self._rate
        if keeps_turn:
            self._booked_until = comes_back
        self._refused += 1
        text = f"max_cloud_ops_per_second allows {self._rate:.3g} a second"
        if self._slowed_at is not None:
            text += f", since the cloud throttled {op.value} requests"
        return RemoteFailure(RemoteError(ErrorKind.THROTTLED, text, retry_after=comes_back - now))


class RequestSize:
    """For how many nodes one create may ask. Many threads may use it.

    As many as are left of what the cloud documents (a bucket of nodes), one at least: of single nodes the bucket of
    requests knows. They count as used from then on: other operators ask meanwhile. A refusal may mean that others have
    used them up, so the next request is for half as many, and after each that is taken for twice as many again.
    """

    def __init__(self, allowance: Allowance | None, clock: Callable[[], float] = time.monotonic) -> None:
        """None: nothing is documented."""
        self._allowance = allowance or Allowance(math.inf, math.inf)
        self._clock = clock
        self._lock = threading.Lock()
        self._left = self._allowance.burst
        self._filled_at = clock()
        self._most = math.inf

    def of(self, wanted: int) -> int:
        """How many of these nodes to ask for in one request now; what is not asked for then is to be given back."""
        with self._lock:
            now = self._clock()
            if self._left < self._allowance.burst:
                self._left += (now - self._filled_at) * self._allowance.rate
                self._left = min(self._left, self._allowance.burst)
            self._filled_at = now
            granted = max(1, int(min(wanted, self._left, self._most)))
            self._left = max(0.0, self._left - granted)
            return granted

    def give_back(self, nodes: int) -> None:
        """So many are not asked for after all."""
        with self._lock:
            self._left = min(self._allowance.burst, self._left + nodes)

    def taken(self, nodes: int) -> None:
        """The cloud has taken a request for so many."""
        with self._lock:
            if nodes >= self._most:
                self._most *= 2

    def refused(self, nodes: int) -> None:
        """It has refused one, since there are too many: of requests, or of nodes."""
        self.give_back(nodes)
        with self._lock:
            self._most = max(1, nodes // 2)


class Limiter:
    """The buckets of one cloud. Many threads may use it."""

    def __init__(self, buckets: Mapping[Op, TokenBucket], nodes: Allowance | None = None) -> None:
        """What has no bucket is not limited."""
        self.buckets = buckets
        self.nodes = RequestSize(nodes)

    @classmethod
    def of(cls, limit: float | None, allowances: Allowances) -> Limiter:
        """As max_cloud_ops_per_second says: None is `auto`."""
        if limit is None:
            buckets: dict[Op, TokenBucket] = {
                op: TokenBucket(each) for op, each in allowances.items() if op is not Op.NODE
            }
            return cls(buckets, allowances.get(Op.NODE))
        if limit <= 0:
            return cls({})
        shared = TokenBucket(Allowance(max(1.0, limit), limit), most=limit)
        return cls({Op.CREATE: shared, Op.DESTROY: shared})

    @contextmanager
    def request(
        self,
        op: Op,
        throttles: Callable[[Exception], RemoteError | None],
        *,
        patience: float | None = None,
        nodes: int = 1,
    ) -> Iterator[None]:
        """Round a request: waits for its turn, and heeds what the cloud says. `throttles`: what an error that the
        request raises means, None where it does not say that there are too many. `nodes`: that a create asks for.
        Raises RemoteFailure THROTTLED where the wait would be longer than `patience` seconds (None: LONGEST)."""
        bucket = self.buckets.get(op)
        sent = bucket.take(op, patience) if bucket is not None else 0.0
        try:
            yield
        except Exception as error:
            known = throttles(error)
            if known is not None and nodes > 1:
                self.nodes.refused(nodes)
            if known is not None and bucket is not None:
                bucket.throttled(op, sent, known.retry_after)
            raise
        if op is Op.CREATE:
            self.nodes.taken(nodes)
        if bucket is not None:
            bucket.answered()


_limiters: dict[tuple[str, float | None], Limiter] = {}
_lock = threading.Lock()


def limiter_of_process(cloud: str, limit: float | None, allowances: Allowances) -> Limiter:
    """The one that all drivers of this process for this cloud share. limit: None is `auto`."""
    with _lock:
        known = (cloud, limit)
        if known not in _limiters:
            _limiters[known] = Limiter.of(limit, allowances)
        return _limiters[known]


def _buckets() -> list[TokenBucket]:
    with _lock:
        found = [bucket for limiter in _limiters.values() for bucket in limiter.buckets.values()]
    return list(dict.fromkeys(found))  # one may serve two kinds of request


def rates() -> dict[str, float]:
    """Requests a second that are allowed now, by kind: none where there is no limit."""
    with _lock:
        limiters = list(_limiters.values())
    return {op.value: bucket.rate for limiter in limiters for op, bucket in limiter.buckets.items()}


def total_waited() -> float:
    """Seconds that requests of this process have waited in operators for max_cloud_ops_per_second."""
    return sum(bucket.waited for bucket in _buckets())


def total_refused() -> int:
    """Requests of this process that were put off for max_cloud_ops_per_second."""
    return sum(bucket.refused for bucket in _buckets())
