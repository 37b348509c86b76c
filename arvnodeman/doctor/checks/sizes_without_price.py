"""Sizes that nobody gives a price."""

from __future__ import annotations

from collections.abc import Iterator

from arvnodeman.cloud.known_sizes import known_sizes, stand_in
from arvnodeman.config import Settings
from arvnodeman.doctor.base import Area, Check, findings


def judge(settings: Settings) -> Iterator[str]:
    """A line for each. libcloud's table of EC2's types has some without a price."""
    known = known_sizes(settings, {section.instance_type for section in settings.sizes})
    for section in settings.sizes:
        found = known.get(section.instance_type)
        unknown = section.price is None and found is not None and found.price is None
        if unknown and stand_in(settings, section.instance_type) is None:
            yield (
                f"{settings.path}: [Size {section.id}] price: missing, and libcloud has none for "
                f"{section.instance_type} in any region; write price = DOLLARS, for an hour"
            )


CHECK = Check(
    name="sizes-without-price",
    area=Area.FILE,
    says="A size has no price, and libcloud's table has none for its type: no node of it is ever booted.",
    mends="Give the section a `price`, in dollars an hour.",
    find=lambda facts: findings(judge(facts.settings())),
)
