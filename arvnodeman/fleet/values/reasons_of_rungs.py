"""Why: the reasons of decisions about rungs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from arvnodeman.fleet.values.reasons import Reason

NOT_DELIVERED = "the cloud has accepted the request for it, but does not deliver it"


@dataclass(frozen=True, slots=True)
class NotDelivered(Reason):
    """The cloud has taken the request for it, and has not delivered it within rung_patience."""

    goes: ClassVar[bool] = True

    def words(self, t: float) -> str:
        """the cloud has accepted the request for it, but does not deliver it."""
        return NOT_DELIVERED
