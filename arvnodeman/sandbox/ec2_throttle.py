"""The token buckets by which EC2 documents that it throttles, on a clock of whoever plays with them.

docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html: requests have a bucket for each action, RunInstances
and TerminateInstances one more for the instances that they name. What finds a bucket too empty is refused whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

REQUESTS: Mapping[str, tuple[float, float]] = {  # action: most tokens, and those that come in a second
    "RunInstances": (5, 2),
    "TerminateInstances": (100, 5),
    "CreateTags": (100, 10),
    "DeleteTags": (100, 10),
    "DescribeInstances": (100, 20),
}
INSTANCES: Mapping[str, tuple[float, float]] = {"RunInstances": (1000, 2), "TerminateInstances": (1000, 20)}
OTHERS = (50.0, 5.0)  # other actions


@dataclass(slots=True)
class _Tokens:
    most: float
    rate: float
    left: float
    filled_at: float

    def fill(self, now: float) -> float:
        self.left = min(self.most, self.left + (now - self.filled_at) * self.rate)
        self.filled_at = now
        return self.left


class Throttle:
    """The buckets of one account and region. Not thread-safe. `refused`: requests by action."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds."""
        self._clock = clock
        self._tokens: dict[tuple[str, str], _Tokens] = {}
        self.refused: dict[str, int] = {}

    def refuses(self, params: Mapping[str, str]) -> bool:
        """Is there no token left for this request? Else it takes what it needs."""
        action = params.get("Action", "")
        needs = [(self._of("requests", action, REQUESTS.get(action, OTHERS)), 1)]
        if action in INSTANCES:
            needs.append((self._of("instances", action, INSTANCES[action]), _instances(params)))
        now = self._clock()
        if any(bucket.fill(now) < count for bucket, count in needs):
            self.refused[action] = self.refused.get(action, 0) + 1
            return True
        for bucket, count in needs:
            bucket.left -= count
        return False

    def _of(self, kind: str, action: str, size: tuple[float, float]) -> _Tokens:
        most, rate = size
        return self._tokens.setdefault((kind, action), _Tokens(most, rate, most, self._clock()))


def _instances(params: Mapping[str, str]) -> int:
    if params.get("Action") == "RunInstances":
        return int(params.get("MaxCount", "1"))
    return sum(name.startswith("InstanceId.") for name in params)
