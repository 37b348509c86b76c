"""For how long a lease has looked the same from here, by this host's own steady clock.

A server's clock may be set: forward, it ends a lease whose holder still acts by it. So who wants the lead believes that
clock only once it has itself seen the lease unrenewed for as long as a lease lasts.
"""

from __future__ import annotations

from collections.abc import Hashable


class Watched:
    """What was seen last, and since when."""

    def __init__(self) -> None:
        self._what: Hashable | None = None
        self._since: float | None = None

    def unchanged(self, what: Hashable, began: float, ended: float) -> float:
        """Seconds for which it has been the same for certain: from the end of the first look at it to the beginning of
        this one, 0 at the first. began, ended: seconds on the steady clock, of the request that showed it."""
        if self._since is None or what != self._what:
            self._what, self._since = what, ended
        return max(0.0, began - self._since)

    def forget(self) -> None:
        """It was not to be seen: the next look is the first."""
        self._since = None
