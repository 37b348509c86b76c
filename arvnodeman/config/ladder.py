"""The rungs of a size: what zones, purchases and reservations make, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arvnodeman.config.cloud_options import EC2, SUBNETS, WITH_RESERVATIONS, WITHOUT_PREEMPTIBLE, ZONES
from arvnodeman.config.option import option_of
from arvnodeman.config.settings import SizeSettings
from arvnodeman.fleet.values.rungs import Purchase, Rung


def zones_in(provider: str, create: Mapping[str, str]) -> tuple[str, ...]:
    """The zones that [Cloud Create] names, in order. Several subnets of EC2 are zones; one alone is where all nodes
    are, as without zones."""
    zones = _words(create.get(ZONES.key, "")) if provider in ZONES.providers else ()
    if zones or provider not in EC2:
        return zones
    subnets = _words(create.get(SUBNETS.key, ""))
    return subnets if len(subnets) > 1 else ()


def ladder_of(size: SizeSettings, zones: Sequence[str], *, by_price: bool) -> tuple[Rung, ...]:
    """Its rungs: what is reserved first; then each purchase in all zones before the next purchase, in the order that is
    given or the cheaper before the dearer. None where nothing of that is asked for."""
    if not (zones or size.purchases or size.reservations):
        return ()
    bought = size.purchases or ((Purchase.SPOT,) if size.preemptible else (Purchase.ON_DEMAND,))
    if by_price and not (size.price is not None and size.spot_price is not None and size.spot_price > size.price):
        bought = tuple(sorted(bought, key=lambda each: each is not Purchase.SPOT))
    alone = zones[0] if len(zones) == 1 else ""
    rungs = [Rung(zone or alone, Purchase.RESERVED, size.reserved_price, name) for name, zone in size.reservations]
    for purchase in bought:
        price = size.spot_price if purchase is Purchase.SPOT else None
        rungs += [Rung(zone, purchase, price) for zone in zones or ("",)]
    return tuple(rungs)


def mistakes(size: SizeSettings, provider: str, zones: Sequence[str]) -> list[tuple[str, str]]:
    """What is wrong with the options of one size: option, and why."""
    found: list[tuple[str, str]] = []
    given = (SizeSettings.preemptible, SizeSettings.purchases, SizeSettings.reservations)
    preemptible, purchases, reservations = (option_of(each).name for each in given)
    if size.purchases and size.preemptible:
        found.append((preemptible, "purchases says how nodes are paid for; allowed: no"))
    if Purchase.SPOT in size.purchases and provider in WITHOUT_PREEMPTIBLE:
        found.append((purchases, f"the {provider} driver has no spot nodes; allowed: on-demand"))
    if size.reservations and provider not in WITH_RESERVATIONS:
        found.append((reservations, f"the {provider} driver knows of none; allowed: nothing"))
    for name, zone in size.reservations:
        if zone and zone not in zones:
            found.append((reservations, f"{zone!r} is not among the zones; allowed: {', '.join(zones) or 'none'}"))
        elif not zone and len(zones) > 1:
            found.append((reservations, f"{name!r} is in one of several zones; allowed: {name}@ZONE"))
    return found


def mistakes_of_zones(provider: str, create: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is wrong with the options of [Cloud Create]: option, and why."""
    if provider not in ZONES.providers or not create.get(ZONES.key):
        return []
    others = {"ec2": SUBNETS.key, "openstack": "ex_availability_zone"}
    other = others.get(provider, "")
    wrong = f"excludes {other}; allowed: one of the two"
    return [(ZONES.key, wrong)] if create.get(other) else []


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (word.strip() for word in text.split(",")))))
