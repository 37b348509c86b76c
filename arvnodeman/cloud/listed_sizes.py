"""What libcloud says of a size, as a value."""

from __future__ import annotations

import logging
from typing import Any

from libcloud.utils.iso8601 import ParseError

from arvnodeman.cloud.redaction import shown
from arvnodeman.fleet.values.model import ProviderSize

STRANGE = (AttributeError, LookupError, TypeError, ValueError, OverflowError, ParseError)
"""What odd data makes our code and libcloud's raise."""
_log = logging.getLogger("ComputeNodeDriver")


def provider_size(size: Any) -> ProviderSize | None:
    """One size of the cloud's list; None, with a warning, for one that cannot be read."""
    try:
        return ProviderSize(
            id=str(size.id),
            name=str(size.name),
            ram=float(size.ram or 0),
            disk=float(size.disk or 0),
            bandwidth=float(size.bandwidth or 0),
            price=float(size.price) if size.price else None,  # 0 is not a price
            cores=_cores(size),
        )
    except STRANGE as error:
        _log.warning("ignored cloud size %s: %s", shown(getattr(size, "id", size)), shown(error))
        return None


def _cores(size: Any) -> float:
    """Cores of a listed size, wherever libcloud keeps them; 0: unknown."""
    extra = getattr(size, "extra", None) or {}
    places = (extra.get("vcpu"), extra.get("vcpus"), extra.get("guestCpus"), extra.get("numberOfCores"))
    return next((float(cores) for cores in (*places, getattr(size, "vcpus", None)) if cores), 0.0)
