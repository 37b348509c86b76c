"""Rungs: where, and by which way to pay for it, a node of one size can be had.

A size has its rungs in an order, its ladder: the cloud is asked for a node at one of them at a time. What a rung is
called, its *key*, stands in the node's tags and in all evidence: `ZONE/spot`, `ZONE/reserved/ID`, `/on-demand` where
the cloud chooses the zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Purchase(StrEnum):
    """How a node is paid for."""

    RESERVED = "reserved"  # capacity that is paid for anyway
    SPOT = "spot"  # what the cloud may take back at any time
    ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True)
class Rung:
    """One of them. `price` None: that of the size."""

    zone: str = ""  # as the driver understands it; '': where the cloud likes, or the driver's options say
    purchase: Purchase = Purchase.ON_DEMAND
    price: float | None = None  # $/hour
    reservation: str = ""  # the cloud's name of the capacity that is reserved

    @property
    def key(self) -> str:
        """It in one word, without its price."""
        return "/".join(filter(None, (f"{self.zone}/{self.purchase.value}", self.reservation)))

    @property
    def words(self) -> str:
        """us-east-1a, spot: for people."""
        return words_of(self.key)


def zone_of(key: str) -> str:
    """The zone in a rung's key; '' where it names none."""
    return key.split("/", 1)[0]


def purchase_of(key: str) -> Purchase | None:
    """The purchase in a rung's key; None for a text that is no key."""
    parts = key.split("/", 2)
    return Purchase(parts[1]) if len(parts) > 1 and parts[1] in list(Purchase) else None


def words_of(key: str) -> str:
    """A key, for people: us-east-1a, spot."""
    zone, _, rest = key.partition("/")
    purchase, _, reservation = rest.partition("/")
    return ", ".join(filter(None, (zone, f"{purchase} {reservation}".strip())))
