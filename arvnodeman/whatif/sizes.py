"""What the provider has of the configured sizes, without a request to any cloud."""

from __future__ import annotations

from pathlib import Path

from arvnodeman.cloud.known_sizes import known_sizes, stand_in
from arvnodeman.config import ConfigError, Settings
from arvnodeman.fleet.values.model import ProviderSize, SizeSection
from arvnodeman.history.reading import reading


def sizes_of(settings: Settings, history: Path | None = None) -> tuple[ProviderSize, ...]:
    """By instance type. What a section says counts, else what libcloud's tables do (EC2), else the newest price in a
    `history`, else what counts for the daemon where the tables lack the region. Raises ConfigError, a line for each
    figure that nobody knows; CannotRead for the history."""
    known = known_sizes(settings, {section.instance_type for section in settings.sizes})
    paid = prices_in(history) if history is not None else {}
    found: dict[str, ProviderSize] = {}
    problems: list[str] = []
    for section in settings.sizes:
        listed = stand_in(settings, section.instance_type)
        elsewhere = listed.price if listed is not None else None
        offer, missing = _joined(section, known.get(section.instance_type), paid.get(section.id) or elsewhere)
        problems += [f"{settings.path}: [Size {section.id}] {option}: {text}" for option, text in missing]
        found.setdefault(section.instance_type, offer)
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(found.values())


def prices_in(history: Path) -> dict[str, float]:
    """The newest price of each size that a history knows, by section. Raises CannotRead."""
    with reading(history) as connection:
        rows = connection.execute("SELECT size, price FROM price ORDER BY at").fetchall()
    return {str(size): float(price) for size, price in rows if price > 0}


def _joined(
    section: SizeSection, known: ProviderSize | None, otherwise: float | None
) -> tuple[ProviderSize, list[tuple[str, str]]]:
    """What the provider is taken to say, and what is missing: option and what is the matter."""
    missing = []
    price = section.price or (known.price if known is not None else None) or otherwise
    if price is None:
        missing.append(("price", "not set, and no price of it is known without asking the cloud"))
    ram = section.ram if section.ram is not None else (known.ram if known is not None else None)
    if ram is None:
        missing.append(("ram", "not set, and its memory is not known without asking the cloud; allowed: MB, 0 for any"))
    offer = ProviderSize(
        id=section.instance_type,
        name=section.instance_type,
        ram=ram or 0.0,
        disk=section.disk if section.disk is not None else (known.disk if known is not None else 0.0),
        bandwidth=section.bandwidth or (known.bandwidth if known is not None else 0.0),
        price=price,
        cores=section.cores,
    )
    return offer, missing
