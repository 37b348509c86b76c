"""What is known of a cloud's sizes without a request to it: libcloud's own tables, where they say all types."""

from __future__ import annotations

from collections.abc import Iterable

from libcloud.compute.constants.ec2_instance_types import INSTANCE_TYPES
from libcloud.pricing import get_size_price

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
    return known_at(settings.cloud.provider, types, _region(settings))


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


def _region(settings: Settings) -> str:
    given = settings.cloud.credentials
    region = given["region"].reveal() if "region" in given else ""
    host = given["host"].reveal() if "host" in given else ""
    return region or region_in(host) or USUAL_REGION


def _price(name: str, region: str) -> float | None:
    try:
        price = get_size_price(driver_type="compute", driver_name="ec2_linux", size_id=name, region=region)
    except KeyError:
        return None
    return float(price) if price else None
