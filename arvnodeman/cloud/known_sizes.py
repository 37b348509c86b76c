"""What is known of a cloud's sizes without a request to it: libcloud's own tables, where they say all types."""

from __future__ import annotations

from collections.abc import Iterable

from libcloud.compute.constants.ec2_instance_types import INSTANCE_TYPES

from arvnodeman.cloud.ec2_prices import ListedPrice, listed_price
from arvnodeman.cloud.ec2_regions import region_in
from arvnodeman.config import Settings
from arvnodeman.fleet.values.model import ProviderSize

WITH_TABLES = ("ec2",)
USUAL_REGION = "us-east-1"  # EC2's own default


def known_sizes(settings: Settings, types: Iterable[str]) -> dict[str, ProviderSize]:
    """By type, those of these types that are known. A price is that of Linux, on demand, in the configured region as
    of the libcloud that is installed; None where it is not known. Only EC2 has such tables."""
    if settings.cloud.driver_class:
        return {}
    return known_at(settings.cloud.provider, types, region_of(settings))


def known_at(provider: str, types: Iterable[str], region: str = USUAL_REGION) -> dict[str, ProviderSize]:
    """The same, where there are no settings yet."""
    if provider not in WITH_TABLES:
        return {}
    found = {}
    for name in types:
        figures = INSTANCE_TYPES.get(name)
        if figures is not None:
            found[name] = ProviderSize(
                id=name,
                name=name,
                ram=float(figures["ram"] or 0),
                disk=float(figures["disk"] or 0),
                bandwidth=float(figures["bandwidth"] or 0),
                price=_price(name, region),
                cores=float(figures["extra"]["vcpu"]),
            )
    return found


def region_of(settings: Settings) -> str:
    """The region of EC2 that is configured."""
    given = settings.cloud.credentials
    region = given["region"].reveal() if "region" in given else ""
    host = given["host"].reveal() if "host" in given else ""
    return region or region_in(host) or USUAL_REGION


def stand_in(settings: Settings, name: str) -> ListedPrice | None:
    """The price that counts for a type because none is known in this region; None where one is, or none anywhere."""
    if settings.cloud.driver_class or settings.cloud.provider not in WITH_TABLES:
        return None
    region = region_of(settings)
    listed = listed_price(name, region)
    return listed if listed is not None and listed.region != region else None


def _price(name: str, region: str) -> float | None:
    listed = listed_price(name, region)
    return listed.price if listed is not None and listed.region == region else None
