"""EC2 instances that were terminated as they were launched: EC2 takes the request, and then has no room, or no volume.

Lists leave out what is terminated, so that such a node would only be missed. While a launch may come to that, those
that say so of themselves, by the code of their StateReason, are asked for as well, and shown as failed until they are
destroyed by us.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

from libcloud.compute.drivers.ec2 import NAMESPACE
from libcloud.utils.xml import findtext

CODES = (  # docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
    "Client.InternalError",  # such as a key of the image's that may not be used
    "Client.InvalidSnapshot.NotFound",
    "Client.VolumeLimitExceeded",
    "Server.InsufficientInstanceCapacity",
    "Server.InternalError",
)
WATCHED = 900.0  # seconds from a launch in which this may happen
_MOST = 10_000  # ids remembered


class Launches:
    """When the last one was, and which of those that failed are done with. Many threads may use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: float | None = None
        self._told = True  # the cloud can be asked for them
        self._done: dict[str, None] = {}

    def begun(self) -> None:
        """A node was asked for."""
        with self._lock:
            self._last = self._clock()

    def destroyed(self, identity: str) -> None:
        """We destroyed this one, so we know why it was terminated."""
        with self._lock:
            self._done[identity] = None
            if len(self._done) > _MOST:
                del self._done[next(iter(self._done))]

    @property
    def watched(self) -> bool:
        """May one of them still fail?"""
        with self._lock:
            return self._told and self._last is not None and self._clock() - self._last < WATCHED

    def not_told(self) -> None:
        """The cloud cannot be asked for them."""
        with self._lock:
            self._told = False

    def is_news(self, identity: str, started: float | None) -> bool:
        """Was it launched recently, and not destroyed by us? started: Unix time."""
        with self._lock:
            return identity not in self._done and started is not None and time.time() - started < WATCHED


@functools.cache
def launches_of_process() -> Launches:
    """Those of this process, whichever of its drivers made them."""
    return Launches()


def reason_of(item: Any) -> str:
    """Why an instance was terminated as it was launched, as `Code: message`; nothing for any other instance."""
    code = findtext(element=item, xpath="stateReason/code", namespace=NAMESPACE) or ""
    if code not in CODES:
        return ""
    message = findtext(element=item, xpath="stateReason/message", namespace=NAMESPACE) or ""
    return f"{code.partition('.')[2]}: {message.removeprefix(f'{code}: ')}"  # EC2 repeats the code
