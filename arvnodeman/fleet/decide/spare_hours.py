"""When spares are wanted otherwise next, since a window of theirs opens or closes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from arvnodeman.fleet.values.spares import Spare


class SpareHours:
    """Reckoned anew when that moment has come, when the options are others, or when the clock was put back."""

    def __init__(self) -> None:
        self._spares: Sequence[Spare] = ()
        self._since = self._until = math.inf

    def until(self, spares: Sequence[Spare], now: float) -> float:
        """The next such moment after this one, in seconds since the epoch; infinity: there is none."""
        if spares is not self._spares or not self._since <= now < self._until:
            changes = (spare.hours.next_change(now) for spare in spares)
            self._until = min((at for at in changes if at is not None), default=math.inf)
            self._spares, self._since = spares, now
        return self._until
