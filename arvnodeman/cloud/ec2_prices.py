"""Prices of EC2's types, by libcloud's table: $/hour of Linux, on demand.

The table has 0 for some types in some regions, and lacks regions that are new. Nodes are not for nothing there: such a
type counts as dear as it is anywhere, so that no limit in money is passed by a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from libcloud.pricing import get_pricing

from arvnodeman.fleet.values.model import ProviderSize


class ListedPrice(NamedTuple):
    """What a type costs, in $/hour, and the region where it does."""

    price: float
    region: str


def listed_price(name: str, region: str) -> ListedPrice | None:
    """In this region, or where it is dearest; None: the table has none for the type."""
    found = _table().get(name, {})
    if found.get(region):
        return ListedPrice(found[region], region)
    return max((ListedPrice(price, where) for where, price in found.items()), default=None)


def priced(offers: Iterable[ProviderSize], region: str) -> tuple[ProviderSize, ...]:
    """The same, each with a price where the table has one."""
    return tuple(_priced(offer, region) for offer in offers)


def _priced(offer: ProviderSize, region: str) -> ProviderSize:
    listed = None if offer.price else listed_price(offer.id, region)
    return offer if listed is None else replace(offer, price=listed.price)


@cache
def _table() -> dict[str, dict[str, float]]:
    """By type and region; without those for nothing."""
    table = get_pricing(driver_type="compute", driver_name="ec2_linux")
    return {
        name: {region: float(price) for region, price in of.items() if price}
        for name, of in table.items()
        if isinstance(of, dict)
    }
