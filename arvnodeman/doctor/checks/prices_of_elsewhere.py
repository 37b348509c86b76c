"""Sizes without a price, of which libcloud knows one in other regions alone."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.cloud.known_sizes import region_of, stand_in
from arvnodeman.config import Settings
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line for each."""
    for section in settings.sizes:
        listed = stand_in(settings, section.instance_type) if section.price is None else None
        if listed is not None:
            yield (
                f"{settings.path}: [Size {section.id}] price: missing, and libcloud has none for "
                f"{section.instance_type} in {region_of(settings)}; ${listed.price:g} an hour counts, its dearest "
                f"({listed.region}); write price = DOLLARS, for an hour"
            )


CHECK = Check(
    name="prices-of-elsewhere",
    area=Area.FILE,
    says="A size has no price, and libcloud's table has none for its type in this region: its dearest anywhere counts.",
    mends="Give the section a `price`, in dollars an hour.",
    grave=False,
    find=lambda facts: findings(judge(facts.settings())),
)
