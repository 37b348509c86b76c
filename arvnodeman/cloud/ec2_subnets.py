"""Which subnet a node is tried in first, when several are configured.

In the order of the configuration, but: a subnet that was short of a size lately comes last for it, and a boot whose
request was not answered for certain goes on in the subnet where that request went. There the same client token
answers the node that the request may have made; in another subnet a second one would be made.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

SHORT = 300.0  # seconds for which a subnet comes last
_MOST = 10_000  # boots remembered


class Subnets:
    """The configured subnets, by id, and what is known of them. Many threads may use it."""

    def __init__(self, ids: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._ids = ids
        self._clock = clock
        self._lock = threading.Lock()
        self._short: dict[tuple[str, str], float] = {}  # subnet, type -> until
        self._open: OrderedDict[str, str] = OrderedDict()  # boot's token -> where its last request went

    def order(self, token: str, kind: str) -> tuple[str, ...]:
        """The subnets to try for this boot of a node of this type."""
        with self._lock:
            now = self._clock()
            self._short = {place: until for place, until in self._short.items() if until > now}
            there = self._open.get(token)
            return tuple(sorted(self._ids, key=lambda each: (each != there, (each, kind) in self._short)))

    def asked(self, token: str, subnet: str) -> None:
        """A request for this boot goes to this subnet."""
        with self._lock:
            self._open[token] = subnet
            self._open.move_to_end(token)
            if len(self._open) > _MOST:
                self._open.popitem(last=False)

    def answered(self, token: str) -> None:
        """It was answered for certain: with a node, or with none."""
        with self._lock:
            self._open.pop(token, None)

    def is_short(self, subnet: str, kind: str) -> None:
        """No node of this type can be had in this subnet now."""
        with self._lock:
            self._short[(subnet, kind)] = self._clock() + SHORT


@functools.cache
def subnets_of_process(ids: tuple[str, ...]) -> Subnets:
    """What this process knows of these subnets, shared by all its drivers."""
    return Subnets(ids)
